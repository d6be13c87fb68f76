// The loop's own poll on the descriptor itself. A nested epoll would cost a third more latency.
#include <memory>

#include "environment.h"
#include "readiness.h"

namespace pillion {

namespace {

// libuv frees a handle's memory only in its close callback, so the handle outlives its owner.
struct PollHandle {
  uv_poll_t poll;
  ReadinessTarget* target;  // null once the owner is gone
  std::shared_ptr<Environment> environment;
  int events = 0;
};

class LevelReadiness final : public Readiness {
 public:
  LevelReadiness(Environment& environment, int fd, ReadinessTarget* target)
      : environment_(environment), fd_(fd), target_(target) {}

  ~LevelReadiness() override {
    if (handle_ == nullptr) return;
    handle_->target = nullptr;
    uv_poll_stop(&handle_->poll);
    uv_close(reinterpret_cast<uv_handle_t*>(&handle_->poll), [](uv_handle_t* closed) {
      const std::unique_ptr<PollHandle> handle(static_cast<PollHandle*>(closed->data));
      handle->environment->HandleClosed();
    });
  }

  int Watch(int events) override {
    if (handle_ == nullptr) {
      if (events == 0) return 0;
      const int error = Open();
      if (error != 0) return error;
    }
    handle_->events = events;
    return events == 0 ? uv_poll_stop(&handle_->poll) : uv_poll_start(&handle_->poll, events, OnPoll);
  }

  void Exhausted(int) override {}
  void Again(int) override {}  // the poll is level-triggered: it tells again by itself, behind the loop's other work

  void SetRef(bool ref) override {
    ref_ = ref;
    if (handle_ != nullptr) ApplyRef();
  }

  bool TellsOfTheRest() const override { return true; }

 private:
  int Open() {
    auto handle = std::make_unique<PollHandle>();
    const int error = uv_poll_init(environment_.loop(), &handle->poll, fd_);
    if (error != 0) return error;
    handle->target = target_;
    handle->environment = environment_.shared_from_this();
    handle->poll.data = handle.get();
    handle_ = handle.release();
    environment_.HandleOpened();
    ApplyRef();
    return 0;
  }

  void ApplyRef() {
    auto* handle = reinterpret_cast<uv_handle_t*>(&handle_->poll);
    ref_ ? uv_ref(handle) : uv_unref(handle);
  }

  static void OnPoll(uv_poll_t* poll, int status, int events) {
    auto* handle = static_cast<PollHandle*>(poll->data);
    // libuv stops a poll that tells of an error, as a connection's that was reset. But what came before the error is
    // still to be received, and the next system calls say better what is wrong.
    if (status < 0) uv_poll_start(poll, handle->events, OnPoll);
    if (handle->target != nullptr) handle->target->OnReady(status < 0 ? UV_READABLE | UV_WRITABLE : events);
  }

  Environment& environment_;
  int fd_;
  ReadinessTarget* target_;
  PollHandle* handle_ = nullptr;
  bool ref_ = true;
};

}  // namespace

std::unique_ptr<Readiness> MakeLevelReadiness(Environment& environment, int fd, ReadinessTarget* target) {
  return std::make_unique<LevelReadiness>(environment, fd, target);
}

}  // namespace pillion
