// Handover: descriptors on their way from one thread of the process to another. Each is in no ledger meanwhile, but here,
// in a mailbox: whoever has that closes what nobody took out of it, with the mailbox or when its environment ends.
#pragma once

#include <cstdint>
#include <mutex>
#include <unordered_map>

namespace pillion {

class Environment;

class Handover {
 public:
  // One in the process: its environments share the addon.
  static Handover& Instance();

  uint64_t Open(const Environment* owner);
  void Close(uint64_t mailbox);
  // All of an environment's, at its end.
  void CloseAll(const Environment* owner);

  // The descriptor's id, or 0 when the mailbox is closed: then it is still the caller's.
  uint64_t Offer(int fd, uint64_t mailbox);
  // The descriptor, which is the caller's from here on, or -1: taken already, or closed with its mailbox.
  int Take(uint64_t id);
  // From one mailbox into another; closed, if that is.
  void Forward(uint64_t from, uint64_t to);

 private:
  struct Offered {
    int fd;
    uint64_t mailbox;
  };

  void CloseOffered(uint64_t mailbox);

  std::mutex mutex_;
  std::unordered_map<uint64_t, const Environment*> mailboxes_;
  std::unordered_map<uint64_t, Offered> offered_;
  uint64_t next_ = 1;
};

}  // namespace pillion
