// Cap'n Proto's own implementation at the other end of a Unix socket: messages with descriptors, message by message.
//
//   capnp-peer PATH send SEED COUNT   makes COUNT messages, then ends its direction
//   capnp-peer PATH receive           checks all that comes until the peer ends
//   capnp-peer PATH list              says of each message which descriptors came with it
//   capnp-peer PATH echo              sends each message back with its descriptors
//
// A message is a List<Data>: first u32 serial number and u32 count of descriptors, then data that follow from the
// serial number. A descriptor is a memfd that holds u32 serial * 256 + its place. Answers with lines of JSON.
#include <capnp/any.h>
#include <capnp/common.h>
#include <capnp/message.h>
#include <capnp/serialize-async.h>
#include <dirent.h>
#include <kj/async-io.h>
#include <kj/io.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <random>
#include <string>

namespace {

constexpr size_t kMostFds = 253;

int Failed(const char* what) {
  perror(what);
  return 1;
}

int OpenDescriptors() {
  DIR* directory = opendir("/proc/self/fd");
  int count = 0;
  while (readdir(directory) != nullptr) count++;
  closedir(directory);
  return count;
}

kj::byte Pattern(uint32_t serial, size_t element, size_t at) {
  return static_cast<kj::byte>(serial * 31 + element * 7 + at);
}

kj::AutoCloseFd MakeToken(uint32_t number) {
  kj::AutoCloseFd fd(memfd_create("token", MFD_CLOEXEC));
  KJ_ASSERT(write(fd, &number, sizeof number) == sizeof number);
  return fd;
}

// What it holds; ~0 where it is no token.
uint32_t TokenOf(int fd) {
  uint32_t number;
  return pread(fd, &number, sizeof number, 0) == sizeof number ? number : ~uint32_t{0};
}

struct Counts {
  unsigned frames = 0, descriptors = 0, misassigned = 0, lost = 0, damaged = 0;
};

uint32_t SerialOf(capnp::List<capnp::Data>::Reader list) {
  uint32_t serial;
  memcpy(&serial, list[0].begin(), sizeof serial);
  return serial;
}

void Check(capnp::MessageReader& message, kj::ArrayPtr<kj::AutoCloseFd> fds, Counts& counts) {
  auto list = message.getRoot<capnp::AnyPointer>().getAs<capnp::List<capnp::Data>>();
  uint32_t serial = SerialOf(list), announced;
  memcpy(&announced, list[0].begin() + 4, sizeof announced);
  counts.damaged += serial != counts.frames++;
  for (size_t i = 1; i < list.size(); i++) {
    auto data = list[i];
    for (size_t at = 0; at < data.size(); at++) {
      if (data[at] == Pattern(serial, i, at)) continue;
      counts.damaged++;
      break;
    }
  }
  counts.descriptors += fds.size();
  if (fds.size() < announced) counts.lost += announced - fds.size();
  for (size_t i = 0; i < fds.size(); i++) counts.misassigned += i >= announced || TokenOf(fds[i].get()) != serial * 256 + i;
}

class Sender {
 public:
  explicit Sender(uint32_t seed) : dice_(seed) {}

  void Send(kj::AsyncCapabilityStream& stream, kj::WaitScope& scope, uint32_t serial) {
    // One segment, or one for nearly each of the data.
    uint firstSegment = Roll(3) == 0 ? 1 : 1024;
    auto strategy = firstSegment == 1 ? capnp::AllocationStrategy::FIXED_SIZE
                                      : capnp::AllocationStrategy::GROW_HEURISTICALLY;
    capnp::MallocMessageBuilder message(firstSegment, strategy);
    uint32_t elements = Roll(100) == 0 ? 300 : 1 + Roll(5);
    auto list = message.getRoot<capnp::AnyPointer>().initAs<capnp::List<capnp::Data>>(elements);
    auto fds = kj::heapArrayBuilder<kj::AutoCloseFd>(FdCount());
    uint32_t start[2] = {serial, static_cast<uint32_t>(fds.capacity())};
    list.set(0, kj::arrayPtr(reinterpret_cast<kj::byte*>(start), sizeof start));
    for (uint32_t i = 1; i < elements; i++) {
      auto data = list.init(i, elements == 300 ? Roll(64) : Size());
      for (size_t at = 0; at < data.size(); at++) data[at] = Pattern(serial, i, at);
    }
    for (size_t i = 0; i < fds.capacity(); i++) fds.add(MakeToken(serial * 256 + i));
    auto numbers = KJ_MAP(fd, fds) -> int { return fd.get(); };
    capnp::writeMessage(stream, numbers, message).wait(scope);
  }

