#define _GNU_SOURCE
#include "connection.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { gather_bytes = 64 * 1024, gather_large = 256 * 1024, buffer_bytes = 512 * 1024, header_bytes = 4 };

#define CONTROL_BYTES CMSG_SPACE(sizeof(int) * most_descriptors)

static void die(const char *what) {
  perror(what);
  exit(1);
}

void open_connection(struct connection *c, int fd, enum mode mode, size_t payload, int descriptors) {
  memset(c, 0, sizeof *c);
  c->fd = fd;
  c->epoll = -1;
  c->mode = mode;
  c->payload = payload;
  c->descriptors = descriptors;
  c->file = open("/dev/null", O_RDONLY | O_CLOEXEC);
  c->drained = true;
  /* A large frame is read into memory of its own size: nothing has to be moved. */
  c->capacity = payload >= buffer_bytes / 2 ? header_bytes + payload : buffer_bytes;
  c->in = malloc(c->capacity);
  c->out = malloc(gather_bytes + header_bytes + payload);
  int size = 1024 * 1024;
  if (payload >= 16 * 1024) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  if (mode != mode_epoll) return;
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET};
  c->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (c->epoll < 0 || epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll");
}

static void wait_writable(struct connection *c) {
  struct pollfd waiting = {.fd = c->fd, .events = POLLOUT};
  if (poll(&waiting, 1, -1) < 0 && errno != EINTR) die("poll");
}

static void attach(struct msghdr *message, char *control, int file, int descriptors) {
  if (descriptors == 0) return;
  message->msg_control = control;
  message->msg_controllen = CMSG_SPACE(sizeof(int) * descriptors);
  struct cmsghdr *header = CMSG_FIRSTHDR(message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int) * descriptors);
  for (int i = 0; i < descriptors; i++) memcpy(CMSG_DATA(header) + i * sizeof(int), &file, sizeof(int));
}

/* All of it, the descriptors with its first byte. */
static void send_all(struct connection *c, struct iovec *parts, int count, int descriptors) {
  _Alignas(struct cmsghdr) char control[CONTROL_BYTES];
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
  attach(&message, control, c->file, descriptors);
  while (message.msg_iovlen > 0) {
    ssize_t sent = sendmsg(c->fd, &message, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EAGAIN) wait_writable(c);
      else if (errno != EINTR) die("sendmsg");
      continue;
    }
    message.msg_control = NULL;
    message.msg_controllen = 0;
    while (message.msg_iovlen > 0 && (size_t)sent >= message.msg_iov->iov_len) {
      sent -= message.msg_iov->iov_len;
      message.msg_iov++;
      message.msg_iovlen--;
    }
    if (message.msg_iovlen == 0) break;
    message.msg_iov->iov_base = (char *)message.msg_iov->iov_base + sent;
    message.msg_iov->iov_len -= sent;
  }
}

void send_frame(struct connection *c, const uint8_t *payload, size_t size, int descriptors) {
  uint32_t header = (uint32_t)size;
  struct iovec parts[2] = {{&header, header_bytes}, {(void *)payload, size}};
  send_all(c, parts, 2, descriptors);
}

static void flush_messages(struct connection *c) {
  struct mmsghdr messages[most_messages];
  struct iovec parts[most_messages][2];
  uint32_t headers[most_messages];
  _Alignas(struct cmsghdr) char controls[most_messages][CONTROL_BYTES];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < c->queued; i++) {
    headers[i] = (uint32_t)c->messages[i].size;
    parts[i][0] = (struct iovec){&headers[i], header_bytes};
    parts[i][1] = (struct iovec){(void *)c->messages[i].payload, c->messages[i].size};
    messages[i].msg_hdr.msg_iov = parts[i];
    messages[i].msg_hdr.msg_iovlen = 2;
    attach(&messages[i].msg_hdr, controls[i], c->file, c->descriptors);
  }
  for (int done = 0; done < c->queued;) {
    int sent = sendmmsg(c->fd, messages + done, c->queued - done, MSG_NOSIGNAL);
    if (sent < 0 && errno != EINTR) die("sendmmsg");
    if (sent > 0) done += sent; /* a blocking socket takes small messages whole */
  }
  c->queued = 0;
}

static void flush_large(struct connection *c) {
  uint32_t headers[most_messages];
  struct iovec parts[most_messages * 2];
  for (int i = 0; i < c->queued; i++) {
    headers[i] = (uint32_t)c->messages[i].size;
    parts[i * 2] = (struct iovec){&headers[i], header_bytes};
    parts[i * 2 + 1] = (struct iovec){(void *)c->messages[i].payload, c->messages[i].size};
  }
  send_all(c, parts, c->queued * 2, 0);
  c->queued = 0;
  c->queued_bytes = 0;
}

/* Sent from where it lies, several in one call. */
static void queue_large(struct connection *c, const uint8_t *payload, size_t size) {
  c->messages[c->queued++] = (struct frame){payload, size};
  c->queued_bytes += size;
  if (c->queued == most_messages || c->queued_bytes >= gather_large) flush_large(c);
}

