// Ledger: the numbers of the descriptors that one JavaScript environment owns, one bit each.
//
// A worker thread can end at any moment while its process lives on; what its JavaScript objects owned then has nobody
// left to close it but the environment's cleanup, which asks this. It also refuses a close of what is not owned, so
// that a number closed twice can never close a stranger's file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "closing.h"

namespace pillion {

class Ledger {
 public:
  void Add(int fd) {
    const size_t word = static_cast<size_t>(fd) / 64;
    if (word >= words_.size()) words_.resize(word + 1, 0);
    // Entered already: closed behind our back, and the number is in use again.
    if ((words_[word] & Bit(fd)) == 0) ++count_;
    words_[word] |= Bit(fd);
  }

  // False when the number is not owned here.
  bool Remove(int fd) {
    const size_t word = static_cast<size_t>(fd) / 64;
    if (fd < 0 || word >= words_.size() || (words_[word] & Bit(fd)) == 0) return false;
    words_[word] &= ~Bit(fd);
    --count_;
    return true;
  }

  size_t Count() const { return count_; }

  void CloseAll() {
    Closing closing;
    for (size_t word = 0; word < words_.size(); ++word) {
      while (words_[word] != 0) {
        const int fd = static_cast<int>(word * 64) + __builtin_ctzll(words_[word]);
        words_[word] &= words_[word] - 1;
        closing.Add(fd);
      }
    }
    count_ = 0;
  }

 private:
  static uint64_t Bit(int fd) { return uint64_t{1} << (static_cast<unsigned>(fd) % 64); }

  std::vector<uint64_t> words_;
  size_t count_ = 0;
};

}  // namespace pillion
