// Environment: what one JavaScript environment (the main thread or a worker) shares among its sockets: the ledger of
// owned descriptors, the memory that wake-ups are delivered in, and the end of it all when the environment ends.
#pragma once

#include <napi.h>
#include <uv.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "headroom.h"
#include "ledger.h"

namespace pillion {

class EdgeSet;

// What must let go of its descriptors and handles before the environment's loop can end.
class Closable {
 public:
  virtual ~Closable() = default;
  virtual void CloseForEnvironment() = 0;

 private:
  // In the environment's list: the next one, and what points at this one; null while it is in none.
  friend class Environment;
  Closable* next_ = nullptr;
  Closable** link_ = nullptr;
};

// Words of the Int32Array that native code and JavaScript share, so that a wake-up needs no arguments and no objects.
// src/transport/native.ts has the same names.
enum ControlWord : size_t {
  kSlabCursor = 0,    // JavaScript: where in the slab the next receive may write
  kConsumed = 1,      // JavaScript, in onReadable: how many of the bytes [start, end) it has done with
  kLent = 2,          // native, before onReadable: bytes written into lent memory
  kStart = 3,         // the first byte in the slab, those presented again included
  kEnd = 4,           // behind the last
  kSets = 5,          // rows in `received`
  kStatus = 6,        // ReceiveStatus, or a negative errno
  kSentMessages = 7,  // native, after send: messages whose first byte went, and their descriptors with it
  kSendError = 8,     // native, after send: the negative errno that stopped it, or 0
  kReceiveCalls = 9,  // native, before onReadable: recvmsg calls since the last time
  kControlWords = 16,
};

// kNoRoom: the slab is too full, or gone; nothing was received. kBytesGone: bytes that were to be presented again went
// with the slab's memory, which JavaScript has transferred. kUnstamped: the end, or an empty message that was the last:
// somebody has switched off what tells them apart (docs/kernel.md fact 18).
enum ReceiveStatus : int32_t {
  kMore = 0,
  kEndOfFile = 1,
  kPressure = 2,
  kNoRoom = 3,
  kBytesGone = 4,
  kUnstamped = 5,
};

class Environment : public std::enable_shared_from_this<Environment> {
 public:
  static constexpr size_t kReceivedInts = 4096;
  static constexpr size_t kPlanInts = 8192;

  // The instance of this thread's environment; Init makes it when the addon is loaded.
  static Environment& Of(Napi::Env env);
  static void Init(Napi::Env env, Napi::Object exports);

  Environment(Napi::Env env, uv_loop_t* loop);
  ~Environment();

  uv_loop_t* loop() const { return loop_; }
  Ledger& ledger() { return ledger_; }
  Headroom& headroom() { return headroom_; }
  EdgeSet& edges();
  napi_async_context async_context() const { return async_context_; }

  int32_t* control() const { return control_; }
  int32_t* received() const { return received_; }
  const int32_t* plan() const { return plan_; }

  // Called on the socket that is ready; handles of the caller's scope.
  napi_value on_readable() const { return ValueOf(on_readable_); }
  napi_value on_writable() const { return ValueOf(on_writable_); }

  // The Uint8Array that the next receive writes into, a handle of the caller's scope; null when there is none.
  napi_value slab() const { return ValueOf(slab_); }

  void Register(Closable* closable);
  void Unregister(Closable* closable);

  // Every uv handle is announced when it is initialised and when its close callback has run: the environment's end
  // waits for them.
  void HandleOpened() { ++open_handles_; }
  void HandleClosed();
  bool ended() const { return cleanup_started_; }

 private:
  static void Cleanup(napi_async_cleanup_hook_handle handle, void* data);
  static Napi::Value SetCallbacks(const Napi::CallbackInfo& info);
  static Napi::Value SetSlab(const Napi::CallbackInfo& info);
  static Napi::Value OpenEdgeSet(const Napi::CallbackInfo& info);
  static Napi::Value HasHeadroom(const Napi::CallbackInfo& info);

  napi_value ValueOf(napi_ref reference) const;
  void Hold(napi_ref* reference, napi_value value);

  napi_env env_;
  uv_loop_t* loop_;
  Ledger ledger_;
  Headroom headroom_;
  std::unique_ptr<EdgeSet> edges_;
  Closable* closables_ = nullptr;
  napi_async_context async_context_ = nullptr;
  napi_ref on_readable_ = nullptr;
  napi_ref on_writable_ = nullptr;
  napi_ref slab_ = nullptr;
  napi_ref control_ref_ = nullptr;
  napi_ref received_ref_ = nullptr;
  napi_ref plan_ref_ = nullptr;
  int32_t* control_ = nullptr;
  int32_t* received_ = nullptr;
  int32_t* plan_ = nullptr;
  size_t open_handles_ = 0;
  bool cleanup_started_ = false;
  napi_async_cleanup_hook_handle cleanup_handle_ = nullptr;
  std::shared_ptr<Environment> until_handles_close_;
};

}  // namespace pillion
