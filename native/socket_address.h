// Where a Unix socket is, as the kernel takes it.
#pragma once

#include <napi.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

namespace pillion {

// The bytes of sun_path: a path, or a NUL and an abstract name.
struct SocketAddress {
  explicit SocketAddress(const Napi::Value& value) {
    const auto bytes = value.As<Napi::Uint8Array>();
    const size_t size = bytes.ByteLength();
    // Without a byte the kernel would choose a name, and one byte less than the field leaves a path its NUL.
    valid = size > 0 && size <= sizeof storage.sun_path - 1 + (bytes.Data()[0] == 0 ? 1 : 0);
    if (!valid) return;
    std::memcpy(storage.sun_path, bytes.Data(), size);
    is_path = storage.sun_path[0] != 0;
    // Every byte of an abstract name counts; a path ends at its NUL.
    length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size + (is_path ? 1 : 0));
  }

  const sockaddr* Get() const { return reinterpret_cast<const sockaddr*>(&storage); }

  sockaddr_un storage{AF_UNIX, {}};
  socklen_t length = 0;
  bool valid = false;
  bool is_path = false;
};

}  // namespace pillion
