/* SPDX-License-Identifier: MIT */
/*
 * elastic.c - pools that grow with their work and shrink without it. Jobs wait at a gate in shared
 * memory, so the test decides how many run.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

TestSuite(elastic, .timeout = 180);

#define BOUND_MS 20000

static struct brood *brood;
static struct {
	_Atomic int open, inside, fail, pass, hold, ending, hold_end;
} * gate;

static int job_at_gate(struct brood_job *job)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	(void)job;
	atomic_fetch_add(&gate->inside, 1);
	while (!atomic_load(&gate->open)) {
		int pass = atomic_load(&gate->pass);

		if (pass > 0 && atomic_compare_exchange_strong(&gate->pass, &pass, pass - 1))
			break;
		nanosleep(&pause, NULL);
	}
	atomic_fetch_sub(&gate->inside, 1);
	return 0;
}

static int init_may_fail(void *context)
{
	(void)context;
	return WAIT_UNTIL(!atomic_load(&gate->hold), BOUND_MS) ? atomic_load(&gate->fail) : 1;
}

static void end_may_wait(void *context)
{
	(void)context;
	atomic_fetch_add(&gate->ending, 1);
	CHECK(WAIT_UNTIL(!atomic_load(&gate->hold_end), BOUND_MS));
}

static void start(struct brood_pool_options pool, uint32_t path)
{
	const struct brood_pool_options *pools[] = { &pool };
	struct brood_options options = { .size = sizeof options,
		.workers = 12,
		.pools = pools,
		.pools_count = 1,
		.dispatch = path,
		.worker_init = init_may_fail,
		.worker_exit = end_may_wait,
		.stop_ms = BOUND_MS,
		.log = note_log };

	pool.size = sizeof pool;
	pool.name = "main";
	gate = mmap(NULL, sizeof *gate, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(gate != MAP_FAILED);
	brood = pool_start(&options);
}

static void submit(int count)
{
	struct brood_job_options o = { .size = sizeof o, .run_ms = BROOD_FOREVER };

	for (int i = 0; i < count; i++)
		CHECK_MSG(brood_submit(brood, job_at_gate, "", 0, &o, NULL) == 0, "%s",
			brood_error());
}

/* So many jobs wait at the gate. */
static bool inside(int count)
{
	CHECK_GE(brood_dispatch(brood), 0);
	return atomic_load(&gate->inside) == count;
}

static bool some_inside(void)
{
	CHECK_GE(brood_dispatch(brood), 0);
	return atomic_load(&gate->inside) > 2;
}

static void take(int count)
{
	const struct brood_result *result;

	atomic_store(&gate->open, 1);
	for (int i = 0; i < count; i++) {
		while (brood_take(brood_own_queue(brood), &result, 1) == 0)
			CHECK_GE(brood_queue_wait(
					 brood_own_queue(brood), (uint32_t)test_scaled(BOUND_MS)),
				0);
		verdict_is(&result->verdict, BROOD_DONE, BROOD_DETAIL_NONE);
	}
	atomic_store(&gate->open, 0);
}

static bool ready_are(uint32_t count)
{
	struct brood_stats stats = pool_stats(brood);

	return stats.ready == count && stats.workers == count && stats.starting == 0;
}

