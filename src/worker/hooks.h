/* SPDX-License-Identifier: MIT */
/* hooks.h - calls the hooks of the program (worker_init, worker_exit), and ends the worker. */
#ifndef BROOD_WORKER_HOOKS_H
#define BROOD_WORKER_HOOKS_H

#include <stdbool.h>

/* Calls worker_init, if there is one. Ends the worker if the hook did not return 0. */
void hooks_init(void);
/* Ends the worker: calls worker_exit (with_hook), flushes, and exits. Never returns. */
void hooks_end(bool with_hook) __attribute__((noreturn));

#endif
