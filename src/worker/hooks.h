/* SPDX-License-Identifier: MIT */
/* hooks.h - the program's hooks in a worker, and the ordered end. */
#ifndef BROOD_WORKER_HOOKS_H
#define BROOD_WORKER_HOOKS_H

#include <stdbool.h>

/* Calls worker_init, if there is one. Ends the worker if the hook did not return 0. */
void hooks_init(void);
/* Ends the worker in order, after worker_exit. */
void hooks_end(bool with_hook) __attribute__((noreturn));

#endif
