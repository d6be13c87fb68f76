// Unix sockets before any byte flows: made, bound, listening, accepted, connected, looked at.
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

#include "call_values.h"
#include "socket_address.h"
#include "system_calls.h"

namespace pillion {

namespace {

constexpr int kFlags = SOCK_CLOEXEC | SOCK_NONBLOCK;

// What a caller that names no type means.
int TypeArgument(const Napi::CallbackInfo& info, size_t index) {
  return info[index].IsUndefined() ? SOCK_STREAM : IntArgument(info, index);
}

Napi::Value SocketPair(const Napi::CallbackInfo& info) {
  int numbers[2];
  if (::socketpair(AF_UNIX, IntArgument(info, 0) | kFlags, 0, numbers) < 0) return ErrnoResult(info);
  auto pair = Napi::Array::New(info.Env(), 2);
  pair.Set(uint32_t{0}, OwnedResult(info, Fd(numbers[0])));
  pair.Set(uint32_t{1}, OwnedResult(info, Fd(numbers[1])));
  return pair;
}

Napi::Value ConnectSocket(const Napi::CallbackInfo& info) {
  const SocketAddress address(info[0]);
  if (!address.valid) return NumberResult(info, -EINVAL);
  Fd fd(::socket(AF_UNIX, TypeArgument(info, 1) | kFlags, 0));
  if (!fd.IsOpen()) return ErrnoResult(info);
  if (::connect(fd.Get(), address.Get(), address.length) < 0) return ErrnoResult(info);
  return OwnedResult(info, std::move(fd));
}

// A datagram socket cannot connect to a stream socket: EPROTOTYPE says that somebody is there, before listen() too, and
// the one who is there sees nothing of it. ECONNREFUSED: a file that no socket is bound to.
Napi::Value ProbeSocket(const Napi::CallbackInfo& info) {
  const SocketAddress address(info[0]);
  if (!address.valid) return NumberResult(info, -EINVAL);
  Fd fd(::socket(AF_UNIX, SOCK_DGRAM | kFlags, 0));
  if (!fd.IsOpen()) return ErrnoResult(info);
  return StatusResult(info, ::connect(fd.Get(), address.Get(), address.length));
}

Napi::Value BindSocket(const Napi::CallbackInfo& info) {
  const SocketAddress address(info[0]);
  if (!address.valid) return NumberResult(info, -EINVAL);
  Fd fd(::socket(AF_UNIX, TypeArgument(info, 2) | kFlags, 0));
  if (!fd.IsOpen()) return ErrnoResult(info);
  // The file is made with the mode of the socket itself, less the umask: set first, it is never more open than this.
  if (address.is_path && ::fchmod(fd.Get(), static_cast<mode_t>(IntArgument(info, 1))) < 0) return ErrnoResult(info);
  if (::bind(fd.Get(), address.Get(), address.length) < 0) return ErrnoResult(info);
  return OwnedResult(info, std::move(fd));
}

Napi::Value ListenSocket(const Napi::CallbackInfo& info) {
  return StatusResult(info, ::listen(IntArgument(info, 0), IntArgument(info, 1)));
}

Napi::Value AcceptSocket(const Napi::CallbackInfo& info) {
  Fd fd;
  do {
    fd = Fd(::accept4(IntArgument(info, 0), nullptr, nullptr, kFlags));
  } while (!fd.IsOpen() && errno == EINTR);
  return fd.IsOpen() ? OwnedResult(info, std::move(fd)) : ErrnoResult(info);
}

Napi::Value IsShutDown(const Napi::CallbackInfo& info) {
  pollfd state{IntArgument(info, 0), POLLRDHUP, 0};
  return Napi::Boolean::New(info.Env(), ::poll(&state, 1, 0) == 1);
}

int SocketOption(int fd, int name, int* value) {
  socklen_t length = sizeof *value;
  return ::getsockopt(fd, SOL_SOCKET, name, value, &length);
}

Napi::Value NameOf(const Napi::CallbackInfo& info, const sockaddr_un& address, socklen_t length) {
  size_t size = length > offsetof(sockaddr_un, sun_path) ? length - offsetof(sockaddr_un, sun_path) : 0;
  if (size > 0 && address.sun_path[0] != 0) size = ::strnlen(address.sun_path, size);
  auto name = Napi::Uint8Array::New(info.Env(), size);
  // Not made, when the thread is being terminated.
  if (size > 0 && name.Data() != nullptr) std::memcpy(name.Data(), address.sun_path, size);
  return name;
}

Napi::Value SocketState(const Napi::CallbackInfo& info) {
  const int fd = IntArgument(info, 0);
  int domain = 0;
  int type = 0;
  int listening = 0;
  if (SocketOption(fd, SO_DOMAIN, &domain) < 0 || SocketOption(fd, SO_TYPE, &type) < 0 ||
      SocketOption(fd, SO_ACCEPTCONN, &listening) < 0) {
    return ErrnoResult(info);
  }
  sockaddr_un address{};
  socklen_t length = sizeof address;
  const bool connected = ::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  const Napi::Value peer_name = NameOf(info, address, connected && domain == AF_UNIX ? length : 0);
  address = {};
  length = sizeof address;
  if (domain != AF_UNIX || ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) < 0) length = 0;

  auto state = Napi::Object::New(info.Env());
  state.Set("domain", domain);
  state.Set("type", type);
  state.Set("listening", listening != 0);
  state.Set("connected", connected);
  state.Set("name", NameOf(info, address, length));
  state.Set("peerName", peer_name);
  return state;
}

}  // namespace

void InitListening(Napi::Env env, Napi::Object exports) {
  Export<SocketPair>(env, exports, "socketPair");
  Export<ConnectSocket>(env, exports, "connectSocket");
  Export<ProbeSocket>(env, exports, "probeSocket");
  Export<BindSocket>(env, exports, "bindSocket");
  Export<ListenSocket>(env, exports, "listenSocket");
  Export<AcceptSocket>(env, exports, "acceptSocket");
  Export<IsShutDown>(env, exports, "isShutDown");
  Export<SocketState>(env, exports, "socketState");
}

}  // namespace pillion
