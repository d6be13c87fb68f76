// What the two ways of receiving share, of bytes (socket.cc) and of messages (socket_messages.cc): when to stop, and how
// a row is laid out. Knows no socket.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "control_message.h"

namespace pillion {

// The budget of one wake-up, after which the loop's other work has its turn.
constexpr size_t kBudgetBytes = size_t{1} << 20;
constexpr uint64_t kBudgetNanoseconds = 2'000'000;
// A receive is not worth its system call with less room than this; JavaScript keeps that much free in the slab.
constexpr size_t kLeastRoom = 8192;
// A row of `received`: end, truncated, count, then the descriptors; a message's has its length before those.
constexpr size_t kRowInts = 3;
constexpr size_t kMessageRowInts = 4;
constexpr size_t kMostRowInts = kMessageRowInts + kMaxDescriptorsPerMessage + 1;

// The rows of a wake-up, in the environment's `received`.
struct Rows {
  int32_t* next;
  const int32_t* end;
  size_t count = 0;

  size_t Room() const { return static_cast<size_t>(end - next) / kMostRowInts; }
};

// Whether a set is likely the only one that waits, as it is where a frame is answered before the next one comes. Then the
// receive behind it, which would find nothing, is left out: a level-triggered poll tells of what was there all the same.
class LoneSets {
 public:
  // Asked behind the first set of a wake-up. Looks now and then although it need not, so as to learn that times change.
  bool Expected() { return seen_ == kSure && ++unseen_ % kLookEvery != 0; }
  // What a look has found.
  void Saw(bool more) { seen_ = more ? 0 : static_cast<uint8_t>(std::min<int>(seen_ + 1, kSure)); }

 private:
  static constexpr uint8_t kSure = 8;
  static constexpr uint8_t kLookEvery = 8;

  uint8_t seen_ = 0;  // in a row
  uint8_t unseen_ = 0;
};

inline int32_t AsInt(size_t value) { return static_cast<int32_t>(value); }

}  // namespace pillion
