#include "environment.h"

#include <utility>

#include "edge_set.h"
#include "handover.h"

namespace pillion {

namespace {

// The instance data's own owner: sockets and uv handles share the environment beyond it.
struct Instance {
  std::shared_ptr<Environment> environment;
};

// An Int32Array of `length` words whose memory native code keeps reading and writing.
int32_t* MakeWords(napi_env env, size_t length, napi_ref* ref, Napi::Object exports, const char* name) {
  Napi::Int32Array words = Napi::Int32Array::New(env, length);
  exports.Set(name, words);
  napi_create_reference(env, words, 1, ref);
  return words.Data();
}

}  // namespace

Environment& Environment::Of(Napi::Env env) { return *env.GetInstanceData<Instance>()->environment; }

void Environment::Init(Napi::Env env, Napi::Object exports) {
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  auto environment = std::make_shared<Environment>(env, loop);
  environment->control_ = MakeWords(env, kControlWords, &environment->control_ref_, exports, "control");
  environment->received_ = MakeWords(env, kReceivedInts, &environment->received_ref_, exports, "received");
  environment->plan_ = MakeWords(env, kPlanInts, &environment->plan_ref_, exports, "plan");
  napi_async_init(env, nullptr, Napi::String::New(env, "pillion"), &environment->async_context_);
  napi_add_async_cleanup_hook(env, Cleanup, environment.get(), &environment->cleanup_handle_);
  exports.Set("setCallbacks", Napi::Function::New<SetCallbacks>(env, "setCallbacks"));
  exports.Set("setSlab", Napi::Function::New<SetSlab>(env, "setSlab"));
  exports.Set("openEdgeSet", Napi::Function::New<OpenEdgeSet>(env, "openEdgeSet"));
  exports.Set("hasHeadroom", Napi::Function::New<HasHeadroom>(env, "hasHeadroom"));
  env.SetInstanceData(new Instance{std::move(environment)});
}

Environment::Environment(Napi::Env env, uv_loop_t* loop) : env_(env), loop_(loop) {}

Environment::~Environment() = default;

EdgeSet& Environment::edges() {
  if (!edges_) edges_ = std::make_unique<EdgeSet>(*this);
  return *edges_;
}

void Environment::Register(Closable* closable) {
  closable->next_ = closables_;
  closable->link_ = &closables_;
  if (closables_ != nullptr) closables_->link_ = &closable->next_;
  closables_ = closable;
}

void Environment::Unregister(Closable* closable) {
  if (closable->link_ == nullptr) return;
  *closable->link_ = closable->next_;
  if (closable->next_ != nullptr) closable->next_->link_ = closable->link_;
  closable->link_ = nullptr;
}

napi_value Environment::ValueOf(napi_ref reference) const {
  napi_value value = nullptr;
  if (reference != nullptr) napi_get_reference_value(env_, reference, &value);
  return value;
}

// Instead of what it held.
void Environment::Hold(napi_ref* reference, napi_value value) {
  if (*reference != nullptr) napi_delete_reference(env_, *reference);
  napi_create_reference(env_, value, 1, reference);
}

Napi::Value Environment::SetCallbacks(const Napi::CallbackInfo& info) {
  Environment& self = Of(info.Env());
  self.Hold(&self.on_readable_, info[0]);
  self.Hold(&self.on_writable_, info[1]);
  return info.Env().Undefined();
}

Napi::Value Environment::SetSlab(const Napi::CallbackInfo& info) {
  Environment& self = Of(info.Env());
  self.Hold(&self.slab_, info[0]);
  return info.Env().Undefined();
}

Napi::Value Environment::OpenEdgeSet(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), Of(info.Env()).edges().Open());
}

Napi::Value Environment::HasHeadroom(const Napi::CallbackInfo& info) {
  const size_t wanted = info[0].As<Napi::Number>().Uint32Value();
  return Napi::Boolean::New(info.Env(), Of(info.Env()).headroom().Has(wanted));
}

void Environment::HandleClosed() {
  if (--open_handles_ > 0 || !cleanup_started_) return;
  napi_remove_async_cleanup_hook(cleanup_handle_);
  until_handles_close_.reset();  // may be the last owner: nothing of this object is touched any more
}

// Runs when JavaScript can no longer: what the environment owns is closed here, whatever its objects were doing.
void Environment::Cleanup(napi_async_cleanup_hook_handle handle, void* data) {
  auto* self = static_cast<Environment*>(data);
  self->until_handles_close_ = self->shared_from_this();
  self->cleanup_started_ = true;
  self->cleanup_handle_ = handle;
  while (self->closables_ != nullptr) {
    Closable* closable = self->closables_;
    self->Unregister(closable);
    closable->CloseForEnvironment();
  }
  self->edges_.reset();
  self->ledger_.CloseAll();
  Handover::Instance().CloseAll(self);
  napi_async_destroy(self->env_, self->async_context_);
  ++self->open_handles_;  // as if one more closed: covers an environment without any
  self->HandleClosed();
}

}  // namespace pillion
