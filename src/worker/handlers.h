/* SPDX-License-Identifier: MIT */
/*
 * handlers.h - finds which dispositions of standard signals differ from what they were when the
 * worker said READY, and puts them back.
 */
#ifndef BROOD_WORKER_HANDLERS_H
#define BROOD_WORKER_HANDLERS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* Takes the present dispositions as those that jobs must leave. 0 or -errno. */
int handlers_snapshot(void);
/* True: the program had handlers of its own then. */
extern bool handlers_of_program;
/*
 * Puts back what differs. all: looks at all signals; else at those that jobs really do change, and
 * at a few of the others in turn. True: the last job has changed something.
 */
bool handlers_left(bool all);
/*
 * A mask as it can be compared: without the signals that the C library keeps for itself (below
 * SIGRTMIN). Its sigprocmask() takes these out of each mask, so a mask that was inherited with them
 * never reads back as it was.
 */
uint64_t handlers_mask(const sigset_t *set);

#endif
