#include "socket.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "bytes_of.h"
#include "callback.h"
#include "control_message.h"
#include "receiving.h"

namespace pillion {

namespace {

// Of a recvmsg among several: the next frames may be longer than the last one.
constexpr size_t kLeastEach = 512;

enum class Waiting { kNothing, kBytes, kEnd };

// What a receive would find. Only bytes can bring descriptors (fact 11).
Waiting WhatWaits(int fd) {
  pollfd state{fd, POLLIN | POLLRDHUP, 0};
  if (::poll(&state, 1, 0) == 0) return Waiting::kNothing;
  int bytes = 0;
  // Once the peer has ended its direction nothing is added, so a count made after that stays true.
  const bool ended = (state.revents & (POLLRDHUP | POLLHUP)) != 0;
  return ended && ::ioctl(fd, FIONREAD, &bytes) == 0 && bytes == 0 ? Waiting::kEnd : Waiting::kBytes;
}

}  // namespace

void Socket::Init(Napi::Env env, Napi::Object exports) {
  exports.Set("Socket", DefineClass(env, "Socket",
                                    {
                                        InstanceMethod<&Socket::Watch>("watch"),
                                        InstanceMethod<&Socket::Lend>("lend"),
                                        InstanceMethod<&Socket::Send>("send"),
                                        InstanceMethod<&Socket::SendRun>("sendRun"),
                                        InstanceMethod<&Socket::ShutDown>("shutDown"),
                                        InstanceMethod<&Socket::Configure>("configure"),
                                        InstanceMethod<&Socket::SetRef>("setRef"),
                                        InstanceMethod<&Socket::Preload>("preload"),
                                        InstanceMethod<&Socket::Release>("release"),
                                        InstanceMethod<&Socket::CloseNow>("close"),
                                    }));
}

Socket::Socket(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<Socket>(info), environment_(Environment::Of(info.Env()).shared_from_this()) {
  const int number = info[0].As<Napi::Number>().Int32Value();
  fd_ = Fd(number);
  readiness_ = info[1].As<Napi::Boolean>().Value() ? MakeEdgeReadiness(*environment_, number, this)
                                                   : MakeLevelReadiness(*environment_, number, this);
  keeps_messages_ = info[2].As<Napi::Boolean>().Value();
  environment_->Register(this);
}

Socket::~Socket() {
  environment_->Unregister(this);
  Close();
}

Napi::Value Socket::Watch(const Napi::CallbackInfo& info) {
  if (!fd_.IsOpen()) return Napi::Number::New(info.Env(), -EBADF);
  return Napi::Number::New(info.Env(), Apply(info[0].As<Napi::Number>().Int32Value()));
}

// lend(memory, ahead)
Napi::Value Socket::Lend(const Napi::CallbackInfo& info) {
  lent_.Reset();
  lent_filled_ = 0;
  ahead_ = info[1].As<Napi::Number>().Uint32Value();
  if (info[0].IsTypedArray()) lent_ = Napi::Persistent(info[0].As<Napi::Uint8Array>());
  return info.Env().Undefined();
}

Napi::Value Socket::ShutDown(const Napi::CallbackInfo& info) {
  const int error = ::shutdown(fd_.Get(), SHUT_WR) == 0 ? 0 : -errno;
  return Napi::Number::New(info.Env(), error);
}

// configure(headroom, busyPoll in µs, acceptDescriptors, tellsReceives)
Napi::Value Socket::Configure(const Napi::CallbackInfo& info) {
  headroom_ = info[0].As<Napi::Number>().Uint32Value();
  busy_poll_ns_ = uint64_t{info[1].As<Napi::Number>().Uint32Value()} * 1000;
  accepts_descriptors_ = info[2].As<Napi::Boolean>().Value();
  tells_receives_ = info[3].As<Napi::Boolean>().Value();
  return info.Env().Undefined();
}

Napi::Value Socket::SetRef(const Napi::CallbackInfo& info) {
  if (readiness_) readiness_->SetRef(info[0].As<Napi::Boolean>().Value());
  return info.Env().Undefined();
}

Napi::Value Socket::Preload(const Napi::CallbackInfo& info) {
  size_t length = 0;
  const uint8_t* bytes = BytesOf(info.Env(), info[0], &length);
  carry_.assign(bytes, bytes + length);
  return info.Env().Undefined();
}

Napi::Value Socket::Release(const Napi::CallbackInfo& info) {
  if (carry_lost_) return info.Env().Undefined();
  const auto carried = Napi::Buffer<uint8_t>::Copy(info.Env(), carry_.data(), carry_.size());
  Unwatch();
  fd_.Take();  // open, and in the ledger
  return carried;
}

Napi::Value Socket::CloseNow(const Napi::CallbackInfo& info) {
  Close();
  return info.Env().Undefined();
}

void Socket::OnReady(int events) {
  const Napi::HandleScope scope(Env());
  const Napi::Value self = Value();  // alive, whatever JavaScript lets go of in the callbacks
  if ((events & watched_ & UV_WRITABLE) != 0) CallBack(Env(), *environment_, self, environment_->on_writable());
  if ((events & watched_ & UV_READABLE) != 0) Receive(self);
}

void Socket::CloseForEnvironment() { Close(); }

// Receives until nothing is left or the budget is spent, a slab at a time, and hands each over in one call.
void Socket::Receive(napi_value self) {
  const uint64_t began = uv_hrtime();
  uint64_t spin_until = 0;
  size_t total = 0;
  for (;;) {
    const Napi::HandleScope scope(Env());
    const napi_value slab = environment_->slab();  // held: JavaScript may replace it in the callback
    const Filled filled = keeps_messages_ ? FillMessages(slab) : Fill(slab);
    if (filled.anything) {
      CallBack(Env(), *environment_, self, environment_->on_readable());
      KeepUnconsumed(slab);
      total += filled.bytes;
      if (busy_poll_ns_ > 0) spin_until = uv_hrtime() + busy_poll_ns_;
    }
    if (!fd_.IsOpen() || (watched_ & UV_READABLE) == 0) return;
    // Lost bytes are told of whatever the budget: the poll does not tell again of what the kernel no longer has.
    if (carry_lost_ && environment_->control()[kStatus] != kBytesGone) continue;
    const bool done = filled.drained && !carry_lost_;
    if (done && spin_until == 0) return;
    const uint64_t now = uv_hrtime();
    if (done && now >= spin_until) return;
    if (total >= kBudgetBytes || now - began >= kBudgetNanoseconds) {
      readiness_->Again(UV_READABLE);
      return;
    }
  }
}

Socket::Filled Socket::Fill(napi_value slab_value) {
  Filled filled;
  int32_t* control = environment_->control();
  size_t length = 0;
  uint8_t* slab = BytesOf(Env(), slab_value, &length);
  const auto cursor = std::min(static_cast<size_t>(control[kSlabCursor]), length);
  if (carry_lost_ || length - cursor < carry_.size() + kLeastRoom) {
    // JavaScript left too little room, or has detached the slab: it is told, and makes a new one.
    control[kStatus] = carry_lost_ ? kBytesGone : kNoRoom;
    control[kLent] = control[kSets] = control[kStart] = control[kEnd] = control[kConsumed] = 0;
    filled.anything = true;
    filled.drained = carry_lost_;
    return filled;
  }
  if (!carry_.empty()) std::memcpy(slab + cursor, carry_.data(), carry_.size());
  size_t end = cursor + carry_.size();
  const size_t first_new = end;

  uint8_t* lent = nullptr;
  size_t lent_length = 0;
  if (!lent_.IsEmpty()) lent = BytesOf(Env(), lent_.Value(), &lent_length);
  // Shorter than what is in it already, if its memory was transferred or shrunk meanwhile.
  lent_length = std::max(lent_length, lent_filled_);
  const size_t lent_before = lent_filled_;

  Rows rows{environment_->received(), environment_->received() + Environment::kReceivedInts};
  int32_t status = kMore;
  size_t last_set = 0;   // bytes of the recvmsg before, if it has returned a set
  bool looks = false;    // behind a set that may be alone

  while (length - end >= kLeastRoom && rows.Room() > 0 &&
         lent_filled_ - lent_before < kBudgetBytes) {
    if (headroom_ > 0 && !environment_->headroom().Has(headroom_)) {
      const Waiting waiting = WhatWaits(fd_.Get());
      if (waiting == Waiting::kNothing) {
        // No pressure: the wait for places, and its bound, begin when there is something to wait with.
        filled.drained = true;
        readiness_->Exhausted(UV_READABLE);
        break;
      }
      if (waiting == Waiting::kBytes) {
        status = kPressure;
        break;
      }
    }
    if (last_set > 0 && ahead_ == 0 && lent_filled_ == lent_length) {
      const size_t each = std::max(last_set, kLeastEach);
      const size_t most = MostAtOnce(each, length - end, rows);
      if (most > 1) {
        const size_t position = (lent_filled_ - lent_before) + (end - first_new);
        const Several several = FillSeveral(slab + end, each, most, position, &rows);
        end += several.bytes;
        last_set = several.last;
        if (looks) lone_sets_.Saw(several.bytes > 0);
        looks = false;
        if (several.error == -EAGAIN) readiness_->Exhausted(UV_READABLE);
        else if (several.error != 0) untold_error_ = several.error;
        if (several.ended) status = kEndOfFile;
        filled.drained =
            several.error == -EAGAIN || several.ended || (several.emptied && readiness_->TellsOfTheRest());
        if (filled.drained) break;
        continue;
      }
    }
    ReceiveControl ancillary;
    std::array<iovec, 2> into;
    size_t into_count = 0;
    if (lent_filled_ < lent_length) into[into_count++] = iovec{lent + lent_filled_, lent_length - lent_filled_};
    const size_t in_slab = ahead_ > 0 ? std::min(ahead_, length - end) : length - end;
    into[into_count++] = iovec{slab + end, in_slab};
    msghdr message{};
    message.msg_iov = into.data();
    message.msg_iovlen = into_count;
    if (accepts_descriptors_) {
      message.msg_control = ancillary.bytes;
      message.msg_controllen = sizeof(ancillary.bytes);
    }
    const ssize_t got = ::recvmsg(fd_.Get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    ++receive_calls_;
    if (got < 0) {
      if (errno == EINTR) continue;
      filled.drained = true;
      if (untold_error_ != 0) {
        status = std::exchange(untold_error_, 0);
      } else if (errno == EAGAIN) {
        if (looks) lone_sets_.Saw(false);
        readiness_->Exhausted(UV_READABLE);
      } else {
        status = -errno;
      }
      break;
    }
    const size_t count = message.msg_controllen > 0 ? TakeDescriptors(&message, rows.next + kRowInts) : 0;
    const bool truncated = (message.msg_flags & MSG_CTRUNC) != 0;
    if (got == 0 && count == 0 && !truncated) {
      status = untold_error_ == 0 ? kEndOfFile : std::exchange(untold_error_, 0);
      filled.drained = true;
      break;
    }
    const auto bytes = static_cast<size_t>(got);
    const size_t room = (lent_length - lent_filled_) + in_slab;
    const size_t to_lent = std::min(bytes, lent_length - lent_filled_);
    lent_filled_ += to_lent;
    end += bytes - to_lent;
    if (looks) lone_sets_.Saw(true);
    looks = rows.count == 0 && count > 0 && bytes < room;
    last_set = count > 0 ? bytes : 0;
    AddRow(&rows, (lent_filled_ - lent_before) + (end - first_new), truncated, count);
    const bool short_read = bytes < room && !truncated && readiness_->TellsOfTheRest();
    if (short_read && (count == 0 || (looks && lone_sets_.Expected()))) {
      // With an edge this would strand what lies behind the next boundary (fact 5).
      filled.drained = true;
      break;
    }
    if (ahead_ > 0 && bytes == room) break;  // where the rest belongs, JavaScript says
  }

  filled.bytes = (lent_filled_ - lent_before) + (end - first_new);
  filled.anything = filled.bytes > 0 || rows.count > 0 || status != kMore;
  control[kLent] = AsInt(lent_filled_ - lent_before);
  control[kStart] = AsInt(cursor);
  control[kEnd] = AsInt(end);
  control[kSets] = AsInt(rows.count);
  control[kStatus] = status;
  if (filled.anything) control[kReceiveCalls] = std::exchange(receive_calls_, 0);
  control[kConsumed] = AsInt(end - cursor);
  return filled;
}

// Copies what JavaScript has not consumed out of the slab, where other sockets write next.
void Socket::KeepUnconsumed(napi_value slab) {
  const int32_t* control = environment_->control();
  if (control[kStatus] == kNoRoom || control[kStatus] == kBytesGone) return;  // nothing was presented
  const auto start = static_cast<size_t>(control[kStart] + control[kConsumed]);
  const auto end = static_cast<size_t>(control[kEnd]);
  size_t length = 0;
  const uint8_t* bytes = BytesOf(Env(), slab, &length);
  carry_.clear();
  if (start >= end) return;
  // A slab detached meanwhile is shorter than what was received into it: going on without would misread the stream.
  carry_lost_ = end > length;
  if (!carry_lost_) carry_.assign(bytes + start, bytes + end);
}

// Watched, the object is held strongly; else weakly, so that a socket that nobody can reach is collected.
int Socket::Apply(int watched) {
  const int error = readiness_->Watch(watched);
  if (error != 0) return error;
  if (watched_ == 0 && watched != 0) {
    Ref();
  } else if (watched_ != 0 && watched == 0) {
    Unref();
  }
  watched_ = watched;
  return 0;
}

void Socket::Close() {
  if (!fd_.IsOpen()) return;
  Unwatch();
  environment_->ledger().Remove(fd_.Get());
  fd_.Close();
}

void Socket::Unwatch() {
  if (!environment_->ended()) {
    if (watched_ != 0) Unref();
    lent_.Reset();
  }
  watched_ = 0;
  readiness_.reset();
  carry_ = {};
}

}  // namespace pillion
