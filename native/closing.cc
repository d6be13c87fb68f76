#include "closing.h"

#include <sys/syscall.h>
#include <unistd.h>

// Linux 5.9; older C libraries lack it.
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

namespace pillion {

void Closing::Add(int fd) {
  if (first_ < end_ && fd == end_) {
    ++end_;
    return;
  }
  CloseRun();
  first_ = fd;
  end_ = fd + 1;
}

void Closing::CloseRun() {
  const int first = first_;
  const int end = end_;
  first_ = end_ = 0;
  // An older kernel has no such call, and a sandbox may not allow it: then nothing was closed.
  if (end - first > 1 && ::syscall(SYS_close_range, first, end - 1, 0) == 0) return;
  for (int fd = first; fd < end; ++fd) ::close(fd);
}

}  // namespace pillion
