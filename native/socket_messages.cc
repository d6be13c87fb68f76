// Receiving from a socket whose kernel keeps the boundaries (SOCK_SEQPACKET, SOCK_DGRAM): a message a recvmsg, a row a
// message, several a wake-up in one slab.
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "bytes_of.h"
#include "control_message.h"
#include "receiving.h"
#include "socket.h"

namespace pillion {

namespace {

// Room for the time stamp that tells a message from the end of the stream (docs/kernel.md fact 18), and for nothing
// behind it: it comes first, and descriptors that nobody wants find no place.
constexpr size_t kStampSpace = CMSG_SPACE(sizeof(timeval));

bool IsOn(int fd, int option) {
  int on = 0;
  socklen_t length = sizeof on;
  return ::getsockopt(fd, SOL_SOCKET, option, &on, &length) == 0 && on != 0;
}

// Whether the peer sends no more, so that an end is to be expected.
bool HasEnded(int fd) {
  pollfd state{fd, POLLRDHUP, 0};
  return ::poll(&state, 1, 0) > 0 && (state.revents & (POLLRDHUP | POLLHUP)) != 0;
}

}  // namespace

// A message that does not fit into the slab goes on in the lent memory, which is as long as a message may be, and is
// then the last of this call. Nothing is ever presented again.
Socket::Filled Socket::FillMessages(napi_value slab_value) {
  Filled filled;
  int32_t* control = environment_->control();
  size_t length = 0;
  uint8_t* slab = BytesOf(Env(), slab_value, &length);
  const auto cursor = std::min(static_cast<size_t>(control[kSlabCursor]), length);
  control[kLent] = control[kSets] = control[kConsumed] = 0;
  control[kStart] = control[kEnd] = AsInt(cursor);
  if (length - cursor < kLeastRoom) {
    control[kStatus] = kNoRoom;
    filled.anything = true;
    return filled;
  }
  size_t most = 0;
  uint8_t* spill = lent_.IsEmpty() ? nullptr : BytesOf(Env(), lent_.Value(), &most);

  int32_t* row = environment_->received();
  const int32_t* const rows_end = row + Environment::kReceivedInts;
  size_t end = cursor;
  size_t spilled = 0;
  size_t messages = 0;
  int32_t status = kMore;

  while (spilled == 0 && length - end >= kLeastRoom && static_cast<size_t>(rows_end - row) >= kMostRowInts) {
    if (headroom_ > 0 && !environment_->headroom().Has(headroom_) && NextBears()) {
      status = kPressure;
      break;
    }
    ReceiveControl ancillary;
    const size_t in_slab = std::min(length - end, most);
    std::array<iovec, 2> into{iovec{slab + end, in_slab}, iovec{spill, most - in_slab}};
    msghdr message{};
    message.msg_iov = into.data();
    message.msg_iovlen = into.size();
    message.msg_control = ancillary.bytes;
    message.msg_controllen = accepts_descriptors_ ? sizeof(ancillary.bytes) : kStampSpace;
    const ssize_t got = ::recvmsg(fd_.Get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_TRUNC);
    ++receive_calls_;
    if (got < 0) {
      if (errno == EINTR) continue;
      // It overtakes the messages that came before it (fact 21): it is told behind them.
      if (errno == ECONNRESET && !std::exchange(reset_, true)) continue;
      filled.drained = true;
      status = errno == EAGAIN ? AfterLast(kMore) : -errno;
      if (errno == EAGAIN) readiness_->Exhausted(UV_READABLE);
      break;
    }
    if (got == 0 && message.msg_controllen == 0) {
      const Unstamped came = WhatCame();
      if (came != Unstamped::kMessage) {
        filled.drained = true;
        status = AfterLast(came == Unstamped::kEnd ? kEndOfFile : kUnstamped);
        break;
      }
    }
    size_t count = TakeDescriptors(&message, row + kMessageRowInts);
    if (!accepts_descriptors_ && count > 0) {
      // Without the time stamp they found its place.
      for (size_t i = 0; i < count; ++i) ::close(row[kMessageRowInts + i]);
      count = 0;
      message.msg_flags |= MSG_CTRUNC;
    }
    const auto bytes = static_cast<size_t>(got);
    const size_t kept = std::min(bytes, most);
    end += std::min(kept, in_slab);
    spilled = kept - std::min(kept, in_slab);
    row[0] = AsInt(end - cursor + spilled);
    row[1] = (message.msg_flags & MSG_CTRUNC) != 0 ? 1 : 0;
    row[2] = AsInt(count);
    row[3] = AsInt(bytes);
    for (size_t i = 0; i < count; ++i) environment_->ledger().Add(row[kMessageRowInts + i]);
    environment_->headroom().Took(count);
    row += kMessageRowInts + count;
    ++messages;
  }

  filled.bytes = end - cursor + spilled;
  filled.anything = messages > 0 || status != kMore;
  control[kLent] = AsInt(spilled);
  control[kEnd] = AsInt(end);
  control[kSets] = AsInt(messages);
  control[kConsumed] = AsInt(end - cursor);
  control[kStatus] = status;
  if (filled.anything) control[kReceiveCalls] = std::exchange(receive_calls_, 0);
  return filled;
}

// What came without bytes or a stamp: the end, unless whoever shares the socket has switched the stamps off. Then they are
// switched on again, and it was a message if the peer has not ended, or if another one follows: none follows the end.
Socket::Unstamped Socket::WhatCame() {
  if (IsOn(fd_.Get(), SO_TIMESTAMP) || IsOn(fd_.Get(), SO_TIMESTAMPNS)) return Unstamped::kEnd;
  const int on = 1;
  ::setsockopt(fd_.Get(), SOL_SOCKET, SO_TIMESTAMP, &on, sizeof on);
  if (!HasEnded(fd_.Get())) return Unstamped::kMessage;
  for (;;) {
    alignas(cmsghdr) unsigned char stamp[kStampSpace];
    char byte = 0;
    iovec into{&byte, 1};
    msghdr next{};
    next.msg_iov = &into;
    next.msg_iovlen = 1;
    next.msg_control = stamp;
    next.msg_controllen = sizeof(stamp);
    const ssize_t got = ::recvmsg(fd_.Get(), &next, MSG_DONTWAIT | MSG_PEEK | MSG_CMSG_CLOEXEC);
    if (got > 0 || (got == 0 && next.msg_controllen > 0)) return Unstamped::kMessage;
    if (got < 0 && errno == ECONNRESET) {
      reset_ = true;
    } else if (got == 0 || errno != EINTR) {
      return Unstamped::kUnknown;
    }
  }
}

// Whether the next message brings descriptors. A look with room for the time stamp alone is told of them by MSG_CTRUNC,
// and installs none (fact 23; some, if whoever shares the socket has switched the stamp off: they are closed).
bool Socket::NextBears() {
  alignas(cmsghdr) unsigned char stamp[kStampSpace];
  std::array<int32_t, kMaxDescriptorsPerMessage + 1> installed;
  for (;;) {
    msghdr message{};
    message.msg_control = stamp;
    message.msg_controllen = sizeof(stamp);
    if (::recvmsg(fd_.Get(), &message, MSG_DONTWAIT | MSG_PEEK | MSG_CMSG_CLOEXEC) >= 0) {
      const size_t count = TakeDescriptors(&message, installed.data());
      for (size_t i = 0; i < count; ++i) ::close(installed[i]);
      return count > 0 || (message.msg_flags & MSG_CTRUNC) != 0;
    }
    if (errno == ECONNRESET) {
      reset_ = true;  // it is said once, and this was it
    } else if (errno != EINTR) {
      return false;  // whatever it is, the receive that follows is told as well
    }
  }
}

// What to say where nothing more comes at present, or for ever.
int32_t Socket::AfterLast(int32_t status) { return std::exchange(reset_, false) ? -ECONNRESET : status; }

}  // namespace pillion
