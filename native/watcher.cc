#include "watcher.h"

#include <cerrno>
#include <utility>

#include "callback.h"

namespace pillion {

void Watcher::Init(Napi::Env env, Napi::Object exports) {
  exports.Set("Watcher", DefineClass(env, "Watcher",
                                     {
                                         InstanceMethod<&Watcher::Watch>("watch"),
                                         InstanceMethod<&Watcher::SetRef>("setRef"),
                                         InstanceMethod<&Watcher::CloseNow>("close"),
                                     }));
}

Watcher::Watcher(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<Watcher>(info),
      environment_(Environment::Of(info.Env()).shared_from_this()),
      fd_(info[0].As<Napi::Number>().Int32Value()) {
  on_ready_ = Napi::Weak(info[1].As<Napi::Function>());
  environment_->Register(this);
}

Watcher::~Watcher() {
  environment_->Unregister(this);
  Close();
}

Napi::Value Watcher::Watch(const Napi::CallbackInfo& info) {
  if (closed_) return Napi::Number::New(info.Env(), -EBADF);
  const bool on = info[0].As<Napi::Boolean>().Value();
  int error = 0;
  if (on && !readiness_) {
    auto readiness = MakeLevelReadiness(*environment_, fd_, this);
    readiness->SetRef(ref_);
    error = readiness->Watch(UV_READABLE);
    if (error == 0) {
      readiness_ = std::move(readiness);
      on_ready_.Ref();
    }
  } else if (!on) {
    Stop();
  }
  return Napi::Number::New(info.Env(), error);
}

Napi::Value Watcher::SetRef(const Napi::CallbackInfo& info) {
  ref_ = info[0].As<Napi::Boolean>().Value();
  if (readiness_) readiness_->SetRef(ref_);
  return info.Env().Undefined();
}

Napi::Value Watcher::CloseNow(const Napi::CallbackInfo& info) {
  Close();
  return info.Env().Undefined();
}

void Watcher::OnReady(int) {
  const Napi::HandleScope scope(Env());
  const Napi::Value self = Value();  // alive, whatever JavaScript lets go of in the callback
  if (readiness_) CallBack(Env(), *environment_, self, on_ready_.Value());
}

void Watcher::CloseForEnvironment() { Close(); }

void Watcher::Close() {
  closed_ = true;
  Stop();
}

void Watcher::Stop() {
  if (!readiness_) return;
  readiness_.reset();
  if (!environment_->ended()) on_ready_.Unref();
}

}  // namespace pillion
