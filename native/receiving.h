// What the two ways of receiving share, of bytes (socket.cc) and of messages (socket_messages.cc): when to stop, and how
// a row is laid out. Knows no socket.
#pragma once

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

inline int32_t AsInt(size_t value) { return static_cast<int32_t>(value); }

}  // namespace pillion
