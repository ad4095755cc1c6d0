/* SPDX-License-Identifier: MIT */
/*
 * pools_apart.c - what happens to one pool costs the others nothing, and what is said names the
 * pool. A brood with one pool says nothing of pools.
 */
#include "../helpers/pools.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

TestSuite(pools_apart, .timeout = 120);

static struct brood *brood;
static char lines[16384]; /* what the log said */

static void keep(void *context, const struct brood_log *log)
{
	size_t used = strlen(lines);

	(void)context;
	note("log: %s", log->text);
	snprintf(lines + used, sizeof lines - used, "<%s>%s\n", log->pool ? log->pool : "",
		log->text);
}

static bool said(const char *words)
{
	brood_dispatch(brood);
	return strstr(lines, words) != NULL;
}

static struct brood_job_options in(const char *pool)
{
	return (struct brood_job_options){ .size = sizeof(struct brood_job_options),
		.pool = brood_pool(brood, pool) };
}

static struct brood_verdict call(brood_fn *fn, const char *pool, uint32_t dispatch)
{
	struct brood_job_options o = in(pool);

	o.dispatch = dispatch;
	return pool_call_with(brood, fn, &o);
}

/* ---- a pool whose workers die at birth ---- */

static int fails(void *context)
{
	(void)context;
	return 1;
}

static struct brood *start_with_bad(void)
{
	static const struct brood_pool_options bad = { .size = sizeof bad,
		.name = "bad",
		.workers = 2,
		.worker_init = fails,
		.backoff_min_ms = 5,
		.backoff_max_ms = 20,
		.start_limit = 3 };
	static const struct brood_pool_options *const list[] = { &bad };
	struct brood_options o = {
		.size = sizeof o, .workers = 2, .log = keep, .pools = list, .pools_count = 1
	};

	CHECK_EQ(brood_start(&o, &brood), 0);
	CHECK_EQ(brood_wait_ready(brood, POOL_READY_MS), -EHOSTDOWN);
	CHECK_CONTAINS(brood_error(), "bad is degraded");
	return brood;
}

static void crash_loop(void)
{
	struct brood_verdict v;

	brood = start_with_bad();
	CHECK(WAIT_UNTIL(said("<bad>pool bad: the pool is degraded"), 10000));
	for (uint32_t path = BROOD_PATH_AUTO; path <= BROOD_PATH_LEASE; path++)
		for (int i = 0; i < 20; i++) {
			v = call(job_nothing, "main", path);
			verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
		}
	v = call(job_nothing, "bad", BROOD_PATH_HANDOFF);
	verdict_is(&v, BROOD_REFUSED, BROOD_DETAIL_DEGRADED);
	CHECK_STR(v.pool, "bad");
	v = call(job_nothing, "bad", BROOD_PATH_LEASE);
	verdict_is(&v, BROOD_REFUSED, BROOD_DETAIL_DEGRADED);
	CHECK(pools_stats(brood, "bad").degraded);
	CHECK(!pools_stats(brood, "main").degraded);
	CHECK_EQ(pools_stats(brood, "main").died, 0);
	CHECK(pool_stats(brood).degraded);
	pool_stop(brood);
}
Test(pools_apart, crash_loop) { case_run(crash_loop, 30000); }

/* ---- room ---- */

static void backlog(void)
{
	struct brood_job_options o;
	struct brood_handle *h[3];
	struct brood_verdict v;
	int fd[3];

	brood = pools_start(NULL, &(struct brood_pool_options){ .workers = 1, .backlog = 2 });
	o = in("php");
	o.dispatch = BROOD_PATH_HANDOFF;
	for (int i = 0; i < 3; i++)
		CHECK_EQ(brood_open(brood, job_until_cancelled, &o, &fd[i], &h[i]), 0);
	CHECK_EQ(brood_open(brood, job_until_cancelled, &o, &fd[0], NULL), -EAGAIN);
	CHECK_CONTAINS(brood_error(), "3 jobs are out");
	/* pool php has no room, and pool main does not care */
	for (int i = 0; i < 20; i++) {
		v = call(job_nothing, "main", i % 2 ? BROOD_PATH_HANDOFF : BROOD_PATH_LEASE);
		verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
	}
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(brood_cancel(brood, brood_id(h[i])), 0);
		CHECK_EQ(brood_wait(h[i], 10000, &v), 0);
		CHECK_STR(v.pool, "php");
		brood_release(h[i]);
		close(fd[i]);
	}
	pool_stop(brood);
}
Test(pools_apart, backlog) { case_run(backlog, 30000); }

