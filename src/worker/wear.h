/* SPDX-License-Identifier: MIT */
/*
 * wear.h - how worn the worker is: the jobs that it has done, the memory that it has gained, and
 * whether a job wished that it is replaced. Told to the supervisor once; the worker works on until
 * the supervisor ends it. A worker that is to do one job ends by itself.
 */
#ifndef BROOD_WORKER_WEAR_H
#define BROOD_WORKER_WEAR_H

#include <stdbool.h>
#include <stdint.h>

/* jobs_left: until it is worn. look_ns: when its memory is looked at, after a job. */
extern struct wear {
	uint64_t jobs_left, look_ns;
	bool once; /* it is to do one job */
} the_wear;

/* When the worker is ready: what it gains from here on counts. */
void wear_ready(void);
/* Who has run a job takes it off jobs_left, and calls this at 0 jobs left, or at look_ns. */
void wear_look(uint64_t now);

#endif
