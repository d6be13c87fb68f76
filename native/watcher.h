// Watcher: tells JavaScript when a descriptor that it owns elsewhere (a listening socket) can be read.
#pragma once

#include <napi.h>

#include <memory>

#include "environment.h"
#include "readiness.h"

namespace pillion {

class Watcher final : public Napi::ObjectWrap<Watcher>, private ReadinessTarget, private Closable {
 public:
  static void Init(Napi::Env env, Napi::Object exports);

  // new Watcher(fd, onReady): the descriptor stays the caller's, who closes the watcher first. While it does not watch,
  // it leaves the number alone, which may be another file's by the time the collector finds both.
  explicit Watcher(const Napi::CallbackInfo& info);
  ~Watcher() override;

 private:
  Napi::Value Watch(const Napi::CallbackInfo& info);
  Napi::Value SetRef(const Napi::CallbackInfo& info);
  Napi::Value CloseNow(const Napi::CallbackInfo& info);

  void OnReady(int events) override;
  void CloseForEnvironment() override;
  void Close();
  void Stop();

  std::shared_ptr<Environment> environment_;
  int fd_;
  OwnReadiness readiness_;  // null while nothing is watched
  Napi::FunctionReference on_ready_;
  bool ref_ = true;
  bool closed_ = false;
};

}  // namespace pillion
