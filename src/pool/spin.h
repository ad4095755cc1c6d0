/* SPDX-License-Identifier: MIT */
/*
 * spin.h - for how long a thread may look, before it sleeps, at the memory that another process is
 * about to write. It is worth it only for a peer on another CPU: to wake that peer, or to be woken
 * by it, takes tens of microseconds, and a look nothing.
 *
 * The time comes out of a purse. A spin that ends because the peer has written (a hit) puts more
 * in than it took, if it was short; a spin in vain (a miss) loses what it took. A new spin may
 * spend half of the purse: so misses make spins shorter and shorter, and a few hits make them long
 * again.
 *
 * Every SPIN_FILL_NS the purse is full again: thus a thread notices when spinning has become worth
 * it, and misses alone cost 1 % of a CPU. The purse is not filled drop by drop: while both sides
 * sleep, an answer takes as long as a wake-up, and spins that are shorter would never find one.
 * One side that spins alone soon has an empty purse, for each of its hits is late. So a worker that
 * sees its engine spin fills its own purse, too (spin_met()): from then on both spin.
 *
 * Times in, times out; no clock is read here.
 */
#ifndef BROOD_POOL_SPIN_H
#define BROOD_POOL_SPIN_H

#include "../base/base.h"
#include <stdbool.h>
#include <stdint.h>

#define SPIN_PURSE_NS 200000u          /* what the purse holds at most */
#define SPIN_GAIN_NS  20000u           /* what a sleep and a wake-up across CPUs cost both sides */
#define SPIN_LEAST_NS 2000u            /* a shorter spin finds nothing */
#define SPIN_FILL_NS  (20 * NS_PER_MS) /* how often the purse is filled */
#define SPIN_MET_NS   (5 * NS_PER_MS)  /* the same while the peer is found awake */
#define SPIN_LOOKS    8                /* looks for each reading of the clock */

struct spin {
	uint64_t filled_ns; /* when the purse was filled last; 0: never */
	uint32_t purse_ns;
};

/*
 * The peer waits for this thread, and does not sleep: the purse is full again, but not more often
 * than every SPIN_MET_NS.
 */
void spin_met(struct spin *spin, uint64_t now);
/* For how long a spin may last that begins now. 0: do not spin. */
uint32_t spin_budget(struct spin *spin, uint64_t now);
/* A spin has ended after took_ns. hit: the peer has written. */
void spin_ended(struct spin *spin, uint64_t took_ns, bool hit);

#endif
