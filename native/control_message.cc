#include "control_message.h"

#include <unistd.h>

#include <cstring>

#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

namespace pillion {

void AttachDescriptors(msghdr* message, unsigned char* memory, const int32_t* fds, size_t count) {
  message->msg_control = memory;
  message->msg_controllen = SpaceFor(count);
  cmsghdr* header = CMSG_FIRSTHDR(message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(count * sizeof(int));
  std::memcpy(CMSG_DATA(header), fds, count * sizeof(int));
}

size_t TakeDescriptors(msghdr* message, int32_t* fds) {
  constexpr size_t kRoom = kMaxDescriptorsPerMessage + 1;
  size_t taken = 0;
  for (cmsghdr* header = CMSG_FIRSTHDR(message); header != nullptr; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    const unsigned char* data = CMSG_DATA(header);
    if (header->cmsg_type == SCM_RIGHTS) {
      for (size_t i = 0; i < count; ++i) {
        int fd = -1;
        std::memcpy(&fd, data + i * sizeof(int), sizeof(int));
        if (taken < kRoom) {
          fds[taken++] = fd;
        } else {
          ::close(fd);
        }
      }
    } else if (header->cmsg_type == SCM_PIDFD && count > 0) {
      int fd = -1;
      std::memcpy(&fd, data, sizeof(int));
      if (fd >= 0) ::close(fd);  // an errno stands here when no pidfd could be made
    }
  }
  return taken;
}

}  // namespace pillion
