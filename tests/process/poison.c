/* SPDX-License-Identifier: MIT */
/* poison.c - the poison list: what the log says, and that each pool has its own. */
#include "pool.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>

TestSuite(poison, .timeout = 120);

#define AFTER 3
#define KEY   UINT64_C(0xfeedface01)

static int lines;
static char line_text[600];

static void hear(void *context, const struct brood_log *log)
{
	note_log(context, log);
	if (log->event != BROOD_EVENT_KEY_POISONED)
		return;
	CHECK_EQ(log->level, BROOD_WARNING);
	CHECK_NE(log->job, 0);
	snprintf(line_text, sizeof line_text, "%s", log->text);
	lines++;
}

static struct brood *start(void)
{
	static const struct brood_pool_options first = { .size = sizeof first,
		.name = "main",
		.poison_after = AFTER,
		.poison_within_ms = 90000,
		.poison_forget_ms = 300000 },
					       second = { .size = sizeof second,
						       .name = "second",
						       .poison_after = AFTER };
	static const struct brood_pool_options *const pools[] = { &first, &second };

	return pool_start(&(struct brood_options){
		.workers = 2, .log = hear, .pools = pools, .pools_count = 2 });
}

static int job_crashes(struct brood_job *job)
{
	(void)job;
	return raise(SIGSEGV);
}

static bool line_came(struct brood *brood)
{
	brood_dispatch(brood);
	return lines > 0;
}

static void one_line(enum brood_path path)
{
	struct brood *brood = start();
	struct brood_job_options o = { .size = sizeof o, .key = KEY, .dispatch = path };
	struct brood_verdict v;

	for (int i = 0; i < AFTER; i++) {
		v = pool_call_with(brood, job_crashes, &o);
		verdict_is(&v, BROOD_CRASHED, BROOD_DETAIL_NONE);
	}
	REFUSES(brood_call(brood, job_crashes, "", 0, NULL, 0, &o, NULL), -EKEYREJECTED,
		"key 0xfeedface01 is on the poison list");
	CHECK(WAIT_UNTIL(line_came(brood), 20000));
	CHECK_CONTAINS(line_text, "key 0xfeedface01 is on the poison list");
	CHECK_CONTAINS(line_text, "crashed or hung 3 workers within 90000 ms");
	CHECK_CONTAINS(line_text, "the last one was job ");
	CHECK_CONTAINS(line_text, "refused for 300000 ms");
	for (int i = 0; i < 5; i++)
		CHECK_EQ(brood_call(brood, job_crashes, "", 0, NULL, 0, &o, NULL), -EKEYREJECTED);
	pool_stop(brood);
	CHECK_EQ(lines, 1);
}

static void one_line_by_handoff(void) { one_line(BROOD_PATH_HANDOFF); }
Test(poison, one_line_by_handoff) { case_run(one_line_by_handoff, 60000); }
static void one_line_on_a_lease(void) { one_line(BROOD_PATH_LEASE); }
Test(poison, one_line_on_a_lease) { case_run(one_line_on_a_lease, 60000); }

/* Faults on both paths count together, and the other pool has a list of its own. */
static void paths_together_pools_apart(void)
{
	struct brood *brood = start();
	struct brood_job_options o = { .size = sizeof o, .key = KEY };
	struct brood_verdict v;

	for (int i = 0; i < AFTER; i++) {
		o.dispatch = i % 2 ? BROOD_PATH_LEASE : BROOD_PATH_HANDOFF;
		v = pool_call_with(brood, job_crashes, &o);
		verdict_is(&v, BROOD_CRASHED, BROOD_DETAIL_NONE);
	}
	for (int i = 0; i < 2; i++) {
		o.dispatch = i % 2 ? BROOD_PATH_LEASE : BROOD_PATH_HANDOFF;
		CHECK_EQ(brood_call(brood, job_crashes, "", 0, NULL, 0, &o, &v), -EKEYREJECTED);
		verdict_is(&v, BROOD_REFUSED, BROOD_DETAIL_POISONED);
		CHECK_NE(v.id, 0);
	}
	CHECK(WAIT_UNTIL(line_came(brood), 20000));
	o.pool = brood_pool(brood, "second");
	for (int i = 0; i < AFTER; i++) {
		v = pool_call_with(brood, job_crashes, &o);
		verdict_is(&v, BROOD_CRASHED, BROOD_DETAIL_NONE);
	}
	CHECK_EQ(brood_call(brood, job_crashes, "", 0, NULL, 0, &o, NULL), -EKEYREJECTED);
	pool_stop(brood);
	CHECK_EQ(lines, 2);
}
Test(poison, paths_together_pools_apart) { case_run(paths_together_pools_apart, 60000); }
