// EdgeSet: one EPOLLET set for all the edge-triggered descriptors of an environment, itself watched by the loop.
//
// An edge is told once. So what is ready is remembered until a system call says EAGAIN, and a target that stops before
// that is put on a list that the loop comes back to after its other work: nothing here ever waits for an edge that has
// gone by (docs/kernel.md fact 5).
#pragma once

#include <uv.h>

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "fd.h"

namespace pillion {

class EdgeReadiness;
class Environment;

class EdgeSet {
 public:
  explicit EdgeSet(Environment& environment) : environment_(environment) {}
  ~EdgeSet();

  // Nothing when it is open; 0 or a negative errno.
  int Open();
  int Add(int fd, EdgeReadiness* member, uint64_t* id);
  void Remove(int fd, uint64_t id);
  // Calls the member back from the loop, behind the descriptors that are ready by then.
  void Defer(uint64_t id);
  // How many watched members want the loop kept alive.
  void CountRef(int change);

 private:
  struct Handles;

  void ApplyRef();
  void Dispatch();
  void RunDeferred();

  Environment& environment_;
  Fd epoll_;
  Handles* handles_ = nullptr;
  std::unordered_map<uint64_t, EdgeReadiness*> members_;  // by id: an event may outlive its member
  std::vector<uint64_t> deferred_;
  uint64_t next_id_ = 1;
  int refs_ = 0;
};

}  // namespace pillion
