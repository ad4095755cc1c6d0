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
	uint32_t left; /* what the job left: enum brood_left */
	bool retiring; /* the worker is of no more use */
};
/* The present state of the process is how it shall be from now on. 0 or -errno. */
int hygiene_snapshot(void);
/*
 * Looks after a job that made system calls. ran_ns: how long it ran. The next job may find
 * tolerated residue, and is not blamed for it.
 */
struct hygiene_ending hygiene_look(uint64_t ran_ns);
/* This many more of the open fds are the library's. */
void hygiene_fds(int more);
/*
 * There are threads beside the one that runs jobs, whose calls may be a job's doing; or children to
 * reap: look after each job.
 */
extern bool hygiene_others;

#endif
