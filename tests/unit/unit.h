/* SPDX-License-Identifier: MIT */
/*
 * unit.h - what the unit tests share: a random source that can be repeated. Time is a number here,
 * nothing sleeps, and no test makes a process or a system call itself.
 */
#ifndef BROOD_TESTS_UNIT_H
#define BROOD_TESTS_UNIT_H

#include <stdint.h>

struct unit_random {
	uint64_t state;
};

/* xorshift64*: the seed must not be 0 */
static inline uint64_t unit_random(struct unit_random *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * 0x2545f4914f6cdd1dull;
}

static inline uint64_t unit_below(struct unit_random *r, uint64_t limit)
{
	return unit_random(r) % limit;
}

#define UNIT_SEEDS 40

#endif
