/*
 * A connected socket that carries frames (u32 length, payload) with descriptors, in three ways of waiting and calling.
 * Descriptors that arrive are counted and closed.
 */
#ifndef CONNECTION_H
#define CONNECTION_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mode { mode_epoll, mode_blocking, mode_recvmmsg };

enum { most_descriptors = 16, most_messages = 32 };

struct frame {
  const uint8_t *payload;
  size_t size;
};

struct connection {
  int fd;
  int epoll;
  enum mode mode;
  size_t payload;
  int descriptors; /* of each frame */
  int file;        /* what is sent */
  bool drained;    /* nothing is left to receive, as far as is known */
  uint8_t *in;
  size_t capacity, start, end;
  uint8_t *out;
  size_t gathered;
  int queued; /* frames that wait for sendmmsg, or large ones for sendmsg */
  size_t queued_bytes; /* of the large ones */
  struct frame messages[most_messages];
  uint64_t received_descriptors;
};

void open_connection(struct connection *c, int fd, enum mode mode, size_t payload, int descriptors);
/* One frame, now. */
void send_frame(struct connection *c, const uint8_t *payload, size_t size, int descriptors);
/* One of many: gathered, and sent when enough wait. */
void queue_frame(struct connection *c, const uint8_t *payload, size_t size);
void flush_frames(struct connection *c);
/* The next frame; valid until the next call. False: the peer has gone. */
bool next_frame(struct connection *c, struct frame *frame);

#endif