/* With each transport: jobs that wait make workers; idle workers end, but for the least. */
static void grows_and_shrinks(uint32_t path)
{
	pid_t workers[32];

	start(
		(struct brood_pool_options){
			.scaling = BROOD_ELASTIC, .workers_min = 2, .spare = 1, .idle_ms = 300 },
		path);
	CHECK(ready_are(2));
	for (int round = 0; round < 3; round++) {
		submit(8);
		CHECK(WAIT_UNTIL(inside(8), BOUND_MS));
		CHECK(WAIT_UNTIL(ready_are(9), BOUND_MS)); /* the spare one, too */
		take(8);
		CHECK(WAIT_UNTIL(ready_are(2), BOUND_MS));
		CHECK(WAIT_UNTIL(proc_workers(proc_supervisor(), workers, 32) == 2, BOUND_MS));
	}
	CHECK_GE(pool_stats(brood).retired, 3 * 7);
	CHECK_EQ(pool_stats(brood).degraded, 0);
	pool_stop(brood);
}
static void grows_by_handoff(void) { grows_and_shrinks(BROOD_PATH_HANDOFF); }
Test(elastic, grows_by_handoff) { case_run(grows_by_handoff, 120000); }
static void grows_by_lease(void) { grows_and_shrinks(BROOD_PATH_LEASE); }
Test(elastic, grows_by_lease) { case_run(grows_by_lease, 120000); }

static void never_above_workers(void)
{
	pid_t workers[64];

	start((struct brood_pool_options){ .scaling = BROOD_ELASTIC }, BROOD_PATH_HANDOFF);
	submit(40);
	CHECK(WAIT_UNTIL(inside(12), BOUND_MS));
	CHECK(ready_are(12));
	CHECK_EQ(proc_workers(proc_supervisor(), workers, 64), 12);
	take(40);
	pool_stop(brood);
}
Test(elastic, never_above_workers) { case_run(never_above_workers, 60000); }

/* No worker at first, nor after a while without work. The pool is ready at once. */
static void on_demand(uint32_t path)
{
	pid_t workers[32];

	start((struct brood_pool_options){ .scaling = BROOD_ON_DEMAND, .idle_ms = 200 }, path);
	for (int round = 0; round < 3; round++) {
		CHECK(WAIT_UNTIL(ready_are(0), BOUND_MS));
		CHECK(WAIT_UNTIL(proc_workers(proc_supervisor(), workers, 32) == 0, BOUND_MS));
		for (int i = 0; i < 20; i++)
			CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	}
	CHECK_EQ(pool_stats(brood).degraded, 0);
	pool_stop(brood);
}
static void on_demand_by_handoff(void) { on_demand(BROOD_PATH_HANDOFF); }
Test(elastic, on_demand_by_handoff) { case_run(on_demand_by_handoff, 60000); }
static void on_demand_by_lease(void) { on_demand(BROOD_PATH_LEASE); }
Test(elastic, on_demand_by_lease) { case_run(on_demand_by_lease, 60000); }
static void on_demand_by_choice(void) { on_demand(BROOD_PATH_AUTO); }
Test(elastic, on_demand_by_choice) { case_run(on_demand_by_choice, 60000); }

/* Done only if four of these run at the same time. */
static int job_of_four(struct brood_job *job)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	int done = 0;

	(void)job;
	atomic_fetch_add(&gate->inside, 1);
	for (int i = 0; i < test_scaled(BOUND_MS) && !done; i++) {
		done = atomic_load(&gate->open) || atomic_load(&gate->inside) >= 4;
		nanosleep(&pause, NULL);
	}
	atomic_store(&gate->open, done);
	return !done;
}

static int is_done(void *context, size_t index, const struct brood_result *result)
{
	(void)context;
	(void)index;
	verdict_is(&result->verdict, BROOD_DONE, BROOD_DETAIL_NONE);
	return 0;
}

/* A map gives so many items at once that the pool grows: nobody else gives jobs. */
static void a_map_makes_it_grow(uint32_t scaling)
{
	const struct iovec items[4] = { { 0 } };

	start((struct brood_pool_options){ .scaling = scaling }, BROOD_PATH_AUTO);
	CHECK_EQ(brood_map(brood, job_of_four, items, 4, NULL, is_done, NULL), 4);
	pool_stop(brood);
}
static void a_map_on_demand(void) { a_map_makes_it_grow(BROOD_ON_DEMAND); }
Test(elastic, a_map_on_demand) { case_run(a_map_on_demand, 60000); }
static void a_map_in_an_elastic_pool(void) { a_map_makes_it_grow(BROOD_ELASTIC); }
Test(elastic, a_map_in_an_elastic_pool) { case_run(a_map_in_an_elastic_pool, 60000); }

