// Fd: owns one descriptor, move-only; closing is its destructor's work, so that no error path can forget it.
// Knows nothing of Node.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace pillion {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int number) : number_(number) {}
  Fd(Fd&& other) noexcept : number_(other.Take()) {}
  Fd& operator=(Fd&& other) noexcept {
    Fd moved(std::move(other));
    std::swap(number_, moved.number_);
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    // On Linux the number is free even when close reports EINTR or EIO: never try it a second time.
    if (number_ >= 0) ::close(number_);
  }

  static Fd Duplicate(int number) { return Fd(::fcntl(number, F_DUPFD_CLOEXEC, 0)); }

  int Get() const { return number_; }
  bool IsOpen() const { return number_ >= 0; }  // 0 is a legal number
  int Take() { return std::exchange(number_, -1); }
  void Close() { Fd closing(std::move(*this)); }

 private:
  int number_ = -1;
};

}  // namespace pillion
