// What a sealed memfd holds, as memory of this process.
#pragma once

#include <napi.h>

namespace pillion {

void InitMemoryMap(Napi::Env env, Napi::Object exports);

}  // namespace pillion
