#include "memory_map.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>

namespace pillion {

// mapMemfd(fd, length) → ArrayBuffer, or a negative errno. -EPERM: not sealed against shrinking; -EINVAL: shorter than
// `length`. A private mapping: what JavaScript writes there stays in this process, and a peer that shrinks the file
// would end it by SIGBUS, hence the seal.
static Napi::Value MapMemfd(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int fd = info[0].As<Napi::Number>().Int32Value();
  const auto length = static_cast<size_t>(info[1].As<Napi::Number>().Int64Value());
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0) return Napi::Number::New(env, -errno);
  if ((seals & F_SEAL_SHRINK) == 0 || (seals & F_SEAL_WRITE) == 0) return Napi::Number::New(env, -EPERM);
  struct stat file {};
  if (::fstat(fd, &file) != 0) return Napi::Number::New(env, -errno);
  if (static_cast<uint64_t>(file.st_size) < length) return Napi::Number::New(env, -EINVAL);
  if (length == 0) return Napi::ArrayBuffer::New(env, 0);
  void* memory = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  if (memory == MAP_FAILED) return Napi::Number::New(env, -errno);
  napi_value buffer = nullptr;
  const napi_status status = napi_create_external_arraybuffer(
      env, memory, length, [](napi_env, void* data, void* hint) { ::munmap(data, reinterpret_cast<size_t>(hint)); },
      reinterpret_cast<void*>(length), &buffer);
  if (status != napi_ok) {
    ::munmap(memory, length);
    return Napi::Number::New(env, -ENOTSUP);
  }
  return Napi::Value(env, buffer);
}

void InitMemoryMap(Napi::Env env, Napi::Object exports) {
  exports.Set("mapMemfd", Napi::Function::New(env, MapMemfd, "mapMemfd"));
}

}  // namespace pillion
