// Socket: one connected Unix socket. Receives what a wake-up brings into the environment's slab and sends what a
// plan lays out; decides nothing about either. Knows no frames.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "environment.h"
#include "fd.h"
#include "readiness.h"
#include "receiving.h"

namespace pillion {

class Socket final : public Napi::ObjectWrap<Socket>, private ReadinessTarget, private Closable {
 public:
  static void Init(Napi::Env env, Napi::Object exports);

  // new Socket(fd, edge, keepsMessages): the descriptor is in the ledger, and stays there while it is open.
  explicit Socket(const Napi::CallbackInfo& info);
  ~Socket() override;

 private:
  struct Filled {
    size_t bytes = 0;
    bool drained = false;  // nothing more was there, or the readiness tells of the rest by itself
    bool anything = false;
  };

  // Called by JavaScript; docstrings are in src/transport/native.ts.
  Napi::Value Watch(const Napi::CallbackInfo& info);
  Napi::Value Lend(const Napi::CallbackInfo& info);
  Napi::Value Send(const Napi::CallbackInfo& info);
  Napi::Value SendRun(const Napi::CallbackInfo& info);
  Napi::Value ShutDown(const Napi::CallbackInfo& info);
  Napi::Value Configure(const Napi::CallbackInfo& info);
  Napi::Value SetRef(const Napi::CallbackInfo& info);
  Napi::Value Preload(const Napi::CallbackInfo& info);
  Napi::Value Release(const Napi::CallbackInfo& info);
  Napi::Value CloseNow(const Napi::CallbackInfo& info);

  void OnReady(int events) override;
  void CloseForEnvironment() override;

  void Receive(napi_value self);
  Filled Fill(napi_value slab);
  struct Several {
    size_t bytes = 0;
    size_t last = 0;       // bytes of the last recvmsg, if it has returned a set
    bool emptied = false;  // there was less than asked for
    bool ended = false;
    int error = 0;
  };
  size_t MostAtOnce(size_t each, size_t room, const Rows& rows) const;
  Several FillSeveral(uint8_t* into, size_t each, size_t most, size_t position, Rows* rows);
  void AddRow(Rows* rows, size_t position, bool truncated, size_t count);
  Filled FillMessages(napi_value slab);
  enum class Unstamped { kEnd, kMessage, kUnknown };
  Unstamped WhatCame();
  bool NextBears();
  int32_t AfterLast(int32_t status);
  void KeepUnconsumed(napi_value slab);
  int Apply(int watched);
  void Unwatch();
  void Close();

  std::shared_ptr<Environment> environment_;
  Fd fd_;
  OwnReadiness readiness_;
  Napi::Reference<Napi::Uint8Array> lent_;
  size_t lent_filled_ = 0;
  size_t ahead_ = 0;  // the most to receive into the slab by one call, 0: what it has room for
  // Bytes that JavaScript has not consumed: put in front of the next ones, so that it always sees them in one piece.
  std::vector<uint8_t> carry_;
  bool carry_lost_ = false;
  int32_t receive_calls_ = 0;
  size_t headroom_ = 0;
  LoneSets lone_sets_;
  uint64_t busy_poll_ns_ = 0;
  int watched_ = 0;
  bool accepts_descriptors_ = true;
  bool tells_receives_ = false;  // a row for each recvmsg, not only for those that return a set
  bool keeps_messages_ = false;  // the kernel keeps boundaries: each recvmsg is a message
  bool reset_ = false;           // ECONNRESET was said, and messages may still come
  int32_t untold_error_ = 0;     // recvmmsg has said it, and bytes may still come
};

}  // namespace pillion
