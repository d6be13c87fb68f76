// Closing: closes many numbers by few system calls. A receive installs its descriptors at numbers that follow one another
// as a rule, and a system call of its own costs many times what the kernel does to close one.
#pragma once

namespace pillion {

class Closing {
 public:
  Closing() = default;
  Closing(const Closing&) = delete;
  Closing& operator=(const Closing&) = delete;
  ~Closing() { CloseRun(); }

  // Each number is the caller's, and of nobody else's between two of them: a run has only such as were added.
  void Add(int fd);

 private:
  void CloseRun();

  // The numbers [first_, end_) wait to be closed.
  int first_ = 0;
  int end_ = 0;
};

}  // namespace pillion
