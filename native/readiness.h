// Readiness: tells a target when its descriptor can be read or written, by the loop's own poll on it (level) or by a
// shared edge-triggered epoll set (edge). What the two differ in stays behind this interface.
#pragma once

#include <uv.h>

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace pillion {

class Environment;

class ReadinessTarget {
 public:
  virtual ~ReadinessTarget() = default;
  virtual void OnReady(int events) = 0;  // UV_READABLE | UV_WRITABLE
};

class Readiness {
 public:
  // Instead of a destructor: the loop may need the memory a little longer. The descriptor may be closed right afterwards.
  virtual void End() = 0;

  // Sets the events that the target wants to be told of; 0 or a negative errno.
  virtual int Watch(int events) = 0;
  // A call on the descriptor said EAGAIN: it is not ready before the kernel says so again.
  virtual void Exhausted(int events) = 0;
  // The target stopped although there may be more (its budget is spent): tell it again after other work.
  virtual void Again(int events) = 0;
  // Whether a descriptor that is watched keeps the loop alive.
  virtual void SetRef(bool ref) = 0;
  // True when a short read may be believed: the kernel will tell of the rest by itself.
  virtual bool TellsOfTheRest() const = 0;

 protected:
  ~Readiness() = default;
};

struct EndReadiness {
  void operator()(Readiness* readiness) const { readiness->End(); }
};
using OwnReadiness = std::unique_ptr<Readiness, EndReadiness>;

// Both take a descriptor that stays open for as long as they live.
OwnReadiness MakeLevelReadiness(Environment& environment, int fd, ReadinessTarget* target);
OwnReadiness MakeEdgeReadiness(Environment& environment, int fd, ReadinessTarget* target);

}  // namespace pillion
