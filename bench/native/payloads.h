/* The payloads that are sent in turn, and what a receiver works out of each: the same rule as bench/roles/payloads.ts. */
#ifndef PAYLOADS_H
#define PAYLOADS_H
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum { page = 4096, large = 2 * page };

struct payloads {
  size_t size;
  size_t count;
  uint8_t *bytes;
  uint32_t *digests;
};

/* Of a small payload its ends; of a large one a byte of each page, so that all of it has to be there. */
static inline uint32_t digest(const uint8_t *bytes, size_t size) {
  if (size < large) return bytes[0] + ((uint32_t)bytes[size - 1] << 8);
  uint32_t sum = 0;
  for (size_t at = 0; at < size; at += page) sum = sum * 31 + bytes[at];
  return sum * 31 + bytes[size - 1];
}

static inline struct payloads make_payloads(size_t size) {
  size_t count = 256 * 1024 / size;
  if (count > 1024) count = 1024;
  if (count < 2) count = 2;
  struct payloads made = {size, count, malloc(size * count), malloc(count * sizeof(uint32_t))};
  for (size_t i = 0; i < count; i++) {
    uint8_t *bytes = made.bytes + i * size;
    for (size_t at = 0; at < size; at++) bytes[at] = (uint8_t)(i * 7 + at / page);
    bytes[0] = (uint8_t)i;
    bytes[size - 1] = (uint8_t)((i >> 8) ^ 0x5a);
    made.digests[i] = digest(bytes, size);
  }
  return made;
}

static inline uint32_t add_digest(uint32_t checksum, uint32_t of_frame) { return checksum * 31 + of_frame; }

#endif
