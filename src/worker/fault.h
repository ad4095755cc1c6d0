/* SPDX-License-Identifier: MIT */
/* fault.h - a signal that is about to end the worker. */
#ifndef BROOD_WORKER_FAULT_H
#define BROOD_WORKER_FAULT_H

#include "../os/signals.h"

/* The handler of faults, traps, aborts and SIGSYS. */
extern const struct sigaction fault_action;
/* For a SIGSYS that is not the library's own (os/syscalls.h). */
void fault_refused(int sig, siginfo_t *info, void *context);

#endif
