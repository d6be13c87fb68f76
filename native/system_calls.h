// The system calls that need no object: free functions of the addon, one per call or per inseparable group of calls.
// They decide nothing: what fails returns a negative errno, and src/transport makes the typed error of it. Every
// descriptor they make is entered in the environment's ledger. Types and docstrings: src/transport/system-calls.ts.
#pragma once

#include <napi.h>

namespace pillion {

void InitSystemCalls(Napi::Env env, Napi::Object exports);

// One per file of the same name.
void InitDescriptors(Napi::Env env, Napi::Object exports);
void InitListening(Napi::Env env, Napi::Object exports);
void InitSocketFiles(Napi::Env env, Napi::Object exports);
void InitPeers(Napi::Env env, Napi::Object exports);
void InitDatagrams(Napi::Env env, Napi::Object exports);
void InitHandover(Napi::Env env, Napi::Object exports);

}  // namespace pillion
