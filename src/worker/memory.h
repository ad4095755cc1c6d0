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
/*
 * Called when the process is about to die: notes for the supervisor if memory was refused.
 * Async-signal-safe.
 */
void memory_note_death(int error);
/*
 * Returns the memory of no file, in KiB: what is resident; with `exact`, what is swapped out, too,
 * and correct to the page. 0: it cannot be known.
 */
uint64_t memory_anonymous_kb(bool exact);
/* From now on only memory on top of the present size counts as close to the limit. */
void memory_tolerated(void);

#endif
