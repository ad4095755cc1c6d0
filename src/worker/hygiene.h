/* SPDX-License-Identifier: MIT */
/*
 * hygiene.h - how the process differs from what it was like when it said READY: looked for, and put
 * right where it can be.
 */
#ifndef BROOD_WORKER_HYGIENE_H
#define BROOD_WORKER_HYGIENE_H

#include <stdbool.h>
#include <stdint.h>

/* What a job left behind, and what that costs the worker. */
struct hygiene_ending {
	uint32_t left; /* enum brood_left */
	bool retiring; /* the worker is of no more use */
};
/* What the process is like now is how it shall be. 0 or -errno. */
int hygiene_snapshot(void);
/*
 * After a job that made system calls. ran_ns: how long it ran. What it left is the next one's to
 * find, and not its doing.
 */
struct hygiene_ending hygiene_look(uint64_t ran_ns);
/* so many are open now that are ours */
void hygiene_fds(int more);
/*
 * There are threads beside the one that runs jobs, whose calls may be a job's doing; or children to
 * reap: look after each job.
 */
extern bool hygiene_others;

#endif
