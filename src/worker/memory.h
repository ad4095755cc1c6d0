/* SPDX-License-Identifier: MIT */
/*
 * memory.h - worker_memory: the limit, how close it is, and whether it refused memory. See
 * memory.c.
 */
#ifndef BROOD_WORKER_MEMORY_H
#define BROOD_WORKER_MEMORY_H

#include "../os/signals.h"

#include <brood.h>

/*
 * Before code of the program runs here, which may hide /proc: opens what tells the size. grows:
 * memory_anonymous_kb() will be asked.
 */
void memory_open(const struct brood_options *options, bool grows);
extern const struct sigaction memory_action; /* of the signals by which such a process dies */
/* When the worker is ready: what it allocates counts from here. 0, or -errno: there is no limit. */
int memory_limit(const struct brood_options *options);

/* The counted size is within an eighth of the limit. Async-signal-safe. */
bool memory_near(void);
/* The same, or the last call that failed had no memory: error is errno at a job's end. */
bool memory_refused(int error);
/* The process is about to die: tells the supervisor. Async-signal-safe. */
void memory_note_death(int error);
/*
 * Memory that no file has, in KiB: resident; exact: swapped out, too, and to the page. 0: nobody
 * knows.
 */
uint64_t memory_anonymous_kb(bool exact);
/* What is there now is tolerated: only what comes on top counts as close. */
void memory_tolerated(void);

#endif
