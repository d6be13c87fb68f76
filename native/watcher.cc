#include "watcher.h"

#include <cerrno>

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
    : Napi::ObjectWrap<Watcher>(info), environment_(Environment::Of(info.Env()).shared_from_this()) {
  readiness_ = MakeLevelReadiness(*environment_, info[0].As<Napi::Number>().Int32Value(), this);
  on_ready_ = Napi::Weak(info[1].As<Napi::Function>());
  environment_->Register(this);
}

Watcher::~Watcher() {
  environment_->Unregister(this);
  Close();
}

Napi::Value Watcher::Watch(const Napi::CallbackInfo& info) {
  if (!readiness_) return Napi::Number::New(info.Env(), -EBADF);
  const bool on = info[0].As<Napi::Boolean>().Value();
  const int error = readiness_->Watch(on ? UV_READABLE : 0);
  if (error == 0 && on != watching_) {
    on ? on_ready_.Ref() : on_ready_.Unref();
    watching_ = on;
  }
  return Napi::Number::New(info.Env(), error);
}

Napi::Value Watcher::SetRef(const Napi::CallbackInfo& info) {
  if (readiness_) readiness_->SetRef(info[0].As<Napi::Boolean>().Value());
  return info.Env().Undefined();
}

Napi::Value Watcher::CloseNow(const Napi::CallbackInfo& info) {
  Close();
  return info.Env().Undefined();
}

void Watcher::OnReady(int) {
  const Napi::HandleScope scope(Env());
  [[maybe_unused]] const Napi::Value alive = Value();  // whatever JavaScript lets go of in the callbacks
  if (watching_) CallBack(Env(), *environment_, on_ready_);
}

void Watcher::CloseForEnvironment() { Close(); }

void Watcher::Close() {
  if (!readiness_) return;
  if (watching_ && !environment_->ended()) on_ready_.Unref();
  watching_ = false;
  readiness_.reset();
}

}  // namespace pillion
