// The addon's front door: what JavaScript sees of native code.
#include <napi.h>

#include "environment.h"
#include "freed_memory.h"
#include "memory_map.h"
#include "socket.h"
#include "system_calls.h"
#include "watcher.h"

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  pillion::KeepFreedMemory();
  pillion::Environment::Init(env, exports);
  pillion::Socket::Init(env, exports);
  pillion::Watcher::Init(env, exports);
  pillion::InitMemoryMap(env, exports);
  pillion::InitSystemCalls(env, exports);
  return exports;
}

NODE_API_MODULE(pillion, Init)
