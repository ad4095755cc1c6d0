/* SPDX-License-Identifier: MIT */
/*
 * times.h - how long the jobs ran, as their verdicts said it, against the pool's own histogram
 * (brood_histogram(3)). A histogram that is off by one bucket is found, where jobs run for some
 * milliseconds.
 *
 * A verdict has microseconds, and by handoff the pool may read its clock a moment later for the
 * histogram. So each time is counted twice, a bit too short and a bit too long. For the begin of
 * each bucket the two sums say how many shorter times the pool may have counted.
 */
#ifndef BROOD_LOAD_TIMES_H
#define BROOD_LOAD_TIMES_H

#include <brood.h>
#include <stdbool.h>
#include <stdint.h>

#define TIMES_SHORT_US  1000u /* all shorter times are one number */
#define TIMES_MARGIN_NS 200000ull

struct times {
	uint64_t started, attempts; /* of all jobs that started */
	uint64_t brief;             /* shorter than TIMES_SHORT_US */
	uint64_t early[BROOD_BUCKETS], late[BROOD_BUCKETS];
};
/* What the pools counted together. */
struct times_pool {
	uint64_t buckets[BROOD_BUCKETS];
};

uint32_t times_bucket(uint64_t ns);
uint64_t times_begin_ns(uint32_t bucket);
void times_add_long(struct times *t, uint64_t run_us);
static inline void times_add(struct times *t, const struct brood_verdict *v)
{
	if (!v->started)
		return;
	t->started++;
	t->attempts += v->attempts;
	if (v->run_us < TIMES_SHORT_US)
		t->brief++;
	else
		times_add_long(t, v->run_us);
}
void times_merge(struct times *inout, const struct times *other);
/*
 * The first bucket at whose begin the two disagree; BROOD_BUCKETS: there is none. ret_least,
 * ret_most, ret_counted: how many times should be shorter, and how many the pool has.
 */
uint32_t times_compare(const struct times *t, const struct times_pool *pool, uint64_t *ret_least,
	uint64_t *ret_most, uint64_t *ret_counted);

struct engine;
struct findings;
struct tally;
void times_read(struct engine *e); /* brood_histogram() of all pools, into the tally */
void times_judge(const struct tally *t, struct findings *f);

#endif
