/* SPDX-License-Identifier: MIT */
/*
 * wear.h - how worn the worker is: the jobs that it has done, the memory that it has gained, and
 * whether a job wished that it is replaced. A worn worker says so to the supervisor once, and works
 * on until the supervisor ends it. A worker that is to do one job ends by itself.
 */
#ifndef BROOD_WORKER_WEAR_H
#define BROOD_WORKER_WEAR_H

#include <stdbool.h>
#include <stdint.h>

/*
 * jobs_left: how many jobs until the worker is worn. look_ns: when its memory is looked at next,
 * after a job.
 */
extern struct wear {
	uint64_t jobs_left, look_ns;
	bool once; /* the worker is to do one job only */
} the_wear;

/* Called when the worker is ready: the memory that it gains counts from here. */
void wear_ready(void);
/* The code that ran a job counts jobs_left down, and calls this at 0 or at look_ns. */
void wear_look(uint64_t now);

#endif
