/* SPDX-License-Identifier: MIT */
/*
 * hygiene.h - finds how the process differs from what it was like when it said READY, and puts
 * right what it can.
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
 * prepare: in the spawner, notes its present state, but for the mask, as that of the workers to
 * come. inherit: a worker takes this as its own state; it has `more` files open than the spawner
 * had.
 */
int hygiene_prepare(void);
void hygiene_inherit(int more);
/*
 * Looks after a job that may have left anything. ran_ns: how long it ran. The next job may find
 * tolerated residue, and is not blamed for it.
 */
struct hygiene_ending hygiene_look(uint64_t ran_ns);
/*
 * Looks after a job that made only calls that leave nothing behind. memory: it changed mappings.
 * Where the program has handlers of its own, one of them may have interrupted the job and have left
 * by a jump: the signals that are blocked in a handler then stay blocked. hygiene_looks_a_little()
 * says whether there is anything to look at.
 */
bool hygiene_looks_a_little(bool memory);
struct hygiene_ending hygiene_look_a_little(bool memory);
/* Says in the slot page if no process that code of the program made can be left. */
void hygiene_offspring(void);
/* The library has opened `more` fds (negative: closed) since the snapshot: they are no residue. */
void hygiene_fds(int more);
/*
 * True: look after each job, even one that made no system call itself. There are other threads,
 * which may have acted for the job, or children to reap.
 */
extern bool hygiene_others;

#endif
