/* SPDX-License-Identifier: MIT */
/*
 * sizing.c - see sizing.h.
 */
#include "sizing.h"

static uint32_t bounded(const struct sizing *s, uint64_t workers)
{
	return (uint32_t)MIN(MAX(workers, (uint64_t)s->min), (uint64_t)s->max);
}

void sizing_init(
	struct sizing *s, bool fixed, uint32_t min, uint32_t max, uint32_t spare, uint32_t idle_ms)
{
	*s = (struct sizing){
		.fixed = fixed, .min = min, .max = max, .spare = spare, .idle_ms = idle_ms
	};
	s->ramp = MAX(spare, 1u);
	s->target = sizing_least(s);
}

uint32_t sizing_least(const struct sizing *s) { return s->fixed ? s->max : bounded(s, s->spare); }

void sizing_resize(struct sizing *s, uint32_t min, uint32_t max)
{
	s->min = min;
	s->max = max;
	s->target = s->fixed ? max : bounded(s, s->target);
}

uint32_t sizing_surplus(uint32_t places, uint32_t ready)
{
	return ready > places ? ready - places : 0;
}

uint32_t sizing_may_end(uint32_t ending, uint32_t surge)
{
	uint32_t most = MAX(SIZING_ENDING, surge);

	return ending < most ? most - ending : 0;
}

/* How many workers are wanted: those that work, one for each waiting job, and the spare. */
static uint32_t wanted(const struct sizing *s, const struct sizing_facts *f)
{
	return bounded(s, (uint64_t)f->active + f->waiting + s->spare);
}

static void grow(struct sizing *s, uint32_t to, uint64_t now)
{
	if (s->grew_ns == 0 || now >= s->grew_ns + SIZING_REST_NS)
		s->ramp = MAX(s->spare, 1u);
	s->target += MIN(to - s->target, s->ramp);
	s->ramp = MIN(s->ramp * 2, MAX(SIZING_RAMP, s->spare));
	s->grew_ns = now;
}

/* The coldest worker has been idle for idle_ms, and enough others are idle. */
static uint64_t shrink(struct sizing *s, const struct sizing_facts *f, uint64_t now)
{
	uint64_t due;

	if (f->idle <= s->spare || f->coldest_since == TIME_NEVER)
		return TIME_NEVER;
	due = time_after_ms(f->coldest_since, s->idle_ms);
	if (now < due)
		return due;
	s->target--;
	return now;
}

/* While memory is short. */
static uint64_t yield(struct sizing *s, const struct sizing_facts *f, uint64_t now)
{
	if (s->target == 0 && f->waiting > 0)
		s->target = 1;
	if (f->idle == 0 || f->coldest_since == TIME_NEVER ||
		bounded(s, (uint64_t)f->active + f->waiting) >= s->target)
		return TIME_NEVER;
	s->target--;
	return now;
}

uint64_t sizing_step(struct sizing *s, const struct sizing_facts *f, uint64_t now)
{
	uint32_t to = wanted(s, f);

	if (s->fixed || (to == s->target && !f->pressed))
		return TIME_NEVER;
	if (f->trouble_until > now)
		return f->trouble_until;
	if (f->pressed)
		return yield(s, f, now);
	if (to < s->target)
		return shrink(s, f, now);
	if (s->grew_ns == 0 || now >= s->grew_ns + SIZING_STEP_NS)
		grow(s, to, now);
	return s->target < to ? s->grew_ns + SIZING_STEP_NS : TIME_NEVER;
}