/* All workers of one pool are busy for long: jobs of the other do not wait. */
static void busy(void)
{
	struct brood_job_options o;
	struct brood_handle *h[POOLS_MAIN];
	struct brood_verdict v;
	int fd[POOLS_MAIN];

	brood = pools_start(NULL, NULL);
	o = in("main");
	for (int i = 0; i < POOLS_MAIN; i++)
		CHECK_EQ(brood_open(brood, job_until_cancelled, &o, &fd[i], &h[i]), 0);
	for (int i = 0; i < 20; i++) {
		v = call(job_nothing, "php", BROOD_PATH_AUTO);
		verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
	}
	for (int i = 0; i < POOLS_MAIN; i++) {
		CHECK_EQ(brood_cancel(brood, brood_id(h[i])), 0);
		CHECK_EQ(brood_wait(h[i], 10000, NULL), 0);
		brood_release(h[i]);
		close(fd[i]);
	}
	pool_stop(brood);
}
Test(pools_apart, busy) { case_run(busy, 30000); }

/* ---- each pool has its own times ---- */

static void times(void)
{
	struct brood_verdict v;

	brood = pools_start(&(struct brood_options){ .run_ms = 60000 },
		&(struct brood_pool_options){ .run_ms = 50, .grace_ms = 1000 });
	for (uint32_t path = BROOD_PATH_AUTO; path <= BROOD_PATH_LEASE; path++) {
		v = call(job_until_cancelled, "php", path);
		verdict_is(&v, BROOD_FAILED, BROOD_DETAIL_NONE);
		CHECK_EQ(v.code, 42);
		CHECK(v.flags & BROOD_TOLD_DEADLINE);
	}
	pool_stop(brood);
}
Test(pools_apart, times) { case_run(times, 30000); }

/* ---- what is counted, said and shown ---- */

static void stats(void)
{
	struct brood_stats all, php, first;

	brood = pools_start(&(struct brood_options){ .workers = 3 }, NULL);
	for (int i = 0; i < 4; i++)
		call(job_nothing, "php", i % 2 ? BROOD_PATH_HANDOFF : BROOD_PATH_LEASE);
	for (int i = 0; i < 6; i++)
		call(job_nothing, "main", i % 2 ? BROOD_PATH_HANDOFF : BROOD_PATH_LEASE);
	php = pools_stats(brood, "php");
	first = pools_stats(brood, "main");
	all = pool_stats(brood);
	CHECK_EQ(php.size, sizeof php);
	CHECK_EQ(php.workers, POOLS_OTHER);
	CHECK_EQ(first.workers, 3);
	CHECK_EQ(all.workers, 3 + POOLS_OTHER);
	CHECK_EQ(php.spawned, POOLS_OTHER);
	CHECK_EQ(all.spawned, 3 + POOLS_OTHER);
	CHECK_EQ(php.verdicts[BROOD_DONE], 4);
	CHECK_EQ(first.verdicts[BROOD_DONE], 6);
	CHECK_EQ(all.verdicts[BROOD_DONE], 10);
	CHECK_EQ(php.submitted, 4);
	CHECK_EQ(first.submitted, 6);
	CHECK_EQ(all.submitted, 10);
	CHECK_EQ(all.leases, php.leases + first.leases);
	CHECK_GE(php.leases, 1);
	pool_stop(brood);
}
Test(pools_apart, stats) { case_run(stats, 30000); }

static int segfaults(struct brood_job *job)
{
	(void)job;
	return raise(SIGSEGV);
}

