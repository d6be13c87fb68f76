// Control messages, built and parsed here and nowhere else.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>

namespace pillion {

constexpr size_t kMaxDescriptorsPerMessage = 253;  // SCM_MAX_FD: 254 is EINVAL (docs/kernel.md fact 6)

// Room for 253 descriptors and for everything that socket options may put before them: credentials, a pidfd, a security
// label, time stamps (fact 10).
struct ReceiveControl {
  alignas(cmsghdr) unsigned char bytes[4096];
};

// Memory for the control messages of one sendmmsg: some full sets, or many small ones.
struct SendControl {
  alignas(cmsghdr) unsigned char bytes[4096];
};

// What a set of `count` descriptors takes of it.
constexpr size_t SpaceFor(size_t count) { return count == 0 ? 0 : CMSG_SPACE(count * sizeof(int)); }

// Points `message` at a SCM_RIGHTS message of `count` (1 to 253) descriptors, built in `memory`.
void AttachDescriptors(msghdr* message, unsigned char* memory, const int32_t* fds, size_t count);

// Copies the descriptors that a recvmsg returned to `fds`, which has room for kMaxDescriptorsPerMessage + 1 (fact 8),
// and returns how many. Closes what the kernel installed besides (a SCM_PIDFD).
size_t TakeDescriptors(msghdr* message, int32_t* fds);

}  // namespace pillion
