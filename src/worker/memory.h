/* SPDX-License-Identifier: MIT */
/*
 * memory.h - worker_memory: the limit, how close it is, and whether it refused memory. See
 * memory.c.
 */
#ifndef BROOD_WORKER_MEMORY_H
#define BROOD_WORKER_MEMORY_H

#include <brood.h>
#include <stdbool.h>

/*
 * Opens the files that tell the size, before code of the program runs here and may hide /proc.
 * grows: memory_anonymous_kb() will be asked.
 */
void memory_open(const struct brood_options *options, bool grows);
/* Called when the worker is ready: what it allocates counts from here. 0, or -errno: no limit. */
int memory_limit(const struct brood_options *options);

/* The counted size is within an eighth of the limit. Async-signal-safe. */
bool memory_near(void);
/* True: the size is near the limit, or the last failed call had no memory (`error`). */
bool memory_refused(int error);
/* The process is about to die: tells the supervisor. Async-signal-safe. */
void memory_note_death(int error);
/*
 * Memory of no file, in KiB. Resident; with `exact`, swapped out, too, and to the page. 0: it
 * cannot be known.
 */
uint64_t memory_anonymous_kb(bool exact);
/* The present memory is tolerated: only what comes on top of it counts as close to the limit. */
void memory_tolerated(void);

#endif
