/* SPDX-License-Identifier: MIT */
/* fault.h - a signal that is about to end the worker. */
#ifndef BROOD_WORKER_FAULT_H
#define BROOD_WORKER_FAULT_H

#include "../os/signals.h"

/* The handler of faults, traps, aborts and SIGSYS. */
extern const struct sigaction fault_action;
/* Called for a SIGSYS that is no trap of a watched system call (os/syscalls.h): it is a fault. */
void fault_refused(int sig, siginfo_t *info, void *context);

#endif
