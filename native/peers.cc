// What the kernel says of the process at a connected socket's other end.
#include <sys/socket.h>
#include <sys/types.h>

#include <vector>

#include "call_values.h"
#include "system_calls.h"

// Linux 4.13 and 6.5; older C libraries lack them.
#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

namespace pillion {

namespace {

Napi::Value PeerCredentials(const Napi::CallbackInfo& info) {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (::getsockopt(IntArgument(info, 0), SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0) return ErrnoResult(info);
  // The kernel calls it a success when there is no peer, and names nobody: uid -1.
  if (credentials.uid == static_cast<uid_t>(-1)) return NumberResult(info, -ENOTCONN);
  auto result = Napi::Object::New(info.Env());
  result.Set("pid", static_cast<double>(credentials.pid));
  result.Set("uid", static_cast<double>(credentials.uid));
  result.Set("gid", static_cast<double>(credentials.gid));
  return result;
}

// An option whose length the kernel tells by ERANGE. False with errno set.
template <typename Item>
bool ReadOption(int fd, int name, std::vector<Item>* items) {
  socklen_t length = static_cast<socklen_t>(items->size() * sizeof(Item));
  while (::getsockopt(fd, SOL_SOCKET, name, items->data(), &length) < 0) {
    if (errno != ERANGE || length <= items->size() * sizeof(Item)) return false;
    items->resize((length + sizeof(Item) - 1) / sizeof(Item));
    length = static_cast<socklen_t>(items->size() * sizeof(Item));
  }
  items->resize(length / sizeof(Item));
  return true;
}

Napi::Value PeerGroups(const Napi::CallbackInfo& info) {
  std::vector<gid_t> groups(64);
  if (!ReadOption(IntArgument(info, 0), SO_PEERGROUPS, &groups)) return ErrnoResult(info);
  auto result = Napi::Array::New(info.Env(), groups.size());
  for (uint32_t i = 0; i < groups.size(); ++i) result.Set(i, static_cast<double>(groups[i]));
  return result;
}

Napi::Value PeerLabel(const Napi::CallbackInfo& info) {
  std::vector<char> label(256);
  if (!ReadOption(IntArgument(info, 0), SO_PEERSEC, &label)) {
    // No security module of this kernel labels sockets.
    return errno == ENOPROTOOPT ? info.Env().Undefined() : ErrnoResult(info);
  }
  while (!label.empty() && label.back() == 0) label.pop_back();  // some modules count the NUL
  return Napi::String::New(info.Env(), label.data(), label.size());
}

Napi::Value PeerPidfd(const Napi::CallbackInfo& info) {
  int pidfd = -1;
  socklen_t length = sizeof pidfd;
  // The kernel makes it with O_CLOEXEC.
  if (::getsockopt(IntArgument(info, 0), SOL_SOCKET, SO_PEERPIDFD, &pidfd, &length) < 0) return ErrnoResult(info);
  return OwnedResult(info, Fd(pidfd));
}

}  // namespace

void InitPeers(Napi::Env env, Napi::Object exports) {
  Export<PeerCredentials>(env, exports, "peerCredentials");
  Export<PeerGroups>(env, exports, "peerGroups");
  Export<PeerLabel>(env, exports, "peerLabel");
  Export<PeerPidfd>(env, exports, "peerPidfd");
}

}  // namespace pillion
