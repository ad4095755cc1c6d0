/* SPDX-License-Identifier: MIT */
/* machine.h - how much of what all processes share is left. root: as in cgroup.h. */
#ifndef BROOD_OS_MACHINE_H
#define BROOD_OS_MACHINE_H

#include <stdint.h>

/*
 * How many signals are queued for processes of this user, and how many may be (RLIMIT_SIGPENDING).
 * Returns 0, or -ENOENT: /proc does not tell.
 */
int machine_signals(const char *root, uint64_t *ret_queued, uint64_t *ret_limit);
/*
 * Bytes of memory that the kernel promises still, where it keeps to what it has
 * (vm.overcommit_memory=2). UINT64_MAX: it promises more than it has, or /proc does not tell.
 */
uint64_t machine_memory_left(const char *root);

#endif
