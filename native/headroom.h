// Headroom: whether the process's descriptor table has room for what the next recvmsg may bring.
//
// A full table makes recvmsg lose descriptors without an error (docs/kernel.md fact 9), so a receiver asks first.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pillion {

class Headroom {
 public:
  // Whether `wanted` more descriptors fit, or a quarter of the table if that is less. True as well when the kernel does not say how many are open (no /proc, or
  // older than Linux 6.2): a loss is then reported, not avoided.
  bool Has(size_t wanted);
  void Took(size_t count);
  // How many times `wanted` fit, as far as `Has` has found just now.
  size_t Times(size_t wanted) const { return free_ / wanted; }

 private:
  void Look();

  // With this many free, the count is believed for one tick of the coarse clock (1 to 4 ms), in which nobody can open
  // as many: an fstat for each wake-up would cost a fifth of a small round trip.
  static constexpr size_t kPlenty = 8192;

  size_t free_ = 0;
  size_t quarter_ = 0;
  int64_t looked_at_ = -1;
};

}  // namespace pillion
