#include "memory_map.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "bytes_of.h"

namespace pillion {

// Whether this thread may map it. Node frees external memory when the thread that made it ends, whoever has it by then: a byte
// stream or ArrayBuffer.prototype.transfer take it out of its mark, and a worker may post it to a thread that lives longer.
// No thread outlives the main one, whose id is the process's. Huge pages are scarce: to touch a mapping of them where there
// are none left is a SIGBUS.
static bool MayMap(int fd) {
  struct statfs system {};
  return ::gettid() == ::getpid() && ::fstatfs(fd, &system) == 0 && system.f_type != HUGETLBFS_MAGIC;
}

// checkMemfd(fd, length) → 1: may be mapped; 0: is to be read; or a negative errno. -EPERM: not sealed against shrinking and
// writing; -EINVAL: no memfd that can be read, or shorter than `length`. Seals are for good, so what is checked stays true.
static Napi::Value CheckMemfd(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int fd = info[0].As<Napi::Number>().Int32Value();
  const auto length = static_cast<uint64_t>(info[1].As<Napi::Number>().Int64Value());
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return Napi::Number::New(env, -errno);
  if ((flags & O_PATH) != 0 || (flags & O_ACCMODE) == O_WRONLY) return Napi::Number::New(env, -EINVAL);
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0) return Napi::Number::New(env, -errno);
  if ((seals & F_SEAL_SHRINK) == 0 || (seals & F_SEAL_WRITE) == 0) return Napi::Number::New(env, -EPERM);
  struct stat file {};
  if (::fstat(fd, &file) != 0) return Napi::Number::New(env, -errno);
  if (static_cast<uint64_t>(file.st_size) < length) return Napi::Number::New(env, -EINVAL);
  return Napi::Number::New(env, MayMap(fd) ? 1 : 0);
}

// mapMemfd(fd, length) → ArrayBuffer, or a negative errno; of a memfd that was checked. A private mapping: what JavaScript
// writes there stays in this process, and a peer that shrinks the file would end it by SIGBUS, hence the seal.
static Napi::Value MapMemfd(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int fd = info[0].As<Napi::Number>().Int32Value();
  const auto length = static_cast<size_t>(info[1].As<Napi::Number>().Int64Value());
  if (length == 0) return Napi::ArrayBuffer::New(env, 0);
  void* memory = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  if (memory == MAP_FAILED) return Napi::Number::New(env, -errno);
  napi_value buffer = nullptr;
  const napi_status status = napi_create_external_arraybuffer(
      env, memory, length, [](napi_env, void* data, void* hint) { ::munmap(data, reinterpret_cast<size_t>(hint)); },
      reinterpret_cast<void*>(length), &buffer);
  if (status == napi_ok) return Napi::Value(env, buffer);
  // A generic failure comes from behind the place where Node took the memory over, and unmaps it itself.
  if (status != napi_generic_failure) ::munmap(memory, length);
  return Napi::Number::New(env, -ENOTSUP);
}

// readMemfd(fd, memory) → 0 or a negative errno. Fills the memory with the file's beginning.
static Napi::Value ReadMemfd(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int fd = info[0].As<Napi::Number>().Int32Value();
  size_t length = 0;
  uint8_t* memory = BytesOf(env, info[1], &length);
  for (size_t done = 0; done < length;) {
    const ssize_t count = ::pread(fd, memory + done, length - done, static_cast<off_t>(done));
    if (count > 0) {
      done += static_cast<size_t>(count);
    } else if (count == 0) {
      return Napi::Number::New(env, -EINVAL);
    } else if (errno != EINTR) {
      return Napi::Number::New(env, -errno);
    }
  }
  return Napi::Number::New(env, 0);
}

void InitMemoryMap(Napi::Env env, Napi::Object exports) {
  exports.Set("checkMemfd", Napi::Function::New(env, CheckMemfd, "checkMemfd"));
  exports.Set("mapMemfd", Napi::Function::New(env, MapMemfd, "mapMemfd"));
  exports.Set("readMemfd", Napi::Function::New(env, ReadMemfd, "readMemfd"));
}

}  // namespace pillion
