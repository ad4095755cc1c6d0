/* SPDX-License-Identifier: MIT */
/*
 * pace.c - see pace.h. The number of jobs planned up to a time is the area under the rate. A job is
 * a point on that area, and its time is where the area reaches the point. So constant rates, ramps
 * and steps need one formula only, and random times only move the points.
 */
#include "pace.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PACE_RATE_MAX    1e7
#define PACE_SECONDS_MAX 1e6
#define PACE_FIRST_MAX   60 /* seconds that a run may wait for its first job */

/* ---- reading --------------------------------------------------------------------------------- */

static const char *pace_number(const char *text, double *ret)
{
	char *end = NULL;

	if (!((*text >= '0' && *text <= '9') || *text == '.'))
		return NULL;
	if (*text == '0' && (text[1] == 'x' || text[1] == 'X'))
		return NULL; /* strtod() would read it */
	*ret = strtod(text, &end);
	return end != text && isfinite(*ret) ? end : NULL;
}

const char *pace_rate(const char *text, char stop, double *ret)
{
	const char *end = pace_number(text, ret);

	if (!end)
		return NULL;
	if (*end == 'k' || *end == 'K' || *end == 'M')
		*ret *= *end++ == 'M' ? 1e6 : 1e3;
	if (!strncmp(end, "/s", 2))
		end += 2;
	return (!*end || *end == stop) && *ret <= PACE_RATE_MAX ? end : NULL;
}

static bool pace_seconds(const char *text, double *ret)
{
	const char *end = pace_number(text, ret);

	if (end && *end == 's')
		end++;
	return end && !*end && *ret > 0 && *ret <= PACE_SECONDS_MAX;
}

/* A run whose first job comes very late looks like one that hangs. */
static int pace_check(const struct pace_plan *plan, struct pace_plan *ret)
{
	if (!(pace_time(plan, 1) <= PACE_FIRST_MAX))
		return -1;
	for (unsigned i = 0; i < plan->stages; i++)
		ret->stage[i] = plan->stage[i];
	ret->stages = plan->stages;
	return 0;
}

int pace_parse_rate(const char *text, struct pace_plan *ret)
{
	struct pace_plan plan = { .stages = 1 };
	const char *end = pace_rate(text, 0, &plan.stage[0].from);

	if (!end || plan.stage[0].from < 1)
		return -1;
	plan.stage[0].to = plan.stage[0].from;
	return pace_check(&plan, ret);
}

int pace_parse_ramp(const char *text, struct pace_plan *ret)
{
	struct pace_plan plan = { .stages = 1 };
	struct pace_stage *s = &plan.stage[0];
	const char *end = pace_rate(text, ':', &s->from);

	if (!end || !*end)
		return -1;
	end = pace_rate(end + 1, ':', &s->to);
	if (!end || !*end || !pace_seconds(end + 1, &s->seconds))
		return -1;
	return pace_check(&plan, ret);
}

int pace_parse_steps(const char *text, struct pace_plan *ret)
{
	struct pace_plan plan = { .stages = 0 };
	const char *colon = strchr(text, ':'), *at = text;
	double seconds;

	if (!colon || !pace_seconds(colon + 1, &seconds))
		return -1;
	for (;;) {
		struct pace_stage *s = &plan.stage[plan.stages];
		const char *end;

		if (plan.stages++ == PACE_STAGES_MAX)
			return -1;
		end = pace_rate(
			at, strchr(at, ',') && strchr(at, ',') < colon ? ',' : ':', &s->from);
		if (!end || s->from < 1)
			return -1;
		s->to = s->from;
		s->seconds = seconds;
		if (end == colon)
			return pace_check(&plan, ret);
		if (*end != ',')
			return -1;
		at = end + 1;
	}
}

/* ---- the area under the rate ----------------------------------------------------------------- */

double pace_length(const struct pace_plan *plan)
{
	double sum = 0;

	for (unsigned i = 0; i < plan->stages; i++)
		sum += plan->stage[i].seconds;
	return sum;
}

static double pace_stage_jobs(const struct pace_stage *s, double seconds)
{
	double slope = s->seconds > 0 ? (s->to - s->from) / s->seconds : 0;

	return seconds * (s->from + slope * seconds / 2);
}

double pace_jobs(const struct pace_plan *plan, double seconds)
{
	double sum = 0;

	for (unsigned i = 0; i < plan->stages; i++) {
		const struct pace_stage *s = &plan->stage[i];

		if (seconds <= s->seconds)
			return sum + pace_stage_jobs(s, seconds);
		sum += pace_stage_jobs(s, s->seconds);
		seconds -= s->seconds;
	}
	return plan->stages ? sum + seconds * plan->stage[plan->stages - 1].to : 0;
}

/* The root of the quadratic equation, in the form that does not subtract equal numbers. */
static double pace_stage_time(const struct pace_stage *s, double jobs)
{
	double slope = (s->to - s->from) / s->seconds;
	double root = sqrt(fmax(0, s->from * s->from + 2 * slope * jobs));

	return jobs > 0 ? 2 * jobs / (s->from + root) : 0;
}

double pace_time(const struct pace_plan *plan, double jobs)
{
	double seconds = 0;

	for (unsigned i = 0; i < plan->stages; i++) {
		const struct pace_stage *s = &plan->stage[i];
		double all = pace_stage_jobs(s, s->seconds);

		if (jobs < all)
			return seconds + pace_stage_time(s, jobs);
		jobs -= all;
		seconds += s->seconds;
	}
	if (!plan->stages || plan->stage[plan->stages - 1].to <= 0)
		return INFINITY;
	return seconds + jobs / plan->stage[plan->stages - 1].to;
}

/* ---- one lane -------------------------------------------------------------------------------- */

/* The generator splitmix64; from it a number above 0 and at most 1. */
static double pace_draw(struct pace *p)
{
	uint64_t value = p->random += 0x9e3779b97f4a7c15ull;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ull;
	value = (value ^ value >> 27) * 0x94d049bb133111ebull;
	value ^= value >> 31;
	return (double)((value >> 11) + 1) * 0x1p-53;
}

static void pace_look(struct pace *p)
{
	double seconds = pace_time(&p->plan, p->position);

	p->next_ns = seconds <= 1e9 ? (uint64_t)(seconds * 1e9) : PACE_NEVER;
}

void pace_begin(
	struct pace *p, const struct pace_plan *plan, unsigned lane, unsigned lanes, uint64_t seed)
{
	*p = (struct pace){ .plan = *plan, .position = lane, .step = lanes };
	p->random = seed ^ (uint64_t)(lane + 1) << 32;
	if (plan->poisson)
		p->position = -log(pace_draw(p)) * p->step;
	pace_look(p);
}

void pace_advance(struct pace *p)
{
	p->position += p->plan.poisson ? -log(pace_draw(p)) * p->step : p->step;
	p->number++;
	pace_look(p);
}

uint64_t pace_skip(struct pace *p, uint64_t until_ns, uint64_t most)
{
	uint64_t count = 0;

	for (; count < most && p->next_ns < until_ns; count++)
		pace_advance(p);
	return count;
}
