/* SPDX-License-Identifier: MIT */
/*
 * sizing.h - how many workers a pool is to have. A fixed pool has `max` of them at all times. An
 * elastic pool keeps `spare` workers idle: it grows before a caller waits, and it ends workers that
 * have been idle for idle_ms, the coldest first. Its size stays between min and max.
 *
 * Growth comes in steps, SIZING_STEP_NS apart. The first step adds as many workers as are spare, at
 * least one; each next one twice as many, SIZING_RAMP workers at most, until a second has passed
 * without growth. While births fail the size stays: more workers would only die too, and the last
 * healthy one is the way out.
 *
 * While memory is short, idle workers beyond min end at once, also spare ones, and the pool does
 * not grow; but one that has no worker gets one for the jobs that wait.
 */
#ifndef BROOD_POOL_SIZING_H
#define BROOD_POOL_SIZING_H

#include "../base/base.h"

#define SIZING_STEP_NS (10 * NS_PER_MS)
#define SIZING_REST_NS NS_PER_S
#define SIZING_RAMP    32u
#define SIZING_ENDING  8u /* at most so many idle workers end at a time; surge, if that is more */

struct sizing {
	uint32_t target; /* how many workers the pool is to have now */
	uint32_t min, max, spare, idle_ms;
	bool fixed;
	uint32_t ramp;    /* how many workers the next step of growth adds, at most */
	uint64_t grew_ns; /* when the last step of growth was; 0: there was none yet */
};
/* What the pool does at the moment. */
struct sizing_facts {
	uint32_t active;        /* workers with a job or on lease */
	uint32_t waiting;       /* jobs, and requests for leases, that any worker could take */
	uint32_t idle;          /* ready, without a job */
	uint64_t coldest_since; /* since when the longest idle worker is idle; TIME_NEVER: none */
	bool pressed;           /* memory is short: pressure.h */
	uint64_t trouble_until; /* births pause until then; 0: no pause; TIME_NEVER: degraded */
};
/* The target at the start: max, or the least that keeps `spare` workers idle. */
void sizing_init(
	struct sizing *s, bool fixed, uint32_t min, uint32_t max, uint32_t spare, uint32_t idle_ms);
/* The least number of workers that the pool has, at its start and later. */
uint32_t sizing_least(const struct sizing *s);
/* Sets new bounds. A fixed pool has the target `max` at once; an elastic one only stays within. */
void sizing_resize(struct sizing *s, uint32_t min, uint32_t max);
/*
 * By how many the ready workers are more than the places. Births that are under way do not count: a
 * worker that serves is not ended in favour of one that may come.
 */
uint32_t sizing_surplus(uint32_t places, uint32_t ready);
/*
 * How many idle workers may be told to end now. ending: how many of them are ending already.
 * Hundreds at once would keep the other workers from the CPUs: a process that ends has a lot to do.
 * surge: how many the program lets end at a time (retire.h), if that is more than SIZING_ENDING.
 */
uint32_t sizing_may_end(uint32_t ending, uint32_t surge);
/*
 * Moves the target. Returns when to ask again; TIME_NEVER: after the next change. A worker beyond
 * the target is to end once it is idle, the coldest first.
 */
uint64_t sizing_step(struct sizing *s, const struct sizing_facts *facts, uint64_t now);

#endif
