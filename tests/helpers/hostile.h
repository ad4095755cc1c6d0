/* SPDX-License-Identifier: MIT */
/*
 * hostile.h - what a hostile worker can do to processes that must outlive it. It writes over all
 * memory that it shares, truncates and maps what it was given, sends nonsense and odd fds on its
 * channel and its side socket, and lies about its jobs. It sends no signals, and does nothing else
 * that its uid allows anyway. Call these functions in a worker. What happens is random, from a
 * seed.
 *
 * The shared memory of the case itself is left alone. It says which processes were hostile (the
 * verdicts of their jobs may be anything), and what they were able to do although it must be
 * impossible.
 */
#ifndef BROOD_TESTS_HOSTILE_H
#define BROOD_TESTS_HOSTILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TAINTED 4096
struct hostile_shared {
	atomic_uint count;        /* number of hostile processes so far */
	atomic_int pids[TAINTED]; /* the pids of the last of them */
	/* one in so many workers is hostile from birth; 0: none */
	atomic_uint init;
	atomic_uint breaches; /* number of things that were possible and must not be */
	char breach[256];
	atomic_ullong acts[16]; /* how often each act was done */
	char report[512];       /* the case's report for its test */
};
struct hostile_shared *hostile_shared(void);
bool hostile_tainted(pid_t pid);

/*
 * Does some acts, as the seed says. Returns in most cases. From here the worker is hostile until
 * its end.
 */
void hostile_acts(uint64_t seed);
uint64_t hostile_random(uint64_t *state);

#endif
