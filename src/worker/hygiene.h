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
/* Takes the present state of the process as the one that jobs must leave it in. 0 or -errno. */
int hygiene_snapshot(void);
/*
 * In the spawner: the present state, but for the mask, is that of the workers to come. In a worker:
 * it has nothing else, and so many more files open.
 */
int hygiene_prepare(void);
void hygiene_inherit(int more);
/*
 * Looks after a job that made system calls. ran_ns: how long it ran. The next job may find
 * tolerated residue, and is not blamed for it.
 */
struct hygiene_ending hygiene_look(uint64_t ran_ns);
/* Says in the slot page if no process can be left that code of the program made. */
void hygiene_offspring(void);
/* The library has opened `more` fds (negative: closed) since the snapshot: they are no residue. */
void hygiene_fds(int more);
/*
 * True: look after each job, even one that made no system call itself. There are other threads,
 * which may have acted for the job, or children to reap.
 */
extern bool hygiene_others;

#endif