/* Births that fail stop the growth. The job that waits is refused, and the next one is done. */
static void holds_off_in_trouble(void)
{
	struct brood_verdict v;

	start((struct brood_pool_options){ .scaling = BROOD_ON_DEMAND,
		      .idle_ms = 50, /* less than healthy_ms: the first healthy worker must stay */
		      .backoff_min_ms = 10,
		      .backoff_max_ms = 50,
		      .start_limit = 5 },
		BROOD_PATH_HANDOFF);
	atomic_store(&gate->fail, 1);
	v = POOL_CALL(brood, job_nothing);
	verdict_is(&v, BROOD_REFUSED, BROOD_DETAIL_DEGRADED);
	CHECK_LE(pool_stats(brood).workers, 2);
	atomic_store(&gate->fail, 0);
	CHECK(WAIT_UNTIL(POOL_CALL(brood, job_nothing).outcome == BROOD_DONE, BOUND_MS));
	pool_stop(brood);
}
Test(elastic, holds_off_in_trouble) { case_run(holds_off_in_trouble, 60000); }

/* A worker that dies while the pool is large is replaced, and the pool still shrinks later. */
static void deaths_while_large(void)
{
	pid_t workers[32];
	int n;

	start((struct brood_pool_options){ .scaling = BROOD_ELASTIC, .idle_ms = 300 },
		BROOD_PATH_HANDOFF);
	submit(6);
	CHECK(WAIT_UNTIL(inside(6), BOUND_MS));
	take(6);
	n = proc_workers(proc_supervisor(), workers, 32);
	for (int i = 0; i < n; i++)
		kill(workers[i], SIGKILL);
	CHECK(WAIT_UNTIL(ready_are(1), BOUND_MS));
	for (int i = 0; i < 10; i++)
		CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	pool_stop(brood);
}
Test(elastic, deaths_while_large) { case_run(deaths_while_large, 60000); }

static void stop_while_it_grows(void)
{
	start((struct brood_pool_options){ .scaling = BROOD_ELASTIC, .idle_ms = 50 },
		BROOD_PATH_AUTO);
	submit(12);
	CHECK(WAIT_UNTIL(some_inside(), BOUND_MS));
	atomic_store(&gate->open, 1);
	pool_stop(brood);
	CHECK_EQ(pool_stats(brood).stop_dropped, 0);
}
Test(elastic, stop_while_it_grows) { case_run(stop_while_it_grows, 60000); }

/* ---- brood_pool_resize() ---- */

static struct brood_pool *first(void) { return brood_pool(brood, NULL); }

/* Each transport: a fixed pool that shrinks keeps who is busy until the job ends. */
static void resized(uint32_t path)
{
	start((struct brood_pool_options){ .scaling = BROOD_FIXED }, path);
	CHECK_EQ(brood_pool_resize(first(), 0, 3), 0);
	CHECK(WAIT_UNTIL(ready_are(3), BOUND_MS));
	CHECK_EQ(brood_pool_resize(first(), 12, 12), 0);
	CHECK(WAIT_UNTIL(ready_are(12), BOUND_MS));
	submit(8);
	CHECK(WAIT_UNTIL(inside(8), BOUND_MS));
	CHECK_EQ(brood_pool_resize(first(), 0, 2), 0);
	CHECK(WAIT_UNTIL(pool_stats(brood).ready == 8, BOUND_MS)); /* the idle ones have ended */
	CHECK_EQ(atomic_load(&gate->inside), 8);
	take(8);
	CHECK(WAIT_UNTIL(ready_are(2), BOUND_MS));
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	CHECK_EQ(pool_stats(brood).verdicts[BROOD_DONE], 9);
	pool_stop(brood);
}
static void resized_by_handoff(void) { resized(BROOD_PATH_HANDOFF); }
Test(elastic, resized_by_handoff) { case_run(resized_by_handoff, 60000); }
static void resized_by_lease(void) { resized(BROOD_PATH_LEASE); }
Test(elastic, resized_by_lease) { case_run(resized_by_lease, 60000); }

