// What the C library does with memory that JavaScript's collector frees.
#pragma once

namespace pillion {

// Lets the C library keep up to 8 MiB of it, instead of some 512 KiB, for what is allocated next.
void KeepFreedMemory();

}  // namespace pillion
