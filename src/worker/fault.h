/* SPDX-License-Identifier: MIT */
/* fault.h - a signal that is about to end the worker. */
#ifndef BROOD_WORKER_FAULT_H
#define BROOD_WORKER_FAULT_H

#include "../os/signals.h"

/* The handler of faults, traps and SIGSYS. */
extern const struct sigaction fault_action;
/*
 * The handler of SIGABRT: the same, but a SIGABRT of a process other than the supervisor is
 * ignored. A service manager may send it to all processes of a service.
 */
extern const struct sigaction fault_abort_action;
/* Called for a SIGSYS that is no trap of a watched system call (os/syscalls.h): it is a fault. */
void fault_refused(int sig, siginfo_t *info, void *context);

#endif
