// The loop's own poll on the descriptor itself. A nested epoll would cost a third more latency.
#include <memory>

#include "environment.h"
#include "readiness.h"

namespace pillion {

namespace {

class LevelReadiness final : public Readiness {
 public:
  LevelReadiness(Environment& environment, int fd, ReadinessTarget* target)
      : environment_(environment.shared_from_this()), target_(target), fd_(fd) {}

  // Once libuv has the handle, its memory is free only in the close callback.
  void End() override {
    std::unique_ptr<LevelReadiness> ended(this);
    if (!open_) return;
    target_ = nullptr;
    uv_poll_stop(&poll_);
    uv_close(reinterpret_cast<uv_handle_t*>(&ended.release()->poll_), [](uv_handle_t* closed) {
      const std::unique_ptr<LevelReadiness> of(static_cast<LevelReadiness*>(closed->data));
      of->environment_->HandleClosed();
    });
  }

  int Watch(int events) override {
    if (!open_) {
      if (events == 0) return 0;
      const int error = Open();
      if (error != 0) return error;
    }
    events_ = events;
    return events == 0 ? uv_poll_stop(&poll_) : uv_poll_start(&poll_, events, OnPoll);
  }

  void Exhausted(int) override {}
  void Again(int) override {}  // the poll is level-triggered: it tells again by itself, behind the loop's other work

  void SetRef(bool ref) override {
    ref_ = ref;
    if (open_) ApplyRef();
  }

  bool TellsOfTheRest() const override { return true; }

 private:
  int Open() {
    const int error = uv_poll_init(environment_->loop(), &poll_, fd_);
    if (error != 0) return error;
    poll_.data = this;
    open_ = true;
    environment_->HandleOpened();
    ApplyRef();
    return 0;
  }

  void ApplyRef() {
    auto* handle = reinterpret_cast<uv_handle_t*>(&poll_);
    ref_ ? uv_ref(handle) : uv_unref(handle);
  }

  static void OnPoll(uv_poll_t* poll, int status, int events) {
    auto* self = static_cast<LevelReadiness*>(poll->data);
    // libuv stops a poll that tells of an error, as a connection's that was reset. But what came before the error is
    // still to be received, and the next system calls say better what is wrong.
    if (status < 0) uv_poll_start(poll, self->events_, OnPoll);
    if (self->target_ != nullptr) self->target_->OnReady(status < 0 ? UV_READABLE | UV_WRITABLE : events);
  }

  std::shared_ptr<Environment> environment_;
  ReadinessTarget* target_;  // null once the owner is gone
  uv_poll_t poll_{};
  int fd_;
  int events_ = 0;
  bool open_ = false;
  bool ref_ = true;
};

}  // namespace

OwnReadiness MakeLevelReadiness(Environment& environment, int fd, ReadinessTarget* target) {
  return OwnReadiness(std::make_unique<LevelReadiness>(environment, fd, target).release());
}

}  // namespace pillion
