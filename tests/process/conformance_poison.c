/* SPDX-License-Identifier: MIT */
/*
 * conformance_poison.c - the poison list on every path: a key whose jobs ended workers is refused,
 * at the door and while it waits, is not tried again, and is forgotten.
 */
#include "../helpers/conformance.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>

TestSuite(conformance, .timeout = 1000);

#define AFTER 2

static const struct brood_pool_options listing = { .poison_after = AFTER },
				       soon = { .poison_after = AFTER, .poison_forget_ms = 300 },
				       near = { .poison_after = AFTER, .poison_within_ms = 200 };
static const struct brood_pool_options *const list[] = { &listing },
					      *const short_list[] = { &soon },
					      *const near_list[] = { &near };
#define WITH_LIST  .pools = list, .pools_count = 1
#define SHORT_LIST .pools = short_list, .pools_count = 1

/* All ways and threads of a case may have one pool. */
static uint64_t new_key(void)
{
	static _Atomic uint64_t last = 1000;

	return atomic_fetch_add(&last, 1);
}

static void crash(struct site *s, uint64_t key)
{
	expect(RUN(s, job_raises, .number = SIGSEGV, .options.key = key), BROOD_CRASHED,
		BROOD_DETAIL_NONE);
}

/* True: the job was refused at once, for its key. */
static bool turned_away(struct site *s, uint64_t key)
{
	struct given *g = RUN(s, job_code, .refusable = true, .options.key = key);

	if (!site_is(s, CALLS)) {
		if (g->error == 0)
			return false;
		CHECK_EQ(g->error, -EKEYREJECTED);
		CHECK_CONTAINS(brood_error(), "poison list");
		return true;
	}
	if (g->n >= 0)
		return false;
	CHECK_EQ(g->n, -EKEYREJECTED);
	CHECK_EQ(g->v.outcome, BROOD_REFUSED);
	CHECK_EQ(g->v.detail, BROOD_DETAIL_POISONED);
	CHECK_EQ(g->v.started, 0);
	return true;
}

static void refused_after_two(struct site *s)
{
	uint64_t key = new_key();

	for (int i = 0; i < AFTER; i++) {
		CHECK(!turned_away(s, key));
		crash(s, key);
	}
	for (int i = 0; i < 3; i++)
		CHECK(turned_away(s, key));
	CHECK(!turned_away(s, new_key()));
	CHECK(!turned_away(s, 0));
	site_well(s);
}
CASE(refused_after_two, EVERYWHERE, WITH_LIST)

static void without_a_key(struct site *s)
{
	for (int i = 0; i < 2 * AFTER; i++)
		crash(s, 0);
	CHECK(!turned_away(s, 0));
}
CASE(without_a_key, EVERYWHERE | ALONE, WITH_LIST)

static void without_a_list(struct site *s)
{
	for (int i = 0; i < 2 * AFTER; i++)
		crash(s, 7);
	CHECK(!turned_away(s, 7));
}
CASE(without_a_list, EVERYWHERE | ALONE)

/* Kills from outside, and failures, are no fault of the job's. */
static void other_ends(struct site *s)
{
	uint64_t key = new_key();

	for (int i = 0; i < 2 * AFTER; i++) {
		expect(RUN(s, job_raises, .number = SIGKILL, .options.key = key), BROOD_CRASHED,
			BROOD_DETAIL_OUTSIDE);
		expect(RUN(s, job_code, .number = 5, .options.key = key), BROOD_FAILED,
			BROOD_DETAIL_NONE);
	}
	CHECK(!turned_away(s, key));
}
CASE(other_ends, EVERYWHERE | ALONE, WITH_LIST)

static void hung(struct site *s)
{
	uint64_t key = new_key();

	for (int i = 0; i < AFTER; i++)
		expect(RUN(s, job_sleep_forever,
			       .options = { .key = key, .run_ms = 40, .grace_ms = 10 }),
			BROOD_TIMED_OUT, BROOD_DETAIL_NONE);
	CHECK(turned_away(s, key));
}
CASE(hung, EVERYWHERE | ALONE, WITH_LIST)

/* Each attempt counts, and none follows the one that puts the key on the list. */
static void retries_end(struct site *s)
{
	uint64_t key = new_key();
	struct given *g = RUN(s, job_raises, .number = SIGSEGV,
		.options = { .key = key, .retries = 20, .retry_on = BROOD_RETRY_CRASH });

	expect(g, BROOD_CRASHED, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.attempts, AFTER);
	CHECK(turned_away(s, key));
}
CASE(retries_end, ANY_WORKER | ALONE, WITH_LIST)

/* Accepted before the key was on the list: they have their verdicts, and end no worker. */
static void those_that_wait(struct site *s)
{
	uint64_t key = new_key(), died = pool_stats(s->brood).died;
	struct given *first = GIVE(s, job_gated), *g[6], *other;
	int crashed = 0;

	CHECK(stage_entered(s, 1));
	for (int i = 0; i < 6; i++) {
		g[i] = GIVE(s, job_raises, .number = SIGSEGV, .options.key = key);
		if (!site_is(s, CALLS))
			given_id(g[i]);
	}
	other = GIVE(s, job_code, .options.key = new_key());
	stage_open(s);
	expect(first, BROOD_DONE, BROOD_DETAIL_NONE);
	for (int i = 0; i < 6; i++) {
		finish(g[i]);
		crashed += g[i]->v.outcome == BROOD_CRASHED;
		if (g[i]->v.outcome != BROOD_CRASHED)
			expect(g[i], BROOD_REFUSED, BROOD_DETAIL_POISONED);
		if (site_is(s, CALLS) && g[i]->v.outcome == BROOD_REFUSED)
			CHECK_EQ(g[i]->n, -EKEYREJECTED);
	}
	CHECK_EQ(crashed, AFTER);
	expect(other, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK(WAIT_UNTIL(pool_stats(s->brood).died == died + AFTER, 20000));
}
CASE(those_that_wait, ANY_WORKER | ALONE, WITH_LIST, .workers = 1)

static bool forgotten(struct site *s, uint64_t key) { return !turned_away(s, key); }

static void forgets(struct site *s)
{
	uint64_t key = new_key();

	for (int i = 0; i < AFTER; i++)
		crash(s, key);
	CHECK(turned_away(s, key));
	CHECK(WAIT_UNTIL(forgotten(s, key), 20000));
	crash(s, key);
	CHECK_MSG(!turned_away(s, key), "it counts from nothing");
	crash(s, key);
	CHECK(turned_away(s, key));
}
CASE(forgets, EVERYWHERE | ALONE, SHORT_LIST)

/* Faults that are further apart than the rule says put no key on the list, retries included. */
static void far_apart(struct site *s)
{
	uint64_t key = new_key();
	struct given *g = RUN(s, job_raises, .number = SIGSEGV,
		.options = { .key = key,
			.retries = 2,
			.retry_on = BROOD_RETRY_CRASH,
			.retry_pause_ms = 300 });

	expect(g, BROOD_CRASHED, BROOD_DETAIL_NONE);
	CHECK_EQ(g->v.attempts, 3);
	CHECK(!turned_away(s, key));
}
CASE(far_apart, ANY_WORKER | ALONE, .pools = near_list, .pools_count = 1)
