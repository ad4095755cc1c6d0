/* SPDX-License-Identifier: MIT */
/*
 * conduct.h - which system calls a job makes, and so whether it needs a look for residue.
 *
 * A job changes what the kernel keeps for the process by system calls alone. The worker sees each
 * call before it is made (os/syscalls.h), as long as all calls leave nothing behind (pool/tame.h).
 * A job whose calls were all of this kind needs a small look at most. The watch ends with the
 * first other call, and with one more than TAME_MAX, for a look is cheaper then. Jobs of functions
 * that usually need a look are not watched (pool/habits.h), and nor is a TRUSTED job after its
 * first call.
 */
#ifndef BROOD_WORKER_CONDUCT_H
#define BROOD_WORKER_CONDUCT_H

#include "job.h"

/* What a job did, as far as that is known. */
struct conduct {
	bool calls;  /* it made system calls that call for a look, or nobody knows */
	bool some;   /* it made others, and something may have to be looked at */
	bool memory; /* it changed mappings */
};
/*
 * Begins to watch. Two things are done before the first call that is not let through, or now: the
 * worker notes which files the job's fds are, and says that the job may make processes.
 */
void conduct_begin(const struct brood_job *job);
struct conduct conduct_end(const struct brood_job *job);
void conduct_stop(void); /* the job has left its frame: nobody asks what it did */

#endif
