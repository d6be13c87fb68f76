// How the free functions take their arguments and answer: numbers in, numbers out, a negative errno for a failure.
// Arguments are trusted to have the types of src/transport/system-calls.ts.
#pragma once

#include <napi.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "environment.h"
#include "fd.h"

namespace pillion {

template <Napi::Value (*function)(const Napi::CallbackInfo&)>
void Export(Napi::Env env, Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<function>(env, name));
}

inline int IntArgument(const Napi::CallbackInfo& info, size_t index) {
  return info[index].As<Napi::Number>().Int32Value();
}

inline Napi::Value NumberResult(const Napi::CallbackInfo& info, int64_t value) {
  return Napi::Number::New(info.Env(), static_cast<double>(value));
}

// Read errno before anything else can change it: call this right behind the failure.
inline Napi::Value ErrnoResult(const Napi::CallbackInfo& info) { return NumberResult(info, -errno); }

// 0, or the errno of a call that said -1.
inline Napi::Value StatusResult(const Napi::CallbackInfo& info, int result) {
  return NumberResult(info, result < 0 ? -errno : 0);
}

// The descriptor is JavaScript's from here on.
inline Napi::Value OwnedResult(const Napi::CallbackInfo& info, Fd fd) {
  Environment::Of(info.Env()).ledger().Add(fd.Get());
  return NumberResult(info, fd.Take());
}

}  // namespace pillion
