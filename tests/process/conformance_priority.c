/* SPDX-License-Identifier: MIT */
/*
 * conformance_priority.c - normal jobs and jobs in the background that wait for the same worker, on
 * every path: the background has its share, and no more.
 */
#include "../helpers/conformance.h"

#include <criterion/criterion.h>

TestSuite(conformance, .timeout = 1000);

#define EACH   24
#define NORMAL 1000 /* number of the first normal job */

static struct given *give_one(struct site *s, bool normal, int number)
{
	struct given *g = GIVE(s, job_orders, .number = (normal ? NORMAL : 0) + number,
		.options.priority = normal ? BROOD_NORMAL : BROOD_BACKGROUND);

	given_id(g);
	return g;
}

/* Of both kinds: each in its order. Calls are made by threads of their own, and have none. */
static void check_order(const struct site *s, int *ret_before, int *ret_among)
{
	int next[2] = { 0, NORMAL }, before = 0, among = 0, left = EACH;

	for (int i = 0; i < 2 * EACH; i++) {
		int number = atomic_load(&s->stage->order[i]);
		bool normal = number >= NORMAL;

		if (!site_is(s, CALLS))
			CHECK_MSG(number == next[normal], "%s: start %d is %d", way_names[s->way],
				i, number);
		next[normal]++;
		if (normal)
			left--;
		else if (left == EACH)
			before++;
		else if (left > 0)
			among++;
	}
	*ret_before = before;
	*ret_among = among;
}

/* The background was there first. What a ring had by then stays there. */
static void background_stands_back(struct site *s)
{
	struct given *first = GIVE(s, job_gated), *g[2 * EACH];
	int before, among;

	CHECK(stage_entered(s, 1));
	for (int i = 0; i < 2 * EACH; i++)
		g[i] = give_one(s, i >= EACH, i % EACH);
	/* on a busy machine the worker may be free before the supervisor has read of all jobs */
	if (site_is(s, HANDOFF))
		CHECK(WAIT_UNTIL(pool_stats(s->brood).queued >= 2 * EACH, 10000));
	stage_open(s);
	expect(first, BROOD_DONE, BROOD_DETAIL_NONE);
	for (int i = 0; i < 2 * EACH; i++)
		expect(g[i], BROOD_DONE, BROOD_DETAIL_NONE);
	check_order(s, &before, &among);
	note("%s: %d of the background before all, %d among the others", way_names[s->way], before,
		among);
	CHECK_MSG(among <= EACH / 7 + 1, "%s: %d", way_names[s->way], among);
	CHECK_MSG(before + among == EACH || among >= 2, "%s: %d", way_names[s->way], among);
	CHECK_MSG(before < EACH, "%s", way_names[s->way]);
}
CASE(background_stands_back, ANY_WORKER | FRESH, .workers = 1)

/* Alone it is like any job; a pinned lease runs its jobs in their order. */
static void background_alone(struct site *s)
{
	struct given *first = GIVE(s, job_gated), *g[8];

	CHECK(stage_entered(s, 1));
	for (int i = 0; i < 8; i++)
		g[i] = give_one(s, site_is(s, PINNED) && i % 2, i);
	stage_open(s);
	expect(first, BROOD_DONE, BROOD_DETAIL_NONE);
	for (int i = 0; i < 8; i++)
		expect(g[i], BROOD_DONE, BROOD_DETAIL_NONE);
	for (int i = 0; i < 8 && !site_is(s, CALLS); i++)
		CHECK_EQ(atomic_load(&s->stage->order[i]) % NORMAL, i);
}
CASE(background_alone, EVERYWHERE | ALONE, .workers = 1)

static void wrong_priority(struct site *s)
{
	struct given *g = RUN(s, job_code, .refusable = true, .options.priority = 2);

	CHECK_EQ(site_is(s, CALLS) ? g->n : g->error, -EINVAL);
	CHECK_CONTAINS(brood_error(), site_is(s, CALLS) ? "" : "priority is 2");
	site_well(s);
}
CASE(wrong_priority, EVERYWHERE | ALONE)