/* However the size changes meanwhile: each job is done. */
static void resized_under_load(uint32_t path)
{
	const struct brood_result *results[64];
	int out = 0, given = 0;

	start((struct brood_pool_options){ .scaling = BROOD_FIXED }, path);
	for (int taken = 0; taken < 4000;) {
		int n;

		for (; out < 40 && given < 4000; out++, given++)
			CHECK_EQ(brood_submit(brood, job_nothing, "", 0, NULL, NULL), 0);
		if (taken % 20 == 0)
			CHECK_EQ(brood_pool_resize(first(), 0, 1 + (uint32_t)(given % 12)), 0);
		CHECK_GE(brood_queue_wait(brood_own_queue(brood), (uint32_t)test_scaled(BOUND_MS)),
			0);
		n = brood_take(brood_own_queue(brood), results, 64);
		for (int i = 0; i < n; i++)
			verdict_is(&results[i]->verdict, BROOD_DONE, BROOD_DETAIL_NONE);
		out -= n;
		taken += n;
	}
	CHECK_EQ(brood_pool_resize(first(), 0, 12), 0);
	CHECK(WAIT_UNTIL(ready_are(12), BOUND_MS));
	pool_stop(brood);
}
static void load_by_handoff(void) { resized_under_load(BROOD_PATH_HANDOFF); }
Test(elastic, resized_under_load_by_handoff) { case_run(load_by_handoff, 120000); }
static void load_by_lease(void) { resized_under_load(BROOD_PATH_LEASE); }
Test(elastic, resized_under_load_by_lease) { case_run(load_by_lease, 120000); }

/* A backlog keeps no worker that the pool is not to have. */
static void shrinks_beside_a_backlog(void)
{
	start((struct brood_pool_options){ .scaling = BROOD_FIXED }, BROOD_PATH_HANDOFF);
	submit(60);
	CHECK(WAIT_UNTIL(inside(12), BOUND_MS));
	CHECK_EQ(brood_pool_resize(first(), 0, 2), 0);
	CHECK(WAIT_UNTIL(pool_stats(brood).workers == 2, BOUND_MS));
	atomic_store(&gate->pass, 11); /* eleven may go: one is left, and one of two begins */
	CHECK(WAIT_UNTIL(inside(2) && pool_stats(brood).ready == 2, BOUND_MS));
	take(60);
	pool_stop(brood);
}
Test(elastic, shrinks_beside_a_backlog) { case_run(shrinks_beside_a_backlog, 60000); }

/* Workers that are due for their age end, where the pool may shrink, and are not replaced. */
static void old_ones_are_the_coldest(void)
{
	start(
		(struct brood_pool_options){
			.scaling = BROOD_ELASTIC, .idle_ms = 3000, .retire_age_ms = 300 },
		BROOD_PATH_HANDOFF);
	submit(6);
	CHECK(WAIT_UNTIL(inside(6), BOUND_MS));
	take(6);
	CHECK(WAIT_UNTIL(ready_are(1), 2500));
	pool_stop(brood);
}
Test(elastic, old_ones_are_the_coldest) { case_run(old_ones_are_the_coldest, 60000); }

