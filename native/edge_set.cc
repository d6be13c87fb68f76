#include "edge_set.h"

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <memory>
#include <utility>

#include "environment.h"
#include "readiness.h"

namespace pillion {

class EdgeReadiness final : public Readiness {
 public:
  EdgeReadiness(Environment& environment, int fd, ReadinessTarget* target)
      : set_(environment.edges()), fd_(fd), target_(target) {}

  void End() override {
    const std::unique_ptr<EdgeReadiness> ended(this);
    if (id_ == 0) return;
    CountRef(false);
    set_.Remove(fd_, id_);
  }

  int Watch(int events) override {
    if (id_ == 0) {
      if (events == 0) return 0;
      const int error = set_.Add(fd_, this, &id_);
      if (error != 0) return error;
    }
    watched_ = events;
    CountRef(ref_ && watched_ != 0);
    Defer();
    return 0;
  }

  void Exhausted(int events) override { ready_ &= ~events; }

  void Again(int events) override {
    ready_ |= events;
    Defer();
  }

  void SetRef(bool ref) override {
    ref_ = ref;
    CountRef(ref_ && watched_ != 0);
  }

  bool TellsOfTheRest() const override { return false; }

  void OnEdge(int events) {
    ready_ |= events;
    Tell();
  }

  void OnDeferred() {
    deferred_ = false;
    Tell();
  }

 private:
  void Tell() {
    // The target may be destroyed, and this with it, by what it is told.
    if ((ready_ & watched_) != 0) target_->OnReady(ready_ & watched_);
  }

  void Defer() {
    if (id_ == 0 || deferred_ || (ready_ & watched_) == 0) return;
    deferred_ = true;
    set_.Defer(id_);
  }

  void CountRef(bool counts) {
    if (counts != counted_) set_.CountRef(counts ? 1 : -1);
    counted_ = counts;
  }

  EdgeSet& set_;
  int fd_;
  ReadinessTarget* target_;
  uint64_t id_ = 0;
  int ready_ = UV_READABLE | UV_WRITABLE;  // unknown so far: trying is the only way to know
  int watched_ = 0;
  bool ref_ = true;
  bool counted_ = false;
  bool deferred_ = false;
};

struct EdgeSet::Handles {
  uv_poll_t poll;
  uv_check_t check;  // runs the deferred, after the loop has polled
  uv_idle_t idle;    // keeps the loop from blocking while there are any
  EdgeSet* set;
  std::shared_ptr<Environment> environment;
  int open = 3;
};

EdgeSet::~EdgeSet() {
  if (handles_ == nullptr) return;
  handles_->set = nullptr;
  for (uv_handle_t* handle : {reinterpret_cast<uv_handle_t*>(&handles_->poll),
                              reinterpret_cast<uv_handle_t*>(&handles_->check),
                              reinterpret_cast<uv_handle_t*>(&handles_->idle)}) {
    uv_close(handle, [](uv_handle_t* closed) {
      auto* handles = static_cast<Handles*>(closed->data);
      handles->environment->HandleClosed();
      if (--handles->open == 0) delete handles;
    });
  }
}

int EdgeSet::Add(int fd, EdgeReadiness* member, uint64_t* id) {
  const int error = Open();
  if (error != 0) return error;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | static_cast<uint32_t>(EPOLLET);
  event.data.u64 = next_id_;
  if (epoll_ctl(epoll_.Get(), EPOLL_CTL_ADD, fd, &event) != 0) return -errno;
  members_.emplace(next_id_, member);
  *id = next_id_++;
  return 0;
}

void EdgeSet::Remove(int fd, uint64_t id) {
  members_.erase(id);
  epoll_event unused{};
  epoll_ctl(epoll_.Get(), EPOLL_CTL_DEL, fd, &unused);
}

void EdgeSet::Defer(uint64_t id) {
  deferred_.push_back(id);
  uv_check_start(&handles_->check, [](uv_check_t* check) {
    EdgeSet* set = static_cast<Handles*>(check->data)->set;
    if (set != nullptr) set->RunDeferred();
  });
  uv_idle_start(&handles_->idle, [](uv_idle_t*) {});
}

void EdgeSet::CountRef(int change) {
  refs_ += change;
  ApplyRef();
}

int EdgeSet::Open() {
  if (handles_ != nullptr) return 0;
  Fd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.IsOpen()) return -errno;
  auto handles = std::make_unique<Handles>();
  const int error = uv_poll_init(environment_.loop(), &handles->poll, epoll.Get());
  if (error != 0) return error;
  uv_check_init(environment_.loop(), &handles->check);
  uv_idle_init(environment_.loop(), &handles->idle);
  handles->poll.data = handles->check.data = handles->idle.data = handles.get();
  handles->set = this;
  handles->environment = environment_.shared_from_this();
  for (int i = 0; i < 3; ++i) environment_.HandleOpened();
  epoll_ = std::move(epoll);
  handles_ = handles.release();
  uv_poll_start(&handles_->poll, UV_READABLE, [](uv_poll_t* poll, int, int) {
    EdgeSet* set = static_cast<Handles*>(poll->data)->set;
    if (set != nullptr) set->Dispatch();
  });
  ApplyRef();
  return 0;
}

void EdgeSet::ApplyRef() {
  if (handles_ == nullptr) return;
  auto* poll = reinterpret_cast<uv_handle_t*>(&handles_->poll);
  refs_ > 0 ? uv_ref(poll) : uv_unref(poll);
}

void EdgeSet::Dispatch() {
  std::array<epoll_event, 64> events;
  const int count = epoll_wait(epoll_.Get(), events.data(), static_cast<int>(events.size()), 0);
  // With more than 64 ready, or an interrupted call, the loop's level-triggered poll on this set tells again.
  for (int i = 0; i < count; ++i) {
    const auto member = members_.find(events[static_cast<size_t>(i)].data.u64);
    if (member == members_.end()) continue;  // gone by what an earlier event of this round did
    const uint32_t seen = events[static_cast<size_t>(i)].events;
    int ready = 0;
    if ((seen & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) ready |= UV_READABLE;
    if ((seen & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) ready |= UV_WRITABLE;
    member->second->OnEdge(ready);
  }
}

void EdgeSet::RunDeferred() {
  const std::vector<uint64_t> due = std::exchange(deferred_, {});
  for (const uint64_t id : due) {
    const auto member = members_.find(id);
    if (member != members_.end()) member->second->OnDeferred();
  }
  if (deferred_.empty() && handles_ != nullptr) {
    uv_check_stop(&handles_->check);
    uv_idle_stop(&handles_->idle);
  }
}

OwnReadiness MakeEdgeReadiness(Environment& environment, int fd, ReadinessTarget* target) {
  return OwnReadiness(std::make_unique<EdgeReadiness>(environment, fd, target).release());
}

}  // namespace pillion
