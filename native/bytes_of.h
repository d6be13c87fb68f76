// The memory behind a Uint8Array, which JavaScript may take away whenever it runs.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>

namespace pillion {

// Where a Uint8Array's bytes are until JavaScript runs again; length 0 once its buffer is detached.
inline uint8_t* BytesOf(napi_env env, napi_value array, size_t* length) {
  void* data = nullptr;
  *length = 0;
  if (array == nullptr || napi_get_typedarray_info(env, array, nullptr, length, &data, nullptr, nullptr) != napi_ok ||
      data == nullptr) {
    *length = 0;
  }
  return static_cast<uint8_t*>(data);
}

}  // namespace pillion