/* A pool that shrinks while it grows still keeps the workers that serve, not those being born. */
static void shrinks_while_it_grows(void)
{
	start((struct brood_pool_options){ .scaling = BROOD_FIXED }, BROOD_PATH_HANDOFF);
	CHECK_EQ(brood_pool_resize(first(), 0, 4), 0);
	CHECK(WAIT_UNTIL(ready_are(4), BOUND_MS));
	atomic_store(&gate->hold, 1);
	CHECK_EQ(brood_pool_resize(first(), 0, 12), 0);
	CHECK(WAIT_UNTIL(pool_stats(brood).starting == 8, BOUND_MS));
	CHECK_EQ(brood_pool_resize(first(), 0, 3), 0);
	CHECK(WAIT_UNTIL(pool_stats(brood).workers == 3, BOUND_MS));
	for (int i = 0; i < 20; i++)
		CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	CHECK_EQ(pool_stats(brood).ready, 3);
	CHECK_EQ(pool_stats(brood).starting, 8);
	atomic_store(&gate->hold, 0);
	CHECK(WAIT_UNTIL(ready_are(3), BOUND_MS));
	pool_stop(brood);
}
Test(elastic, shrinks_while_it_grows) { case_run(shrinks_while_it_grows, 60000); }

/* Hundreds of processes that end at once would keep those that serve from the CPUs. */
static void few_end_at_a_time(void)
{
	start((struct brood_pool_options){ .scaling = BROOD_FIXED }, BROOD_PATH_LEASE);
	atomic_store(&gate->hold_end, 1);
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE); /* there is a lease */
	CHECK_EQ(brood_pool_resize(first(), 0, 1), 0);
	CHECK(WAIT_UNTIL(atomic_load(&gate->ending) == 8, BOUND_MS));
	for (int i = 0; i < 20; i++)
		CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	CHECK_EQ(pool_stats(brood).leases, 1); /* which is not taken back: others are idle */
	CHECK_EQ(atomic_load(&gate->ending), 8);
	CHECK_EQ(pool_stats(brood).ready, 4);
	atomic_store(&gate->hold_end, 0);
	CHECK(WAIT_UNTIL(ready_are(1), BOUND_MS));
	CHECK_EQ(pool_stats(brood).killed, 0);
	pool_stop(brood);
}
Test(elastic, few_end_at_a_time) { case_run(few_end_at_a_time, 60000); }

/* An elastic pool: the bounds change, its ways do not. */
static void new_bounds(void)
{
	start((struct brood_pool_options){ .scaling = BROOD_ELASTIC, .idle_ms = 200 },
		BROOD_PATH_AUTO);
	CHECK(ready_are(1));
	CHECK_EQ(brood_pool_resize(first(), 4, 6), 0);
	CHECK(WAIT_UNTIL(ready_are(4), BOUND_MS));
	submit(10);
	CHECK(WAIT_UNTIL(inside(6), BOUND_MS));
	CHECK_EQ(brood_pool_resize(first(), 1, 12), 0);
	CHECK(WAIT_UNTIL(inside(10), BOUND_MS));
	take(10);
	CHECK(WAIT_UNTIL(ready_are(1), BOUND_MS));
	pool_stop(brood);
}
Test(elastic, new_bounds) { case_run(new_bounds, 60000); }

static void wrong_sizes(void)
{
	start((struct brood_pool_options){ .scaling = BROOD_FIXED }, BROOD_PATH_AUTO);
	CHECK_EQ(brood_pool_resize(first(), 0, 13), -ERANGE);
	CHECK_CONTAINS(brood_error(), "max is 13: 1 to 12");
	CHECK_EQ(brood_pool_resize(first(), 0, 0), -ERANGE);
	CHECK_EQ(brood_pool_resize(first(), 5, 4), -EINVAL);
	CHECK_EQ(brood_pool_resize(first(), 1, 4), -EINVAL);
	CHECK_CONTAINS(brood_error(), "BROOD_ELASTIC");
	CHECK_EQ(brood_pool_resize(NULL, 1, 1), -EINVAL);
	pool_stop(brood);
	CHECK_EQ(brood_pool_resize(first(), 0, 4), -ESHUTDOWN);
}
Test(elastic, wrong_sizes) { case_run(wrong_sizes, 60000); }
