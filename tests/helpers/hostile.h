/* SPDX-License-Identifier: MIT */
/*
 * hostile.h - what a worker can do to those that must outlive it, short of signals and of what its
 * uid may do anyway: it writes over all memory that it shares, truncates and maps what it was
 * given, talks nonsense on its channel and its link, sends odd fds, and lies about its jobs. Called
 * in a worker. Random, from a seed.
 *
 * The case's own shared memory is left alone: in it stands which processes were hostile (their
 * jobs' verdicts may be anything), and what they could do although they must not.
 */
#ifndef BROOD_TESTS_HOSTILE_H
#define BROOD_TESTS_HOSTILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TAINTED 4096
struct hostile_shared {
	atomic_uint count;        /* of hostile processes so far */
	atomic_int pids[TAINTED]; /* the last of them */
	/* one in so many workers is hostile at birth; 0: none */
	atomic_uint init;
	atomic_uint breaches; /* something was possible that must not be */
	char breach[256];
	atomic_ullong acts[16]; /* how often each was done */
	char report[512];       /* of the case, for its test */
};
struct hostile_shared *hostile_shared(void);
bool hostile_tainted(pid_t pid);

/* Some acts, as the seed says. Returns, mostly; the worker is hostile from here to its end. */
void hostile_acts(uint64_t seed);
uint64_t hostile_random(uint64_t *state);

#endif
