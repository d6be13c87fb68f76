// A Wayland client of nothing but descriptors, by libwayland-client: in each round it binds wl_shm anew and makes a pool
// of it, whose object and descriptor travel with the request that made the wl_shm.
//
//   XDG_RUNTIME_DIR=FOLDER wayland-client POOLS     the socket is FOLDER/peer
//
// A pool's memory is u32 number, its size 4096 bytes and as many more as its number. Says its version first and what it leaked last, as JSON.
#define _GNU_SOURCE
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <wayland-client.h>
#include <wayland-version.h>

static uint32_t shm_name;

static int OpenDescriptors(void) {
  DIR *directory = opendir("/proc/self/fd");
  int count = 0;
  while (readdir(directory) != NULL) count++;
  closedir(directory);
  return count;
}

static void Global(void *data, struct wl_registry *registry, uint32_t name, const char *interface, uint32_t version) {
  (void)data, (void)registry, (void)version;
  if (strcmp(interface, "wl_shm") == 0) shm_name = name;
}

static void GlobalRemove(void *data, struct wl_registry *registry, uint32_t name) {
  (void)data, (void)registry, (void)name;
}

static const struct wl_registry_listener kRegistry = {Global, GlobalRemove};

static int MakePool(struct wl_registry *registry, uint32_t number) {
  struct wl_shm *shm = wl_registry_bind(registry, shm_name, &wl_shm_interface, 1);
  int fd = memfd_create("pool", MFD_CLOEXEC);
  if (fd < 0 || write(fd, &number, sizeof number) != sizeof number) return -1;
  struct wl_shm_pool *pool = wl_shm_create_pool(shm, fd, (int32_t)(4096 + number));
  wl_shm_pool_destroy(pool);
  wl_shm_destroy(shm);  // without a request, at this version; its id is free once the server says so, which ours never does
  return close(fd);
}

int main(int argc, char **argv) {
  const uint32_t pools = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1;
  printf("{\"version\":\"%s\"}\n", WAYLAND_VERSION);
  fflush(stdout);
  const int before = OpenDescriptors();
  struct wl_display *display = wl_display_connect("peer");
  if (display == NULL) return 1;
  struct wl_registry *registry = wl_display_get_registry(display);
  wl_registry_add_listener(registry, &kRegistry, NULL);
  if (wl_display_roundtrip(display) < 0) return 1;
  for (uint32_t number = 0; number < pools; number++) {
    if (MakePool(registry, number) < 0) return 1;
    // Its buffer is not to overflow; what is in it goes when it is full, or here.
    if (number % 40 == 39 && wl_display_roundtrip(display) < 0) return 1;
  }
  if (wl_display_roundtrip(display) < 0) return 1;
  wl_registry_destroy(registry);
  wl_display_disconnect(display);
  printf("{\"leaked\":%d}\n", OpenDescriptors() - before);
  return 0;
}
