// A Wayland compositor of nothing but descriptors, by libwayland-server: its buffers, its flushes, its pairing.
//
//   XDG_RUNTIME_DIR=FOLDER wayland-server SEED     the socket is FOLDER/peer
//
// Globals: wl_seat, whose keyboard has a keymap, and pillion_peer, whose messages bear none, 1, 3 or 12 descriptors:
//
//   requests  0 burst(uint events) · 1 plain · 2 one · 3 three · 4 twelve · 5 report()
//   events    0 plain · 1 one · 2 three · 3 twelve · 4 report(uint frames, descriptors, misassigned, lost, damaged)
//   plain, one, three, twelve: (uint serial, array, fd…): the array follows from the serial number, each descriptor is
//   a memfd that holds u32 serial * 256 + its place
//
// Says its version and when it is ready, and ends when its first client has gone: with what is still open, as JSON.
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <wayland-server.h>
#include <wayland-version.h>

enum { kMostFds = 12, kKinds = 4, kReport = 4 };
enum { kRequestBurst = 0, kRequestFirst = 1, kRequestReport = 5 };

static const unsigned kFdsOf[kKinds] = {0, 1, 3, kMostFds};
static const struct wl_interface *kNoTypes[kMostFds + 2];

#define MESSAGES                                                                                                     \
  {"plain", "ua", kNoTypes}, {"one", "uah", kNoTypes}, {"three", "uahhh", kNoTypes},                                 \
      {"twelve", "uahhhhhhhhhhhh", kNoTypes}
static const struct wl_message kRequests[] = {{"burst", "u", kNoTypes}, MESSAGES, {"report", "", kNoTypes}};
static const struct wl_message kEvents[] = {MESSAGES, {"report", "uuuuu", kNoTypes}};
static const struct wl_interface kPeerInterface = {"pillion_peer", 1, 6, kRequests, 5, kEvents};

static struct {
  unsigned frames, descriptors, misassigned, lost, damaged;
} counts;
static unsigned dice, sent;

static unsigned Roll(unsigned below) {
  dice = dice * 1664525u + 1013904223u;
  return (dice >> 8) % below;
}

static int OpenDescriptors(void) {
  DIR *directory = opendir("/proc/self/fd");
  int count = 0;
  while (readdir(directory) != NULL) count++;
  closedir(directory);
  return count;
}

static int MakeMemfd(const void *content, size_t length) {
  int fd = memfd_create("token", MFD_CLOEXEC);
  if (fd < 0 || write(fd, content, length) != (ssize_t)length) abort();
  return fd;
}

static void SendOne(struct wl_resource *resource) {
  unsigned serial = sent++, kind = Roll(4) == 0 ? 0 : Roll(3) != 0 ? 1 : 2 + Roll(2);
  union wl_argument arguments[2 + kMostFds];
  struct wl_array array;
  wl_array_init(&array);
  size_t length = Roll(20) == 0 ? Roll(3000) : Roll(100);
  unsigned char *bytes = wl_array_add(&array, length);
  for (size_t i = 0; i < length; i++) bytes[i] = (unsigned char)(serial + i);
  arguments[0].u = serial;
  arguments[1].a = &array;
  for (unsigned i = 0; i < kFdsOf[kind]; i++) {
    unsigned token = serial * 256 + i;
    arguments[2 + i].h = MakeMemfd(&token, sizeof token);
  }
  wl_resource_post_event_array(resource, kind, arguments);
  for (unsigned i = 0; i < kFdsOf[kind]; i++) close(arguments[2 + i].h);
  wl_array_release(&array);
}

static void Burst(struct wl_resource *resource, unsigned events) {
  for (unsigned i = 0; i < events; i++) {
    SendOne(resource);
    if (Roll(10) == 0) wl_client_flush(wl_resource_get_client(resource));
  }
}

static void Check(unsigned kind, const union wl_argument *arguments) {
  unsigned serial = arguments[0].u;
  const struct wl_array *array = arguments[1].a;
  const unsigned char *bytes = array->data;
  int damaged = serial != counts.frames++;
  for (size_t i = 0; i < array->size; i++) damaged |= bytes[i] != (unsigned char)(serial + i);
  counts.damaged += damaged;
  for (unsigned i = 0; i < kFdsOf[kind]; i++) {
    unsigned token;
    if (pread(arguments[2 + i].h, &token, sizeof token, 0) != sizeof token) {
      counts.lost++;
      continue;
    }
    counts.descriptors++;
    counts.misassigned += token != serial * 256 + i;
    close(arguments[2 + i].h);
  }
}

