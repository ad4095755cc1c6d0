/* SPDX-License-Identifier: MIT */
/*
 * hygiene.h - how the process differs from what it was like when it said READY: looked for, and put
 * right where it can be.
 */
#ifndef BROOD_WORKER_HYGIENE_H
#define BROOD_WORKER_HYGIENE_H

#include <stdbool.h>
#include <stdint.h>

/* left: enum brood_left. broken: something could not be put right */
struct hygiene_result {
	uint32_t left;
	bool broken;
};
/* What the process is like now is how it shall be. 0 or -errno. */
int hygiene_snapshot(void);
/* All of it. ran_ns: how long the job ran; a short one is not made long by rare checks. */
struct hygiene_result hygiene_restore(uint64_t ran_ns);
/* After a job whose worker goes on: what it left is the next one's to find, and not its doing. */
void hygiene_tolerate(uint32_t left);
/* so many are open now that are ours */
void hygiene_fds(int more);
/*
 * There are threads beside the one that runs jobs, whose calls may be a job's doing; or children to
 * reap: look after each job.
 */
extern bool hygiene_others;

#endif
