// The files that sockets are bound to: which file a path names at this moment, its mode, its removal, and the lock by
// which those who replace a stale one keep out of each other's way.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "call_values.h"
#include "system_calls.h"

namespace pillion {

namespace {

std::string PathArgument(const Napi::CallbackInfo& info, size_t index) {
  return info[index].As<Napi::String>().Utf8Value();
}

uint64_t BigArgument(const Napi::CallbackInfo& info, size_t index) {
  bool lossless = false;
  return info[index].As<Napi::BigInt>().Uint64Value(&lossless);
}

Napi::Value LockDirectory(const Napi::CallbackInfo& info) {
  Fd fd(::open(PathArgument(info, 0).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.IsOpen() || ::flock(fd.Get(), LOCK_EX | LOCK_NB) < 0) return ErrnoResult(info);
  return OwnedResult(info, std::move(fd));
}

// A child between fork and exec has the lock as well, so closing alone would not give it back.
Napi::Value UnlockDirectory(const Napi::CallbackInfo& info) {
  const int fd = IntArgument(info, 0);
  if (!Environment::Of(info.Env()).ledger().Remove(fd)) return NumberResult(info, -EBADF);
  const Fd closing(fd);
  return StatusResult(info, ::flock(fd, LOCK_UN));
}

// An inode that is open is not given to another file, so what is pinned can be compared by its number.
Napi::Value PinPath(const Napi::CallbackInfo& info) {
  Fd fd(::open(PathArgument(info, 0).c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  return fd.IsOpen() ? OwnedResult(info, std::move(fd)) : ErrnoResult(info);
}

Napi::Value FileIdentity(const Napi::CallbackInfo& info) {
  struct stat status {};
  const int result = info[0].IsNumber() ? ::fstat(IntArgument(info, 0), &status)
                                        : ::lstat(PathArgument(info, 0).c_str(), &status);
  if (result < 0) return ErrnoResult(info);
  auto identity = Napi::Object::New(info.Env());
  identity.Set("dev", Napi::BigInt::New(info.Env(), uint64_t{status.st_dev}));
  identity.Set("ino", Napi::BigInt::New(info.Env(), uint64_t{status.st_ino}));
  identity.Set("mode", static_cast<double>(status.st_mode & 07777));
  identity.Set("isSocket", S_ISSOCK(status.st_mode));
  return identity;
}

// O_PATH descriptors have no fchmod; their link in /proc leads to the very file, whatever its path names by now.
Napi::Value ChangePinnedMode(const Napi::CallbackInfo& info) {
  char link[32];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", IntArgument(info, 0));
  return StatusResult(info, ::chmod(link, static_cast<mode_t>(IntArgument(info, 1))));
}

// No call removes a file only if it is the one meant; looking and removing right after each other comes nearest.
Napi::Value UnlinkIdentical(const Napi::CallbackInfo& info) {
  const std::string path = PathArgument(info, 0);
  const uint64_t device = BigArgument(info, 1);
  const uint64_t inode = BigArgument(info, 2);
  struct stat status {};
  if (::lstat(path.c_str(), &status) < 0) return ErrnoResult(info);
  if (status.st_dev != device || status.st_ino != inode) return NumberResult(info, -ESTALE);
  return StatusResult(info, ::unlink(path.c_str()));
}

}  // namespace

void InitSocketFiles(Napi::Env env, Napi::Object exports) {
  Export<LockDirectory>(env, exports, "lockDirectory");
  Export<UnlockDirectory>(env, exports, "unlockDirectory");
  Export<PinPath>(env, exports, "pinPath");
  Export<FileIdentity>(env, exports, "fileIdentity");
  Export<ChangePinnedMode>(env, exports, "changePinnedMode");
  Export<UnlinkIdentical>(env, exports, "unlinkIdentical");
}

}  // namespace pillion
