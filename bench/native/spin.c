/*
 * Keeps a core from halting, for the *awake* view: spins at SCHED_IDLE, so that whatever else wants the core has it at
 * once. Pinned by whoever starts it; ends with it.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

int main(void) {
  struct sched_param none = {0};
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (sched_setscheduler(0, SCHED_IDLE, &none) != 0) {
    perror("sched_setscheduler");
    return 1;
  }
  for (;;) __asm__ volatile("pause" ::: "memory");
}
