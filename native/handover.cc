#include "handover.h"

#include <unistd.h>

#include "call_values.h"
#include "system_calls.h"

namespace pillion {

Handover& Handover::Instance() {
  static Handover* const instance = new Handover();  // never destroyed: threads may outlive static objects
  return *instance;
}

uint64_t Handover::Open(const Environment* owner) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const uint64_t mailbox = next_++;
  mailboxes_[mailbox] = owner;
  return mailbox;
}

void Handover::Close(uint64_t mailbox) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (mailboxes_.erase(mailbox) > 0) CloseOffered(mailbox);
}

void Handover::CloseAll(const Environment* owner) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (auto mailbox = mailboxes_.begin(); mailbox != mailboxes_.end();) {
    if (mailbox->second != owner) {
      ++mailbox;
      continue;
    }
    CloseOffered(mailbox->first);
    mailbox = mailboxes_.erase(mailbox);
  }
}

uint64_t Handover::Offer(int fd, uint64_t mailbox) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (mailboxes_.count(mailbox) == 0) return 0;
  const uint64_t id = next_++;
  offered_[id] = {fd, mailbox};
  return id;
}

int Handover::Take(uint64_t id) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = offered_.find(id);
  if (found == offered_.end()) return -1;
  const int fd = found->second.fd;
  offered_.erase(found);
  return fd;
}

void Handover::Forward(uint64_t from, uint64_t to) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (auto& offered : offered_) {
    if (offered.second.mailbox == from) offered.second.mailbox = to;
  }
  if (mailboxes_.count(to) == 0) CloseOffered(to);
}

void Handover::CloseOffered(uint64_t mailbox) {
  for (auto offered = offered_.begin(); offered != offered_.end();) {
    if (offered->second.mailbox != mailbox) {
      ++offered;
      continue;
    }
    ::close(offered->second.fd);
    offered = offered_.erase(offered);
  }
}

namespace {

uint64_t IdArgument(const Napi::CallbackInfo& info, size_t index) {
  return static_cast<uint64_t>(info[index].As<Napi::Number>().Int64Value());
}

Napi::Value OpenMailbox(const Napi::CallbackInfo& info) {
  return NumberResult(info, static_cast<int64_t>(Handover::Instance().Open(&Environment::Of(info.Env()))));
}

Napi::Value CloseMailbox(const Napi::CallbackInfo& info) {
  Handover::Instance().Close(IdArgument(info, 0));
  return info.Env().Undefined();
}

Napi::Value OfferDescriptor(const Napi::CallbackInfo& info) {
  Ledger& ledger = Environment::Of(info.Env()).ledger();
  const int fd = IntArgument(info, 0);
  if (!ledger.Remove(fd)) return NumberResult(info, -EBADF);
  const uint64_t id = Handover::Instance().Offer(fd, IdArgument(info, 1));
  if (id == 0) {
    ledger.Add(fd);
    return NumberResult(info, -EPIPE);
  }
  return NumberResult(info, static_cast<int64_t>(id));
}

Napi::Value TakeOffered(const Napi::CallbackInfo& info) {
  const int fd = Handover::Instance().Take(IdArgument(info, 0));
  if (fd < 0) return NumberResult(info, -EBADF);
  Environment::Of(info.Env()).ledger().Add(fd);
  return NumberResult(info, fd);
}

Napi::Value ForwardOffered(const Napi::CallbackInfo& info) {
  Handover::Instance().Forward(IdArgument(info, 0), IdArgument(info, 1));
  return info.Env().Undefined();
}

}  // namespace

void InitHandover(Napi::Env env, Napi::Object exports) {
  Export<OpenMailbox>(env, exports, "openMailbox");
  Export<CloseMailbox>(env, exports, "closeMailbox");
  Export<OfferDescriptor>(env, exports, "offerDescriptor");
  Export<TakeOffered>(env, exports, "takeOffered");
  Export<ForwardOffered>(env, exports, "forwardOffered");
}

}  // namespace pillion
