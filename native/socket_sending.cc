// Sending what a plan lays out: the pieces and descriptors of one sendmsg, or of several in one sendmmsg.
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "bytes_of.h"
#include "closing.h"
#include "control_message.h"
#include "socket.h"

namespace pillion {

namespace {

constexpr size_t kMostMessages = 64;  // of one sendmmsg
constexpr size_t kMostPieces = 256;

}  // namespace

// send(messages, chunks). The plan's rows, one a message: pieces, descriptors, whether to close them once they are sent;
// then for each piece its chunk's index, start and length; then the descriptors.
Napi::Value Socket::Send(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const size_t count = info[0].As<Napi::Number>().Uint32Value();
  const napi_value chunks = info[1];
  const bool single = info[1].IsTypedArray();
  int32_t* control = environment_->control();
  control[kSentMessages] = 0;
  control[kSendError] = 0;

  std::array<mmsghdr, kMostMessages> messages;
  std::array<iovec, kMostPieces> pieces;
  SendControl control_messages;
  size_t built = 0;
  size_t used_pieces = 0;
  size_t used_control = 0;
  size_t chunk_index = SIZE_MAX;
  uint8_t* chunk_data = nullptr;
  size_t chunk_length = 0;
  const int32_t* row = environment_->plan();

  if (!fd_.IsOpen()) {
    control[kSendError] = -EBADF;
    return Napi::Number::New(env, 0);
  }
  for (; built < count && built < kMostMessages; ++built) {
    const auto piece_count = static_cast<size_t>(row[0]);
    const auto fd_count = static_cast<size_t>(row[1]);
    if (used_pieces + piece_count > kMostPieces || used_control + SpaceFor(fd_count) > sizeof(control_messages)) break;
    msghdr& message = messages[built].msg_hdr;
    message = msghdr{};
    message.msg_iov = &pieces[used_pieces];
    message.msg_iovlen = piece_count;
    const int32_t* piece = row + 3;
    for (size_t i = 0; i < piece_count; ++i, piece += 3) {
      const auto index = static_cast<size_t>(piece[0]);
      if (index != chunk_index) {
        napi_value chunk = chunks;
        if (!single) napi_get_element(env, chunks, static_cast<uint32_t>(index), &chunk);
        chunk_data = BytesOf(env, chunk, &chunk_length);
        chunk_index = index;
      }
      const auto start = static_cast<size_t>(piece[1]);
      const auto length = static_cast<size_t>(piece[2]);
      // The memory may have been detached or shrunk since it was queued.
      if (start > chunk_length || length > chunk_length - start) {
        control[kSendError] = -EFAULT;
        return Napi::Number::New(env, 0);
      }
      pieces[used_pieces++] = iovec{chunk_data + start, length};
    }
    if (fd_count > 0) {
      AttachDescriptors(&message, control_messages.bytes + used_control, piece, fd_count);
      used_control += SpaceFor(fd_count);
    }
    row = piece + fd_count;
  }

  // MSG_DONTWAIT, since O_NONBLOCK belongs to the open file, and whoever shares that may have cleared it (fact 14).
  int sent = 0;
  do {
    if (built == 1) {
      const ssize_t bytes = ::sendmsg(fd_.Get(), &messages[0].msg_hdr, MSG_DONTWAIT | MSG_NOSIGNAL);
      messages[0].msg_len = bytes < 0 ? 0 : static_cast<unsigned>(bytes);
      sent = bytes < 0 ? -1 : 1;
    } else {
      sent = ::sendmmsg(fd_.Get(), messages.data(), static_cast<unsigned>(built), MSG_DONTWAIT | MSG_NOSIGNAL);
    }
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    control[kSendError] = -errno;
    if (errno == EAGAIN) readiness_->Exhausted(UV_WRITABLE);
    return Napi::Number::New(env, 0);
  }

  double bytes = 0;
  Closing closing;
  row = environment_->plan();
  for (int i = 0; i < sent; ++i) {
    bytes += messages[static_cast<size_t>(i)].msg_len;
    const int32_t* fds = row + 3 + 3 * row[0];
    // A message that was begun has handed over its whole set, however few of its bytes went (fact 12).
    for (int32_t k = 0; row[2] != 0 && k < row[1]; ++k) {
      if (environment_->ledger().Remove(fds[k])) closing.Add(fds[k]);
    }
    row = fds + row[1];
  }
  control[kSentMessages] = sent;
  return Napi::Number::New(env, bytes);
}

// The hot path: bytes that all lie in one piece and bear nothing, bytes[start, start + length). Returns how many went, or
// a negative errno. Nothing is laid out in the plan, and send(2) is asked, which has no message header to copy.
Napi::Value Socket::SendRun(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  size_t room = 0;
  const uint8_t* bytes = BytesOf(env, info[0], &room);
  const auto start = static_cast<size_t>(info[1].As<Napi::Number>().Uint32Value());
  const auto length = static_cast<size_t>(info[2].As<Napi::Number>().Uint32Value());
  // The memory may have been detached or shrunk since it was queued.
  if (start > room || length > room - start) return Napi::Number::New(env, -EFAULT);
  ssize_t sent = 0;
  do {
    sent = ::send(fd_.Get(), bytes + start, length, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return Napi::Number::New(env, static_cast<double>(sent));
  const int error = -errno;
  if (error == -EAGAIN && readiness_) readiness_->Exhausted(UV_WRITABLE);
  return Napi::Number::New(env, error);
}

}  // namespace pillion