static int Dispatch(const void *implementation, void *target, uint32_t opcode, const struct wl_message *message,
                    union wl_argument *arguments) {
  (void)implementation, (void)message;
  struct wl_resource *resource = target;
  if (opcode == kRequestBurst) {
    Burst(resource, arguments[0].u);
  } else if (opcode == kRequestReport) {
    union wl_argument report[] = {{.u = counts.frames},
                                  {.u = counts.descriptors},
                                  {.u = counts.misassigned},
                                  {.u = counts.lost},
                                  {.u = counts.damaged}};
    wl_resource_post_event_array(resource, kReport, report);
  } else {
    Check(opcode - kRequestFirst, arguments);
  }
  return 0;
}

static void BindPeer(struct wl_client *client, void *data, uint32_t version, uint32_t id) {
  (void)data;
  struct wl_resource *resource = wl_resource_create(client, &kPeerInterface, (int)version, id);
  wl_resource_set_dispatcher(resource, Dispatch, NULL, NULL, NULL);
}

static void Release(struct wl_client *client, struct wl_resource *resource) {
  (void)client;
  wl_resource_destroy(resource);
}

static const struct wl_keyboard_interface kKeyboard = {.release = Release};

static void GetKeyboard(struct wl_client *client, struct wl_resource *seat, uint32_t id) {
  static const char kKeymap[] = "xkb_keymap { xkb_keycodes {}; };";
  struct wl_resource *keyboard =
      wl_resource_create(client, &wl_keyboard_interface, wl_resource_get_version(seat), id);
  wl_resource_set_implementation(keyboard, &kKeyboard, NULL, NULL);
  int fd = MakeMemfd(kKeymap, sizeof kKeymap);
  wl_keyboard_send_keymap(keyboard, WL_KEYBOARD_KEYMAP_FORMAT_XKB_V1, fd, sizeof kKeymap);
  close(fd);
}

static void GetNothing(struct wl_client *client, struct wl_resource *seat, uint32_t id) {
  (void)id;
  (void)seat;
  wl_client_post_implementation_error(client, "a keyboard is all there is");
}

static const struct wl_seat_interface kSeat = {
    .get_pointer = GetNothing, .get_keyboard = GetKeyboard, .get_touch = GetNothing, .release = Release};

static void BindSeat(struct wl_client *client, void *data, uint32_t version, uint32_t id) {
  (void)data;
  struct wl_resource *resource = wl_resource_create(client, &wl_seat_interface, (int)version, id);
  wl_resource_set_implementation(resource, &kSeat, NULL, NULL);
  wl_seat_send_capabilities(resource, WL_SEAT_CAPABILITY_KEYBOARD);
}

static struct wl_display *display;

static void ClientGone(struct wl_listener *listener, void *client) {
  (void)listener, (void)client;
  wl_display_terminate(display);
}

static struct wl_listener client_gone = {.notify = ClientGone};

static void ClientCame(struct wl_listener *listener, void *client) {
  (void)listener;
  wl_client_add_destroy_listener(client, &client_gone);
}

static struct wl_listener client_came = {.notify = ClientCame};

int main(int argc, char **argv) {
  dice = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1;
  display = wl_display_create();
  wl_global_create(display, &kPeerInterface, 1, NULL, BindPeer);
  wl_global_create(display, &wl_seat_interface, 5, NULL, BindSeat);
  wl_display_add_client_created_listener(display, &client_came);
  if (wl_display_add_socket(display, "peer") != 0) {
    perror("wl_display_add_socket");
    return 1;
  }
  printf("{\"version\":\"%s\"}\n", WAYLAND_VERSION);
  fflush(stdout);
  const int before = OpenDescriptors();
  wl_display_run(display);
  wl_display_flush_clients(display);
  printf("{\"leaked\":%d}\n", OpenDescriptors() - before);
  wl_display_destroy_clients(display);
  wl_display_destroy(display);
  return 0;
}
