// A datagram with descriptors to whoever is bound to an address: no connection, no answer.
#include <sys/socket.h>

#include <array>

#include "call_values.h"
#include "control_message.h"
#include "socket_address.h"
#include "system_calls.h"

namespace pillion {

namespace {

Napi::Value SendDatagram(const Napi::CallbackInfo& info) {
  SocketAddress address(info[0]);
  auto bytes = info[1].As<Napi::Uint8Array>();
  const auto descriptors = info[2].As<Napi::Array>();
  const uint32_t count = descriptors.Length();
  if (!address.valid || count > kMaxDescriptorsPerMessage) return NumberResult(info, -EINVAL);
  std::array<int32_t, kMaxDescriptorsPerMessage> fds;
  for (uint32_t i = 0; i < count; ++i) fds[i] = descriptors.Get(i).As<Napi::Number>().Int32Value();

  iovec content{bytes.Data(), bytes.ByteLength()};
  msghdr message{};
  message.msg_name = &address.storage;
  message.msg_namelen = address.length;
  message.msg_iov = &content;
  message.msg_iovlen = 1;
  SendControl control;
  if (count > 0) AttachDescriptors(&message, control.bytes, fds.data(), count);
  const Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.IsOpen()) return ErrnoResult(info);
  return StatusResult(info, ::sendmsg(fd.Get(), &message, MSG_NOSIGNAL) < 0 ? -1 : 0);
}

}  // namespace

void InitDatagrams(Napi::Env env, Napi::Object exports) { Export<SendDatagram>(env, exports, "sendDatagram"); }

}  // namespace pillion
