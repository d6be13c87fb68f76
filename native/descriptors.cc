// Ownership of descriptors, what they are, and memfds.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <string>

#include "bytes_of.h"
#include "call_values.h"
#include "closing.h"
#include "system_calls.h"

// Linux 6.3; older C libraries lack it.
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

// Linux 6.16; older C libraries lack it.
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

// Linux 6.5.
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif

namespace pillion {

namespace {

Napi::Value Own(const Napi::CallbackInfo& info) {
  const int fd = IntArgument(info, 0);
  if (::fcntl(fd, F_GETFD) < 0) return ErrnoResult(info);
  Ledger& ledger = Environment::Of(info.Env()).ledger();
  const bool owned = ledger.Remove(fd);
  ledger.Add(fd);
  return NumberResult(info, owned ? -EEXIST : 0);
}

Napi::Value Disown(const Napi::CallbackInfo& info) {
  return NumberResult(info, Environment::Of(info.Env()).ledger().Remove(IntArgument(info, 0)) ? 0 : -EBADF);
}

Napi::Value CloseFd(const Napi::CallbackInfo& info) {
  const int fd = IntArgument(info, 0);
  if (!Environment::Of(info.Env()).ledger().Remove(fd)) return NumberResult(info, -EBADF);
  return StatusResult(info, ::close(fd));
}

// closeFds(numbers: Int32Array, count)
Napi::Value CloseFds(const Napi::CallbackInfo& info) {
  size_t length = 0;
  const uint8_t* bytes = BytesOf(info.Env(), info[0], &length);
  const size_t count = std::min(static_cast<size_t>(IntArgument(info, 1)), length);
  Ledger& ledger = Environment::Of(info.Env()).ledger();
  Closing closing;
  for (size_t i = 0; i < count; ++i) {
    int fd = -1;
    std::memcpy(&fd, bytes + i * sizeof fd, sizeof fd);
    if (ledger.Remove(fd)) closing.Add(fd);
  }
  return info.Env().Undefined();
}

Napi::Value Dup(const Napi::CallbackInfo& info) {
  Fd copy = Fd::Duplicate(IntArgument(info, 0));
  return copy.IsOpen() ? OwnedResult(info, std::move(copy)) : ErrnoResult(info);
}

Napi::Value LedgerCount(const Napi::CallbackInfo& info) {
  return NumberResult(info, static_cast<int64_t>(Environment::Of(info.Env()).ledger().Count()));
}

// claimWarning(kind): the environments of a process (its worker threads) share the addon, and therefore this.
Napi::Value ClaimWarning(const Napi::CallbackInfo& info) {
  static std::atomic<uint32_t> claimed{0};
  const uint32_t bit = uint32_t{1} << (static_cast<uint32_t>(IntArgument(info, 0)) % 32);
  return Napi::Boolean::New(info.Env(), (claimed.fetch_or(bit) & bit) == 0);
}

bool IsMemfd(int fd, const struct stat& status) {
  if (status.st_nlink != 0 || ::fcntl(fd, F_GET_SEALS) < 0) return false;
  char link[32];
  char target[16];
  static constexpr char kPrefix[] = "/memfd:";
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = ::readlink(link, target, sizeof target);
  return length >= ssize_t{sizeof kPrefix - 1} && std::memcmp(target, kPrefix, sizeof kPrefix - 1) == 0;
}

const char* KindOf(int fd, const struct stat& status) {
  switch (status.st_mode & S_IFMT) {
    case S_IFREG:
      return IsMemfd(fd, status) ? "memfd" : "file";
    case S_IFDIR:
      return "directory";
    case S_IFSOCK:
      return "socket";
    case S_IFIFO:
      return "pipe";
    case S_IFCHR:
      return "character";
    case S_IFBLK:
      return "block";
    default:
      return "other";
  }
}

Napi::Value DescriptorKind(const Napi::CallbackInfo& info) {
  const int fd = IntArgument(info, 0);
  struct stat status {};
  if (::fstat(fd, &status) < 0) return ErrnoResult(info);
  return Napi::String::New(info.Env(), KindOf(fd, status));
}

Fd CreateMemfd(const std::string& name) {
  // A kernel before 6.3 does not know the flag; one whose vm.memfd_noexec is 2 makes no memfd without it.
  Fd fd(::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL));
  if (fd.IsOpen() || errno != EINVAL) return fd;
  return Fd(::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
}

bool WriteAll(int fd, const uint8_t* bytes, size_t length) {
  while (length > 0) {
    const ssize_t written = ::write(fd, bytes, length);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes += written;
    length -= static_cast<size_t>(written);
  }
  return true;
}

Napi::Value Memfd(const Napi::CallbackInfo& info) {
  Fd fd = CreateMemfd(info[0].As<Napi::String>().Utf8Value());
  if (!fd.IsOpen()) return ErrnoResult(info);
  if (info[1].IsTypedArray()) {
    const auto content = info[1].As<Napi::Uint8Array>();
    if (!WriteAll(fd.Get(), content.Data(), content.ByteLength())) return ErrnoResult(info);
    if (::lseek(fd.Get(), 0, SEEK_SET) < 0) return ErrnoResult(info);
  } else if (::ftruncate(fd.Get(), info[1].As<Napi::Number>().Int64Value()) < 0) {
    return ErrnoResult(info);
  }
  const int seals = IntArgument(info, 2);
  if (seals != 0 && ::fcntl(fd.Get(), F_ADD_SEALS, seals) < 0) return ErrnoResult(info);
  return OwnedResult(info, std::move(fd));
}

Napi::Value Pipe(const Napi::CallbackInfo& info) {
  int numbers[2];
  if (::pipe2(numbers, O_CLOEXEC) < 0) return ErrnoResult(info);
  auto pipe = Napi::Array::New(info.Env(), 2);
  pipe.Set(uint32_t{0}, OwnedResult(info, Fd(numbers[0])));
  pipe.Set(uint32_t{1}, OwnedResult(info, Fd(numbers[1])));
  return pipe;
}

Napi::Value MemfdSeals(const Napi::CallbackInfo& info) {
  const int seals = ::fcntl(IntArgument(info, 0), F_GET_SEALS);
  return seals < 0 ? ErrnoResult(info) : NumberResult(info, seals);
}

Napi::Value SetCloseOnExec(const Napi::CallbackInfo& info) {
  const int fd = IntArgument(info, 0);
  const int flags = ::fcntl(fd, F_GETFD);
  return StatusResult(info, flags < 0 ? flags : ::fcntl(fd, F_SETFD, flags | FD_CLOEXEC));
}

Napi::Value SetNonBlocking(const Napi::CallbackInfo& info) {
  const int fd = IntArgument(info, 0);
  const int flags = ::fcntl(fd, F_GETFL);
  return StatusResult(info, flags < 0 ? flags : ::fcntl(fd, F_SETFL, flags | O_NONBLOCK));
}

Napi::Value SetSendBuffer(const Napi::CallbackInfo& info) {
  const int bytes = IntArgument(info, 1);
  return StatusResult(info, ::setsockopt(IntArgument(info, 0), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes));
}

Napi::Value SendBuffer(const Napi::CallbackInfo& info) {
  int bytes = 0;
  socklen_t length = sizeof bytes;
  const int result = ::getsockopt(IntArgument(info, 0), SOL_SOCKET, SO_SNDBUF, &bytes, &length);
  return result < 0 ? ErrnoResult(info) : NumberResult(info, bytes);
}

Napi::Value StampMessages(const Napi::CallbackInfo& info) {
  const int on = 1;
  return StatusResult(info, ::setsockopt(IntArgument(info, 0), SOL_SOCKET, SO_TIMESTAMP, &on, sizeof on));
}

Napi::Value RefuseRights(const Napi::CallbackInfo& info) {
  const int off = 0;
  for (const int option : {SO_PASSCRED, SO_PASSSEC, SO_PASSPIDFD}) {
    ::setsockopt(IntArgument(info, 0), SOL_SOCKET, option, &off, sizeof off);  // one that is not known is not on
  }
  return StatusResult(info, ::setsockopt(IntArgument(info, 0), SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof off));
}

}  // namespace

void InitDescriptors(Napi::Env env, Napi::Object exports) {
  Export<Own>(env, exports, "own");
  Export<Disown>(env, exports, "disown");
  Export<CloseFd>(env, exports, "closeFd");
  Export<CloseFds>(env, exports, "closeFds");
  Export<Dup>(env, exports, "dup");
  Export<LedgerCount>(env, exports, "ledgerCount");
  Export<ClaimWarning>(env, exports, "claimWarning");
  Export<DescriptorKind>(env, exports, "descriptorKind");
  Export<Memfd>(env, exports, "memfd");
  Export<Pipe>(env, exports, "pipe");
  Export<MemfdSeals>(env, exports, "memfdSeals");
  Export<SetCloseOnExec>(env, exports, "setCloseOnExec");
  Export<SetNonBlocking>(env, exports, "setNonBlocking");
  Export<SetSendBuffer>(env, exports, "setSendBuffer");
  Export<SendBuffer>(env, exports, "sendBuffer");
  Export<StampMessages>(env, exports, "stampMessages");
  Export<RefuseRights>(env, exports, "refuseRights");
}

}  // namespace pillion
