#include "freed_memory.h"

#include <cstdlib>

namespace pillion {

// Frames that are kept lie in slabs of 256 KiB, which come and go with the collector's pace. By default glibc gives freed memory
// back to the kernel above 512 KiB of it, and the next slab's 64 pages are faulted in anew: that took a third of the time of
// receiving small frames one by one.
//
// glibc learns from what is freed: to free a piece that was mapped by itself makes that size the least for mapping, and
// twice that the least for giving back (mallopt(3), M_MMAP_THRESHOLD), so this is as if the program had had one Buffer of 4 MiB.
// Whoever has set these limits (mallopt, MALLOC_TRIM_THRESHOLD_) has switched the learning off, and keeps them. Not a page
// of the piece is touched. Other C libraries take no notice.
void KeepFreedMemory() {
  void* volatile piece = std::malloc(size_t{4} << 20);  // volatile: or the compiler leaves out both calls
  std::free(piece);
}

}  // namespace pillion
