// SlabPool: memory that sockets receive into, and that comes back once nobody refers to what was received. It is kept for
// the next slabs: fresh memory faults in page by page, and a fault can cost more than what is received into its page.
#pragma once

#include <napi.h>

#include <cstddef>
#include <memory>
#include <vector>

namespace pillion {

class SlabPool : public std::enable_shared_from_this<SlabPool> {
 public:
  static constexpr size_t kSlabBytes = 256 * 1024;
  static constexpr size_t kMostFree = 64;  // 16 MiB; between two collections some 30 come back

  static void Init(Napi::Env env, Napi::Object exports);

  SlabPool() = default;
  ~SlabPool();
  SlabPool(const SlabPool&) = delete;
  SlabPool& operator=(const SlabPool&) = delete;

  // An ArrayBuffer of kSlabBytes, of whatever content; null where memory cannot be lent to JavaScript, or there is none.
  napi_value Take(napi_env env);
  // Gives back to the system what has not been needed since the last time. False: nothing is kept any more before the next
  // Take, so that it need not be called again before.
  bool Trim();

 private:
  void Give(void* slab);

  std::vector<void*> free_;
  size_t least_free_ = 0;  // since the last Trim
  bool taken_ = false;     // since the last Trim
  bool keeps_ = false;
};

}  // namespace pillion
