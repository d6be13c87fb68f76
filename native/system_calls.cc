#include "system_calls.h"

namespace pillion {

void InitSystemCalls(Napi::Env env, Napi::Object exports) {
  InitDescriptors(env, exports);
  InitListening(env, exports);
  InitSocketFiles(env, exports);
  InitPeers(env, exports);
  InitDatagrams(env, exports);
  InitHandover(env, exports);
}

}  // namespace pillion
