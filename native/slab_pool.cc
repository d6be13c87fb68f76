#include "slab_pool.h"

#include <sys/mman.h>

#include <algorithm>

#include "environment.h"

namespace pillion {

namespace {

void Unmap(void* slab) { ::munmap(slab, SlabPool::kSlabBytes); }

// takeSlab() → ArrayBuffer or undefined
Napi::Value TakeSlab(const Napi::CallbackInfo& info) {
  const napi_value slab = Environment::Of(info.Env()).slabs().Take(info.Env());
  return slab == nullptr ? info.Env().Undefined() : Napi::Value(info.Env(), slab);
}

// trimSlabs() → whether to call it again
Napi::Value TrimSlabs(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), Environment::Of(info.Env()).slabs().Trim());
}

}  // namespace

void SlabPool::Init(Napi::Env env, Napi::Object exports) {
  exports.Set("takeSlab", Napi::Function::New<TakeSlab>(env, "takeSlab"));
  exports.Set("trimSlabs", Napi::Function::New<TrimSlabs>(env, "trimSlabs"));
}

SlabPool::~SlabPool() {
  for (void* slab : free_) Unmap(slab);
}

napi_value SlabPool::Take(napi_env env) {
  keeps_ = taken_ = true;
  void* slab = nullptr;
  if (!free_.empty()) {
    slab = free_.back();
    free_.pop_back();
    least_free_ = std::min(least_free_, free_.size());
  } else {
    slab = ::mmap(nullptr, kSlabBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (slab == MAP_FAILED) return nullptr;
  }
  // The last slabs can outlive the environment.
  auto* pool = new std::shared_ptr<SlabPool>(shared_from_this());
  const auto give_back = [](napi_env, void* data, void* hint) {
    const std::unique_ptr<std::shared_ptr<SlabPool>> to(static_cast<std::shared_ptr<SlabPool>*>(hint));
    (*to)->Give(data);
  };
  napi_value buffer = nullptr;
  if (napi_create_external_arraybuffer(env, slab, kSlabBytes, give_back, pool, &buffer) == napi_ok) return buffer;
  delete pool;
  Unmap(slab);
  return nullptr;
}

void SlabPool::Give(void* slab) {
  if (keeps_ && free_.size() < kMostFree) {
    free_.push_back(slab);
  } else {
    Unmap(slab);
  }
}

bool SlabPool::Trim() {
  for (; least_free_ > 0; --least_free_) {
    Unmap(free_.back());
    free_.pop_back();
  }
  least_free_ = free_.size();
  keeps_ = taken_ || !free_.empty();
  taken_ = false;
  return keeps_;
}

}  // namespace pillion