void queue_frame(struct connection *c, const uint8_t *payload, size_t size) {
  if (c->mode == mode_recvmmsg) {
    c->messages[c->queued++] = (struct frame){payload, size};
    if (c->queued == most_messages) flush_messages(c);
  } else if (c->descriptors > 0) {
    send_frame(c, payload, size, c->descriptors);
  } else if (size >= gather_bytes / 4) {
    queue_large(c, payload, size);
  } else {
    uint32_t header = (uint32_t)size;
    memcpy(c->out + c->gathered, &header, header_bytes);
    memcpy(c->out + c->gathered + header_bytes, payload, size);
    c->gathered += header_bytes + size;
    if (c->gathered >= gather_bytes) flush_frames(c);
  }
}

void flush_frames(struct connection *c) {
  if (c->queued > 0 && c->mode == mode_recvmmsg) flush_messages(c);
  if (c->queued > 0) flush_large(c);
  if (c->gathered == 0) return;
  struct iovec part = {c->out, c->gathered};
  send_all(c, &part, 1, 0);
  c->gathered = 0;
}

/* Numbers that follow one another, as the kernel gives them out, are closed by one call. */
struct closing {
  int first, behind;
};

static void close_run(struct closing *run) {
  if (run->behind - run->first == 1) close(run->first);
  else if (run->behind > run->first) close_range(run->first, run->behind - 1, 0);
  run->first = run->behind = 0;
}

static void close_received(struct connection *c, struct msghdr *message, struct closing *run) {
  for (struct cmsghdr *h = CMSG_FIRSTHDR(message); h != NULL; h = CMSG_NXTHDR(message, h)) {
    if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof fd);
      if (fd != run->behind) {
        close_run(run);
        run->first = fd;
      }
      run->behind = fd + 1;
    }
    c->received_descriptors += count;
  }
}

static ssize_t receive_once(struct connection *c, size_t room) {
  if (c->descriptors == 0) return recv(c->fd, c->in + c->end, room, 0);
  _Alignas(struct cmsghdr) char control[CONTROL_BYTES];
  struct iovec part = {c->in + c->end, room};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t received = recvmsg(c->fd, &message, MSG_CMSG_CLOEXEC);
  if (received < 0) return received;
  struct closing run = {0, 0};
  close_received(c, &message, &run);
  close_run(&run);
  return received;
}

/* Waits for the first message, takes what else is there; each brings a frame at most, since it stops behind a set. */
static ssize_t receive_many(struct connection *c) {
  size_t each = header_bytes + c->payload;
  int count = (int)((c->capacity - c->end) / each);
  if (count > most_messages) count = most_messages;
  struct mmsghdr messages[most_messages];
  struct iovec parts[most_messages];
  _Alignas(struct cmsghdr) char controls[most_messages][CONTROL_BYTES];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < count; i++) {
    parts[i] = (struct iovec){c->in + c->end + i * each, each};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1, .msg_control = controls[i],
                                          .msg_controllen = CONTROL_BYTES};
  }
  int got = recvmmsg(c->fd, messages, count, MSG_CMSG_CLOEXEC | MSG_WAITFORONE, NULL);
  if (got <= 0) return got;
  size_t total = 0;
  struct closing run = {0, 0};
  for (int i = 0; i < got; i++) {
    close_received(c, &messages[i].msg_hdr, &run);
    if (total != i * each) memmove(c->in + c->end + total, c->in + c->end + i * each, messages[i].msg_len);
    total += messages[i].msg_len;
  }
  close_run(&run);
  return (ssize_t)total;
}

static bool receive(struct connection *c, size_t room) {
  for (;;) {
    if (c->mode == mode_epoll && c->drained) {
      struct epoll_event event;
      if (epoll_wait(c->epoll, &event, 1, -1) < 0 && errno != EINTR) die("epoll_wait");
      c->drained = false;
    }
    ssize_t received = c->mode == mode_recvmmsg ? receive_many(c) : receive_once(c, room);
    if (received == 0) return false;
    if (received > 0) {
      /* With descriptors a short read proves nothing. */
      if (c->descriptors == 0 && (size_t)received < room) c->drained = true;
      c->end += received;
      return true;
    }
    if (errno == EAGAIN) c->drained = true;
    else if (errno == ECONNRESET) return false;
    else if (errno != EINTR) die("recv");
  }
}

bool next_frame(struct connection *c, struct frame *frame) {
  for (;;) {
    size_t have = c->end - c->start;
    size_t need = header_bytes;
    if (have >= header_bytes) {
      uint32_t size;
      memcpy(&size, c->in + c->start, header_bytes);
      need += size;
      if (need > header_bytes + c->payload + 64) die("a frame of no known size");
      if (have >= need) {
        *frame = (struct frame){c->in + c->start + header_bytes, size};
        c->start += need;
        return true;
      }
    }
    if (c->start > 0) memmove(c->in, c->in + c->start, have);
    c->start = 0;
    c->end = have;
    size_t room = c->capacity - have;
    if (!receive(c, room)) return false;
  }
}
