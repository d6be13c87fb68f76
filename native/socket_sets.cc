// Receiving where frame upon frame has descriptors. A recvmsg returns one set at most, so each takes a call; recvmmsg makes
// several of them by one system call, whose entry costs more than the receiving does.
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "control_message.h"
#include "receiving.h"
#include "socket.h"

namespace pillion {

namespace {

constexpr size_t kMostAtOnce = 16;
// Longer frames gain nothing: what a call costs is little beside their bytes, which may have to be moved.
constexpr size_t kMostEach = 4096;

}  // namespace

// How many recvmsg of `each` bytes may be made at once: whatever they bring must find its place in `room` bytes of the
// slab, in the rows and in the descriptor table, or it would be lost.
size_t Socket::MostAtOnce(size_t each, size_t room, const Rows& rows) const {
  if (headroom_ == 0 || each > kMostEach || untold_error_ != 0) return 1;
  const size_t fit = std::min(room / each, environment_->headroom().Times(headroom_));
  return std::min({kMostAtOnce, rows.Room(), fit});
}

// As many recvmsg, of `each` bytes at most; the bytes lie in one piece in `into` afterwards. `position`: where they begin
// among those of the wake-up.
//
// Unlike a recvmsg, a recvmmsg says first, and then forgets, what error the socket has: of a reset before what came before it.
Socket::Several Socket::FillSeveral(uint8_t* into, size_t each, size_t most, size_t position, Rows* rows) {
  std::array<ReceiveControl, kMostAtOnce> ancillary;
  std::array<iovec, kMostAtOnce> pieces;
  std::array<mmsghdr, kMostAtOnce> messages{};
  for (size_t i = 0; i < most; ++i) {
    pieces[i] = iovec{into + i * each, each};
    msghdr& message = messages[i].msg_hdr;
    message.msg_iov = &pieces[i];
    message.msg_iovlen = 1;
    message.msg_control = ancillary[i].bytes;
    message.msg_controllen = sizeof(ancillary[i].bytes);
  }
  Several several;
  int made = 0;
  do {
    made = ::recvmmsg(fd_.Get(), messages.data(), static_cast<unsigned>(most), MSG_DONTWAIT | MSG_CMSG_CLOEXEC, nullptr);
    ++receive_calls_;
  } while (made < 0 && errno == EINTR);
  if (made < 0) {
    several.error = -errno;
    return several;
  }
  // An error that came behind some is told by the next call; that there was nothing more, by the poll.
  several.emptied = static_cast<size_t>(made) < most;
  for (size_t i = 0; i < static_cast<size_t>(made); ++i) {
    msghdr& message = messages[i].msg_hdr;
    const size_t bytes = messages[i].msg_len;
    const size_t count = message.msg_controllen > 0 ? TakeDescriptors(&message, rows->next + kRowInts) : 0;
    const bool truncated = (message.msg_flags & MSG_CTRUNC) != 0;
    if (bytes == 0 && count == 0 && !truncated) {
      several.ended = true;  // and so say those behind it
      break;
    }
    // One that stopped at the end of its set has left a gap.
    if (several.bytes < i * each) std::memmove(into + several.bytes, into + i * each, bytes);
    several.bytes += bytes;
    several.last = count > 0 ? bytes : 0;
    AddRow(rows, position + several.bytes, truncated, count);
  }
  return several;
}

// Tells of a recvmsg whose descriptors have been taken into the row: if it had any, or each is to be told of.
void Socket::AddRow(Rows* rows, size_t position, bool truncated, size_t count) {
  if (count == 0 && !truncated && !tells_receives_) return;
  int32_t* row = rows->next;
  row[0] = AsInt(position);
  row[1] = truncated ? 1 : 0;
  row[2] = AsInt(count);
  for (size_t i = 0; i < count; ++i) environment_->ledger().Add(row[kRowInts + i]);
  environment_->headroom().Took(count);
  rows->next += kRowInts + count;
  ++rows->count;
}

}  // namespace pillion
