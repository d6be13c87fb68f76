/*
 * What the kernel gives to C: the contenders c-epoll, c-blocking and c-recvmmsg.
 *
 *     sockets epoll|blocking|recvmmsg server|client ping|flood PATH PAYLOAD DESCRIPTORS
 *
 * The client prints a line of JSON when it is ready, then one for each line `run MILLISECONDS` on its input.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "connection.h"
#include "payloads.h"

struct report {
  uint64_t frames;
  uint64_t descriptors;
  uint32_t checksum;
};

enum { most_laps = 1 << 21 };

static double laps[most_laps];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static int open_socket(const char *path, int serves) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (serves) {
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1) != 0) exit(1);
    puts("{\"ready\":true}");
    fflush(stdout);
    return accept4(fd, NULL, NULL, SOCK_CLOEXEC);
  }
  return connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
}

static void fail(const char *why) {
  printf("{\"failure\":\"%s\"}\n", why);
  fflush(stdout);
}

static void serve(struct connection *c, const struct payloads *pool, int ping) {
  struct report report = {0, 0, 0};
  struct frame frame;
  size_t next = 0;
  while (next_frame(c, &frame)) {
    if (frame.size != pool->size) {
      report.descriptors = c->received_descriptors;
      send_frame(c, (const uint8_t *)&report, sizeof report, 0);
      report = (struct report){0, 0, 0};
      c->received_descriptors = 0;
    } else if (ping) {
      if (digest(frame.payload, frame.size) != pool->digests[next]) exit(1);
      if (c->received_descriptors != (uint64_t)c->descriptors) exit(1);
      c->received_descriptors = 0;
      send_frame(c, pool->bytes + next * pool->size, pool->size, c->descriptors);
      if (++next == pool->count) next = 0;
    } else {
      report.frames++;
      report.checksum = add_digest(report.checksum, digest(frame.payload, frame.size));
    }
  }
}

static void ping(struct connection *c, const struct payloads *pool, double milliseconds) {
  static size_t next = 0;
  size_t count = 0;
  double last = now(), until = last + milliseconds * 1e3;
  c->received_descriptors = 0;
  while (last < until && count < most_laps) {
    struct frame frame;
    send_frame(c, pool->bytes + next * pool->size, pool->size, c->descriptors);
    if (!next_frame(c, &frame)) return fail("the server has gone");
    if (frame.size != pool->size || digest(frame.payload, frame.size) != pool->digests[next]) {
      return fail("a frame came back changed");
    }
    if (++next == pool->count) next = 0;
    double t = now();
    laps[count++] = t - last;
    last = t;
  }
  if (c->received_descriptors != count * c->descriptors) return fail("descriptors were lost");
  qsort(laps, count, sizeof(double), by_size);
  printf("{\"metrics\":{\"p50\":%.3f,\"p99\":%.3f,\"operations\":%zu}}\n", laps[count / 2], laps[count * 99 / 100],
         count);
  fflush(stdout);
}

static void flood(struct connection *c, const struct payloads *pool, double milliseconds) {
  struct report sent = {0, 0, 0}, received;
  double began = now(), until = began + milliseconds * 1e3;
  size_t next = 0, ask = pool->size < large ? 255 : 0;
  while ((sent.frames & ask) != 0 || now() < until) {
    queue_frame(c, pool->bytes + next * pool->size, pool->size);
    sent.frames++;
    sent.checksum = add_digest(sent.checksum, pool->digests[next]);
    if (++next == pool->count) next = 0;
  }
  flush_frames(c);
  sent.descriptors = sent.frames * c->descriptors;
  uint8_t last = 0;
  send_frame(c, &last, 1, 0);
  struct frame frame;
  if (!next_frame(c, &frame) || frame.size != sizeof received) return fail("no report came");
  double seconds = (now() - began) / 1e6;
  memcpy(&received, frame.payload, sizeof received);
  if (received.frames != sent.frames || received.checksum != sent.checksum) return fail("frames were lost or changed");
  if (received.descriptors != sent.descriptors) return fail("descriptors were lost");
  printf("{\"metrics\":{\"frames\":%.1f,\"bytes\":%.1f,\"descriptors\":%.1f,\"operations\":%.0f}}\n",
         sent.frames / seconds, (double)sent.frames * pool->size / seconds, sent.descriptors / seconds,
         (double)sent.frames);
  fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc != 7) return 2;
  enum mode mode = !strcmp(argv[1], "epoll") ? mode_epoll : !strcmp(argv[1], "blocking") ? mode_blocking : mode_recvmmsg;
  int serves = !strcmp(argv[2], "server"), pings = !strcmp(argv[3], "ping");
  struct payloads pool = make_payloads(strtoul(argv[5], NULL, 10));
  int fd = open_socket(argv[4], serves);
  if (fd < 0) return 1;
  struct connection c;
  open_connection(&c, fd, mode, pool.size, atoi(argv[6]));
  if (serves) {
    serve(&c, &pool, pings);
    return 0;
  }
  puts("{\"ready\":true}");
  fflush(stdout);
  char line[64];
  while (fgets(line, sizeof line, stdin) != NULL) {
    double milliseconds = 0;
    if (sscanf(line, "run %lf", &milliseconds) != 1) return 2;
    if (pings) ping(&c, &pool, milliseconds);
    else flood(&c, &pool, milliseconds);
  }
  return 0;
}