 private:
  uint32_t Roll(uint32_t below) { return dice_() % below; }
  uint32_t FdCount() { return Roll(2) == 0 ? 0 : Roll(200) == 0 ? kMostFds : 1 + Roll(4); }
  uint32_t Size() { return Roll(200) == 0 ? Roll(1 << 20) : Roll(10) == 0 ? Roll(40000) : Roll(200); }

  std::mt19937 dice_;
};

kj::AutoCloseFd AcceptOne(const char* path) {
  kj::AutoCloseFd listening(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {AF_UNIX, {}};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  KJ_SYSCALL(bind(listening, reinterpret_cast<sockaddr*>(&address), sizeof address));
  KJ_SYSCALL(listen(listening, 1));
  printf("{\"version\":\"%d.%d.%d\"}\n", CAPNP_VERSION_MAJOR, CAPNP_VERSION_MINOR, CAPNP_VERSION_MICRO);
  fflush(stdout);
  int fd;
  KJ_SYSCALL(fd = accept4(listening, nullptr, nullptr, SOCK_CLOEXEC));
  return kj::AutoCloseFd(fd);
}

void Serve(kj::AsyncCapabilityStream& stream, kj::WaitScope& scope, const std::string& mode, Counts& counts) {
  auto space = kj::heapArray<kj::AutoCloseFd>(kMostFds);
  for (;;) {
    auto read = capnp::tryReadMessage(stream, space).wait(scope);
    KJ_IF_MAYBE(message, read) {
      if (mode == "list") {
        auto list = message->reader->getRoot<capnp::AnyPointer>().getAs<capnp::List<capnp::Data>>();
        printf("{\"serial\":%u,\"tokens\":[", SerialOf(list));
        for (auto& fd : message->fds) printf(&fd == message->fds.begin() ? "%u" : ",%u", TokenOf(fd.get()));
        printf("]}\n");
      } else {
        Check(*message->reader, message->fds, counts);
      }
      if (mode == "echo") {
        capnp::MallocMessageBuilder copy;
        copy.setRoot(message->reader->getRoot<capnp::AnyPointer>());
        auto numbers = KJ_MAP(fd, message->fds) -> int { return fd.get(); };
        capnp::writeMessage(stream, numbers, copy).wait(scope);
      }
      for (auto& fd : message->fds) fd = nullptr;
    } else {
      return;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return Failed("capnp-peer PATH MODE [SEED COUNT]");
  const std::string mode = argv[2];
  auto io = kj::setupAsyncIo();
  Counts counts;
  const int before = OpenDescriptors();
  {
    auto stream = io.lowLevelProvider->wrapUnixSocketFd(AcceptOne(argv[1]));
    if (mode == "send") {
      Sender sender(strtoul(argv[3], nullptr, 10));
      for (uint32_t serial = 0; serial < strtoul(argv[4], nullptr, 10); serial++) {
        sender.Send(*stream, io.waitScope, serial);
      }
    } else {
      Serve(*stream, io.waitScope, mode, counts);
    }
    stream->shutdownWrite();
  }
  printf("{\"frames\":%u,\"descriptors\":%u,\"misassigned\":%u,\"lost\":%u,\"damaged\":%u,\"leaked\":%d}\n",
         counts.frames, counts.descriptors, counts.misassigned, counts.lost, counts.damaged,
         OpenDescriptors() - before);
  return 0;
}
