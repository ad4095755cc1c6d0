/* SPDX-License-Identifier: MIT */
/* job_stack.h - the stack on which hooks and jobs run. */
#ifndef BROOD_WORKER_JOB_STACK_H
#define BROOD_WORKER_JOB_STACK_H

#include <stddef.h>

/*
 * Calls fn(), which never returns, with `size` bytes of stack below it. Unwinding ends there.
 * Returns -errno only when there is no such stack.
 */
int job_stack_enter(size_t size, void (*fn)(void));

#endif