static void told(void)
{
	struct brood_verdict v;
	char title[128], words[64];
	pid_t pids[8];

	brood = pools_start(&(struct brood_options){ .log = keep, .title = "app" }, NULL);
	CHECK_EQ(proc_find(proc_supervisor(), "app: worker", pids, 8), POOLS_MAIN + POOLS_OTHER);
	CHECK_EQ(proc_count(proc_supervisor(), "[php]"), POOLS_OTHER);
	CHECK_EQ(proc_count(proc_supervisor(), "[main]"), POOLS_MAIN);
	v = call(job_nothing, "php", BROOD_PATH_HANDOFF);
	proc_title(v.pid, title, sizeof title);
	snprintf(words, sizeof words, "app: worker %u [php]", v.slot);
	CHECK_CONTAINS(title, words);
	v = call(segfaults, "php", BROOD_PATH_HANDOFF);
	snprintf(words, sizeof words, "<php>pool php: worker %u (pid %d) ended by SIGSEGV", v.slot,
		v.pid);
	CHECK(WAIT_UNTIL(said(words), 10000));
	pools_full(brood, "php");
	pool_stop(brood);
}
Test(pools_apart, told) { case_run(told, 30000); }

static void alone(void)
{
	struct brood_options o = { .workers = 1, .log = keep, .title = "app" };
	struct brood_verdict v;
	char line[512];

	brood = pool_start(&o);
	CHECK_EQ(proc_count(proc_supervisor(), "app: worker 0"), 1);
	CHECK_EQ(proc_count(proc_supervisor(), "["), 0);
	v = POOL_CALL(brood, segfaults);
	CHECK_STR(v.pool, "");
	brood_verdict_format(&v, line, sizeof line);
	CHECK(!strstr(line, "pool"));
	CHECK(WAIT_UNTIL(said("<>worker 0 (pid"), 10000));
	CHECK(brood_pool(brood, "main") == brood_pool(brood, NULL));
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	pool_stop(brood);
}
Test(pools_apart, alone) { case_run(alone, 30000); }

/* ---- births come in turn ---- */

#define MANY 40

static void births(void)
{
	struct brood_pool_options few = { .workers = 1 };
	pid_t last, pids[MANY + 4];
	int count, before = 0;

	brood = pools_start(&(struct brood_options){ .workers = MANY }, &few);
	count = proc_find(proc_supervisor(), "[main]", pids, MANY + 4);
	CHECK_EQ(count, MANY);
	last = call(job_nothing, "php", BROOD_PATH_HANDOFF).pid;
	for (int i = 0; i < count; i++)
		before += pids[i] < last;
	/* numbers of processes may have begun anew */
	CHECK_MSG(before <= 1 || before >= MANY - 1, "%d workers were born before", before);
	pool_stop(brood);
}
Test(pools_apart, births) { case_run(births, 30000); }

/* ---- many ---- */

static void as_many_as_may_be(void)
{
	static char names[BROOD_POOLS_MAX][16];
	static struct brood_pool_options each[BROOD_POOLS_MAX];
	const struct brood_pool_options *list[BROOD_POOLS_MAX];
	struct brood_options o = {
		.workers = 1, .backlog = 4, .pools = list, .pools_count = BROOD_POOLS_MAX - 1
	};
	struct brood_verdict v;

	for (int i = 0; i < BROOD_POOLS_MAX - 1; i++) {
		snprintf(names[i], sizeof names[i], "p%d", i);
		each[i] = (struct brood_pool_options){ .size = sizeof each[i], .name = names[i] };
		list[i] = &each[i];
	}
	brood = pool_start(&o);
	for (int i = 0; i < BROOD_POOLS_MAX - 1; i++) {
		v = call(job_nothing, names[i], BROOD_PATH_HANDOFF);
		verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_STR(v.pool, names[i]);
	}
	CHECK_EQ(pool_stats(brood).workers, BROOD_POOLS_MAX);
	pool_stop(brood);
}
Test(pools_apart, as_many_as_may_be) { case_run(as_many_as_may_be, 30000); }
