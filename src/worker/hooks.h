/* SPDX-License-Identifier: MIT */
/* hooks.h - the program's hooks in a worker, and the ordered end. */
#ifndef BROOD_WORKER_HOOKS_H
#define BROOD_WORKER_HOOKS_H

#include <stdbool.h>

/* worker_init, if there is one. Ends the worker where the hook did not return 0. */
void hooks_init(void);
/* The worker's ordered end, after worker_exit. */
void hooks_end(bool with_hook) __attribute__((noreturn));

#endif
