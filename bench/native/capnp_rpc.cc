// Cap'n Proto C++ RPC over a Unix socket: the contender capnp-c++.
//
//     capnp_rpc server|client echo|flight|chain|swap PATH
//
// The client prints a line of JSON when it is ready, then one for each line `run MILLISECONDS` on its input.
#include <capnp/rpc-twoparty.h>
#include <fcntl.h>
#include <kj/async-io.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "bench.capnp.h"

namespace {

constexpr uint32_t kDescriptorsPerMessage = 4;
constexpr int kInFlight = 64;
constexpr int kChain = 8;
const char kText[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

double Now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

class FileImpl final : public File::Server {
 public:
  explicit FileImpl(int fd) : fd_(fd) {}
  kj::Maybe<int> getFd() override { return fd_; }

 private:
  int fd_;
};

class CounterImpl final : public Counter::Server {
 public:
  explicit CounterImpl(uint32_t value) : value_(value) {}
  kj::Promise<void> next(NextContext context) override {
    context.getResults().setCounter(kj::heap<CounterImpl>(value_ + 1));
    return kj::READY_NOW;
  }
  kj::Promise<void> value(ValueContext context) override {
    context.getResults().setValue(value_);
    return kj::READY_NOW;
  }

 private:
  uint32_t value_;
};

class BenchImpl final : public Bench::Server {
 public:
  explicit BenchImpl(int file) : file_(file) {}
  kj::Promise<void> echo(EchoContext context) override {
    context.getResults().setText(context.getParams().getText());
    return kj::READY_NOW;
  }
  kj::Promise<void> counter(CounterContext context) override {
    context.getResults().setCounter(kj::heap<CounterImpl>(1));
    return kj::READY_NOW;
  }
  kj::Promise<void> swap(SwapContext context) override {
    auto got = context.getParams().getFile();
    return got.getFd().attach(kj::cp(got)).then([this, context](kj::Maybe<int> fd) mutable {
      KJ_REQUIRE(fd != nullptr, "no descriptor came");
      context.getResults().setFile(kj::heap<FileImpl>(file_));
    });
  }

 private:
  int file_;
};

int OpenSocket(const char* path, bool serves) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (!serves) return connect(fd, generic, sizeof address) == 0 ? fd : -1;
  if (bind(fd, generic, sizeof address) != 0 || listen(fd, 1) != 0) return -1;
  puts("{\"ready\":true}");
  fflush(stdout);
  return accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
}

class Client {
 public:
  Client(Bench::Client bench, kj::WaitScope& scope, int file) : bench_(bench), scope_(scope), file_(file) {}

  void Run(const std::string& pattern, double milliseconds) {
    until_ = Now() + milliseconds * 1e3;
    if (pattern == "flight") return Flight();
    std::vector<double> laps;
    double last = Now();
    while (last < until_) {
      if (pattern == "echo") Echo();
      else if (pattern == "chain") Chain();
      else Swap();
      double t = Now();
      laps.push_back(t - last);
      last = t;
    }
    std::sort(laps.begin(), laps.end());
    printf("{\"metrics\":{\"p50\":%.3f,\"p99\":%.3f,\"operations\":%zu}}\n", laps[laps.size() / 2],
           laps[laps.size() * 99 / 100], laps.size());
    fflush(stdout);
  }

 private:
  kj::Promise<void> Call() {
    auto request = bench_.echoRequest(capnp::MessageSize{24, 0});
    request.setText(kText);
    return request.send().then([](capnp::Response<Bench::EchoResults> response) {
      KJ_REQUIRE(response.getText() == kText, "the text came back changed");
    });
  }

  void Echo() { Call().wait(scope_); }

  void Chain() {
    auto counter = bench_.counterRequest().send().getCounter();
    for (int i = 0; i < kChain - 2; i++) counter = counter.nextRequest().send().getCounter();
    auto response = counter.valueRequest().send().wait(scope_);
    KJ_REQUIRE(response.getValue() == kChain - 1, "the chain gave something else");
  }

  void Swap() {
    auto request = bench_.swapRequest();
    request.setFile(kj::heap<FileImpl>(file_));
    auto response = request.send().wait(scope_);
    auto file = response.getFile();
    KJ_REQUIRE(file.getFd().wait(scope_) != nullptr, "no descriptor came back");
  }

  kj::Promise<void> Lane() {
    return Call().then([this]() -> kj::Promise<void> {
      calls_++;
      if (Now() >= until_) return kj::READY_NOW;
      return Lane();
    });
  }

  void Flight() {
    calls_ = 0;
    double began = Now();
    auto lanes = kj::heapArrayBuilder<kj::Promise<void>>(kInFlight);
    for (int i = 0; i < kInFlight; i++) lanes.add(Lane());
    kj::joinPromises(lanes.finish()).wait(scope_);
    printf("{\"metrics\":{\"calls\":%.1f,\"operations\":%.0f}}\n", calls_ / ((Now() - began) / 1e6), double(calls_));
    fflush(stdout);
  }

  Bench::Client bench_;
  kj::WaitScope& scope_;
  int file_;
  double until_ = 0;
  double calls_ = 0;
};

void Serve(kj::AsyncIoContext& io, kj::AsyncCapabilityStream& stream, int file) {
  capnp::TwoPartyVatNetwork network(stream, kDescriptorsPerMessage, capnp::rpc::twoparty::Side::SERVER);
  auto system = capnp::makeRpcServer(network, kj::heap<BenchImpl>(file));
  network.onDisconnect().wait(io.waitScope);
}

void Ask(kj::AsyncIoContext& io, kj::AsyncCapabilityStream& stream, int file, const std::string& pattern) {
  capnp::TwoPartyVatNetwork network(stream, kDescriptorsPerMessage, capnp::rpc::twoparty::Side::CLIENT);
  auto system = capnp::makeRpcClient(network);
  capnp::MallocMessageBuilder message(8);
  auto vat = message.initRoot<capnp::rpc::twoparty::VatId>();
  vat.setSide(capnp::rpc::twoparty::Side::SERVER);
  Client client(system.bootstrap(vat).castAs<Bench>(), io.waitScope, file);
  puts("{\"ready\":true}");
  fflush(stdout);
  char line[64];
  double milliseconds;
  while (fgets(line, sizeof line, stdin) != nullptr && sscanf(line, "run %lf", &milliseconds) == 1) {
    client.Run(pattern, milliseconds);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  bool serves = strcmp(argv[1], "server") == 0;
  int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
  auto io = kj::setupAsyncIo();
  int fd = OpenSocket(argv[3], serves);
  if (fd < 0) return 1;
  auto stream = io.lowLevelProvider->wrapUnixSocketFd(
      fd, kj::LowLevelAsyncIoProvider::TAKE_OWNERSHIP | kj::LowLevelAsyncIoProvider::ALREADY_CLOEXEC);
  if (serves) Serve(io, *stream, file);
  else Ask(io, *stream, file, argv[2]);
  _exit(0);
}
