#include "headroom.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <limits>

namespace pillion {

namespace {

int64_t CoarseNow() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

bool Headroom::Has(size_t wanted) {
  if (free_ < kPlenty || looked_at_ != CoarseNow()) Look();
  return free_ >= std::min(wanted, quarter_);
}

void Headroom::Took(size_t count) { free_ -= count < free_ ? count : free_; }

void Headroom::Look() {
  looked_at_ = CoarseNow();
  rlimit limit{};
  struct stat table {};
  // Linux 6.2 and later give the number of open descriptors as the directory's size.
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
      stat("/proc/self/fd", &table) != 0 || table.st_size == 0) {
    free_ = quarter_ = std::numeric_limits<size_t>::max();
    return;
  }
  quarter_ = static_cast<size_t>(limit.rlim_cur) / 4;
  const auto open = static_cast<size_t>(table.st_size);
  free_ = limit.rlim_cur > open ? static_cast<size_t>(limit.rlim_cur) - open : 0;
}

}  // namespace pillion
