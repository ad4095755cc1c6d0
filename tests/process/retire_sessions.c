/* SPDX-License-Identifier: MIT */
/*
 * retire_sessions.c - a pinned lease is a session: its worker ends with it, unless the pool says
 * otherwise. And what is wrong, or not there, says so.
 */
#include "../helpers/living.h"

#include <criterion/criterion.h>
#include <unistd.h>

TestSuite(retire_sessions, .timeout = 120);

static struct brood *brood;
static int secret;

static int learns(struct brood_job *job)
{
	(void)job;
	secret = 4711;
	return 0;
}
static int tells(struct brood_job *job)
{
	(void)job;
	return secret;
}

/* A session: what it learns it knows until its end. Returns its worker's pid. */
static pid_t session(int known)
{
	struct brood_lease *lease;
	struct brood_job_options o = { 0 };
	struct brood_verdict v;

	CHECK_EQ(brood_lease(brood, NULL, &lease), 0);
	o.lease = lease;
	CHECK_EQ(pool_call_with(brood, tells, &o).code, known);
	v = pool_call_with(brood, learns, &o);
	verdict_is(&v, BROOD_DONE, 0);
	CHECK_EQ(pool_call_with(brood, tells, &o).code, 4711);
	brood_lease_end(lease);
	return v.pid;
}

static void ends_with_it(void)
{
	brood = living_start(
		&(struct brood_options){ .workers = 1 }, (struct brood_pool_options){ 0 });
	for (uint64_t i = 1; i <= 5; i++) {
		pid_t pid = session(0);

		CHECK(proc_wait_gone(pid, 10000));
		CHECK(WAIT_UNTIL(pool_stats(brood).retired == i, 10000));
	}
	CHECK_EQ(POOL_CALL(brood, tells).code, 0);
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	CHECK_EQ(pool_stats(brood).killed, 0);
	CHECK_EQ(atomic_load(&living->alive), 1);
	pool_stop(brood);
}
Test(retire_sessions, the_worker_ends_with_its_pinned_lease) { case_run(ends_with_it, 30000); }

static void reuse(void)
{
	pid_t pid;

	brood = living_start(&(struct brood_options){ .workers = 1, .flags = BROOD_LEASE_REUSE },
		(struct brood_pool_options){ 0 });
	pid = session(0);
	CHECK_EQ(session(4711), pid);
	CHECK_EQ(POOL_CALL(brood, tells).code, 4711);
	CHECK_EQ(pool_stats(brood).retired, 0);
	pool_stop(brood);
}
Test(retire_sessions, unless_the_pool_allows_reuse) { case_run(reuse, 30000); }

/* Nobody has been there: there is nothing to forget. */
static void without_a_job(void)
{
	struct brood_lease *lease;
	pid_t pid;

	brood = living_start(
		&(struct brood_options){ .workers = 1 }, (struct brood_pool_options){ 0 });
	pid = pool_ask_pid(brood);
	CHECK_EQ(brood_lease(brood, NULL, &lease), 0);
	brood_lease_end(lease);
	CHECK_EQ(pool_ask_pid(brood), pid);
	CHECK_EQ(pool_stats(brood).retired, 0);
	pool_stop(brood);
}
Test(retire_sessions, not_without_a_job) { case_run(without_a_job, 30000); }

/* In a session the limits do not count: it has one worker. */
static void not_within(void)
{
	struct brood_job_options o = { 0 };
	struct brood_lease *lease;
	pid_t pid;

	brood = living_start(&(struct brood_options){ .workers = 2 },
		(struct brood_pool_options){ .retire_jobs = 1 });
	CHECK_EQ(brood_lease(brood, NULL, &lease), 0);
	CHECK_EQ(brood_lease_worker(lease, &pid, NULL, NULL), 0);
	o.lease = lease;
	for (int i = 0; i < 20; i++)
		CHECK_EQ(pool_call_with(brood, job_nothing, &o).pid, pid);
	CHECK_EQ(pool_stats(brood).retired, 0);
	brood_lease_end(lease);
	CHECK(WAIT_UNTIL(pool_stats(brood).retired == 1, 10000));
	pool_stop(brood);
}
Test(retire_sessions, limits_do_not_end_a_session) { case_run(not_within, 30000); }

/* ---- inline mode, and wrong values ---- */

static int wish_inline(struct brood_job *job) { return brood_job_retire(job); }

static void inline_mode(void)
{
	brood = living_start(&(struct brood_options){ .flags = BROOD_INLINE | BROOD_OLD_FIRST },
		(struct brood_pool_options){ .retire_jobs = 1, .retire_age_ms = 1, .surge = 1 });
	for (int i = 0; i < 3; i++)
		CHECK_EQ(POOL_CALL(brood, wish_inline).code, -ENOTSUP);
	pool_stop(brood);
}
Test(retire_sessions, inline_mode_has_no_workers) { case_run(inline_mode, 20000); }
