/* SPDX-License-Identifier: MIT */
/* inline_pools.c - BROOD_INLINE with several pools: each pool's counters are about its own jobs. */
#include "pools.h"

#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(inline_pools, .timeout = 60);

static struct brood *brood;
static struct brood_pool *php;

static void start(void)
{
	brood = pools_start(&(struct brood_options){ .flags = BROOD_INLINE }, NULL);
	php = brood_pool(brood, "php");
	CHECK(php);
}

/* Figures of a pool that are 0 unless the test says otherwise. */
struct figures {
	uint64_t submitted, done, failed, dropped, leases;
	uint32_t busy, leased;
};

static void pool_has(const char *name, const struct figures *f)
{
	struct brood_stats s = pools_stats(brood, name);

	CHECK_EQ(s.workers, 1);
	CHECK_EQ(s.ready, 1);
	CHECK_EQ(s.busy, f->busy);
	CHECK_EQ(s.idle, f->busy == 0);
	CHECK_EQ(s.leased, f->leased);
	CHECK_EQ(s.leases, f->leases);
	CHECK_EQ(s.submitted, f->submitted);
	CHECK_EQ(s.verdicts[BROOD_DONE], f->done);
	CHECK_EQ(s.verdicts[BROOD_FAILED], f->failed);
	CHECK_EQ(s.dropped, f->dropped);
}

static int job_fails(struct brood_job *job)
{
	(void)job;
	return 3;
}

static void call(brood_fn *fn, struct brood_job_options o, const char *pool)
{
	struct brood_verdict v = { 0 };
	char reply[64];

	o.size = sizeof o;
	CHECK_GE(brood_call_named(brood, fn, "job", "", 0, reply, sizeof reply, &o, &v), 0);
	CHECK_STR(v.pool, pool);
}

static void calls(void)
{
	struct brood_stats all;

	start();
	pool_has("main", &(struct figures){ 0 });
	pool_has("php", &(struct figures){ 0 });
	for (int i = 0; i < 3; i++)
		call(pools_who, (struct brood_job_options){ .pool = php }, "php");
	call(job_fails, (struct brood_job_options){ .pool = php }, "php");
	call(pools_who, (struct brood_job_options){ 0 }, "main");
	pool_has("main", &(struct figures){ .submitted = 1, .done = 1 });
	pool_has("php", &(struct figures){ .submitted = 4, .done = 3, .failed = 1 });
	all = pool_stats(brood);
	CHECK_EQ(all.submitted, 5);
	CHECK_EQ(all.verdicts[BROOD_DONE], 4);
	CHECK_EQ(all.verdicts[BROOD_FAILED], 1);
	CHECK_EQ(all.workers, 2);
	CHECK_EQ(all.ready, 2);
	CHECK_EQ(all.idle, 2);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_pools, calls) { case_run(calls, 10000); }

static int job_looks(struct brood_job *job)
{
	struct brood_stats s = pools_stats(brood, "php"), main_pool = pools_stats(brood, "main");

	(void)job;
	CHECK_EQ(s.busy, 1);
	CHECK_EQ(s.idle, 0);
	CHECK_EQ(main_pool.busy, 0);
	CHECK_EQ(main_pool.idle, 1);
	return 0;
}

static void while_it_runs(void)
{
	start();
	call(job_looks, (struct brood_job_options){ .pool = php }, "php");
	pool_has("php", &(struct figures){ .submitted = 1, .done = 1 });
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_pools, while_it_runs) { case_run(while_it_runs, 10000); }

static bool is_dropped(uint64_t count) { return pools_stats(brood, "php").dropped == count; }

/* Nobody wants these verdicts: a job without a handle, and results that are in a queue's end. */
static void dropped(void)
{
	struct brood_job_options o = { .size = sizeof o };
	struct brood_queue *queue;
	int fd;

	start();
	o.pool = php;
	CHECK_EQ(brood_open(brood, job_fails, &o, &fd, NULL), 0);
	CHECK(WAIT_UNTIL(is_dropped(1), 10000));
	close(fd);
	CHECK_EQ(brood_queue_new(brood, NULL, &queue), 0);
	o.queue = queue;
	CHECK_EQ(brood_submit(brood, job_fails, "", 0, &o, NULL), 0);
	o.pool = NULL;
	CHECK_EQ(brood_submit(brood, job_fails, "", 0, &o, NULL), 0);
	brood_queue_free(queue);
	pool_has("php", &(struct figures){ .submitted = 2, .failed = 2, .dropped = 2 });
	pool_has("main", &(struct figures){ .submitted = 1, .failed = 1, .dropped = 1 });
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_pools, dropped) { case_run(dropped, 20000); }

static void leases(void)
{
	struct brood_lease_options l = { .size = sizeof l };
	struct brood_lease *lease;

	start();
	l.pool = php;
	CHECK_EQ(brood_lease(brood, &l, &lease), 0);
	pool_has("php", &(struct figures){ .leased = 1, .leases = 1 });
	pool_has("main", &(struct figures){ 0 });
	call(pools_who, (struct brood_job_options){ .lease = lease }, "php");
	brood_lease_end(lease);
	pool_has("php", &(struct figures){ .leases = 1, .submitted = 1, .done = 1 });
	pool_has("main", &(struct figures){ 0 });
	CHECK_EQ(brood_stop(brood), 0);
}
Test(inline_pools, leases) { case_run(leases, 10000); }

static int job_waits(struct brood_job *job)
{
	char byte;

	return brood_job_read(job, &byte, 1) == 1 ? 0 : 1;
}

/* The stop waits for a job of any pool, and says so when its time is over. */
static void stop_with_a_job(void)
{
	struct brood_options options = { .flags = BROOD_INLINE, .drain_ms = 20, .stop_ms = 20 };
	struct brood_job_options o = { .size = sizeof o };
	struct brood_handle *handle;
	struct brood_verdict v;
	int fd;

	brood = pools_start(&options, NULL);
	o.pool = brood_pool(brood, "php");
	CHECK_EQ(brood_open(brood, job_waits, &o, &fd, &handle), 0);
	CHECK_EQ(brood_stop(brood), -ETIMEDOUT);
	CHECK_EQ(brood_fetch(handle, &v), 0);
	CHECK_EQ(v.outcome, BROOD_LOST);
	CHECK_EQ(pools_stats(brood, "php").verdicts[BROOD_LOST], 1);
	CHECK_EQ(pools_stats(brood, "main").verdicts[BROOD_LOST], 0);
	brood_release(handle);
	CHECK_EQ(send(fd, "x", 1, MSG_NOSIGNAL), 1);
	CHECK(WAIT_UNTIL(proc_threads(getpid()) == 1, 10000));
	close(fd);
}
Test(inline_pools, stop_with_a_job) { case_run(stop_with_a_job, 20000); }
