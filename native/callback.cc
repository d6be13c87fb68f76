#include "callback.h"

#include "environment.h"

namespace pillion {

void CallBack(napi_env env, const Environment& environment, napi_value receiver, napi_value function) {
  if (napi_make_callback(env, environment.async_context(), receiver, function, 0, nullptr, nullptr) == napi_ok) {
    return;
  }
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending) return;
  napi_value error = nullptr;
  napi_get_and_clear_last_exception(env, &error);
  napi_fatal_exception(env, error);
}

}  // namespace pillion
