// Calling JavaScript from the event loop.
#pragma once

#include <napi.h>

namespace pillion {

class Environment;

// Calls a function without arguments and runs what it leaves for the end of the tick. What it throws becomes the
// process's uncaught exception, as from any event: no exception crosses into native code. `receiver` is any object.
void CallBack(napi_env env, const Environment& environment, napi_value receiver, napi_value function);

}  // namespace pillion
