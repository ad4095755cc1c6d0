/* SPDX-License-Identifier: MIT */
/*
 * reload.c - brood_reload(): a rolling new generation with the new init data. No job is refused,
 * stalled or lost; a generation that does not get ready leaves the old one serving.
 */
#include "../helpers/living.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

TestSuite(reload, .timeout = 180);

#define SOON 10000

static struct brood *brood;
static _Atomic int events[64];
static char held_text[400];

static void count_event(void *context, const struct brood_log *log)
{
	if (log->event == BROOD_EVENT_RELOAD_HELD)
		snprintf(held_text, sizeof held_text, "%s", log->text);
	if ((unsigned)log->event < 64)
		atomic_fetch_add(&events[log->event], 1);
	note_log(context, log);
}

static void start(uint32_t workers, uint32_t dispatch)
{
	brood = living_start(
		&(struct brood_options){
			.workers = workers, .dispatch = dispatch, .log = count_event },
		(struct brood_pool_options){ 0 });
}

/* The version of the init data of the worker that runs the job. */
static int says_version(struct brood_job *job)
{
	struct brood_init_data d;

	(void)job;
	return brood_get_init_data(&d) < 0 ? -1 : (int)d.version;
}

static void set(int version) { CHECK_EQ(brood_set_init_data(brood, "data", 4, NULL, 0), version); }

static uint64_t reload(void)
{
	uint64_t id = 0;
	int r = brood_reload(brood, NULL, &id);

	CHECK_MSG(r == 0, "%d: %s", r, brood_error());
	return id;
}

static int over(uint64_t id) { return brood_reload_wait(brood, id, (uint32_t)test_scaled(SOON)); }

static void all_have(int version)
{
	CHECK(WAIT_UNTIL(pool_full(brood), SOON));
	for (int i = 0; i < 40; i++)
		CHECK_EQ(POOL_CALL(brood, says_version).code, version);
}

/* ---- as it goes well ---- */

static void well(void *path)
{
	start(4, *(uint32_t *)path);
	all_have(0);
	set(1);
	CHECK_EQ(over(reload()), 0);
	CHECK_EQ(pool_stats(brood).retired, 4);
	CHECK_EQ(pool_stats(brood).killed, 0);
	CHECK_LE(atomic_load(&living->most), 5);
	all_have(1);
	CHECK_EQ(over(reload()), 0); /* a rolling restart */
	CHECK_EQ(pool_stats(brood).retired, 8);
	all_have(1);
	CHECK_EQ(atomic_load(&events[BROOD_EVENT_RELOAD_STARTED]), 2);
	CHECK_EQ(atomic_load(&events[BROOD_EVENT_RELOAD_DONE]), 2);
	CHECK_EQ(atomic_load(&events[BROOD_EVENT_RELOAD_FAILED]), 0);
	pool_stop(brood);
}
static const uint32_t paths[] = { BROOD_PATH_HANDOFF, BROOD_PATH_LEASE };
Test(reload, all_workers_are_new_by_handoff)
{
	case_run_with(well, (void *)(uintptr_t)&paths[0], 30000);
}
Test(reload, all_workers_are_new_on_leases)
{
	case_run_with(well, (void *)(uintptr_t)&paths[1], 30000);
}

/* ---- under load ---- */

static _Atomic bool loading;

static void *load(void *path)
{
	struct brood_job_options o = {
		.size = sizeof o, .dispatch = *(uint32_t *)path, .retries = 100
	};
	uint64_t count = 0;

	for (; atomic_load(&loading); count++) {
		struct brood_verdict v;

		brood_call(brood, job_nothing, NULL, 0, NULL, 0, &o, &v);
		verdict_is(&v, BROOD_DONE, 0);
	}
	CHECK_GT(count, 5);
	return NULL;
}

static void under_load(void *path)
{
	pthread_t threads[4];

	start(4, *(uint32_t *)path);
	atomic_store(&loading, true);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, load, path), 0);
	for (int i = 1; i <= 10; i++) {
		set(i);
		CHECK_EQ(over(reload()), 0);
		/* with a kill from outside now and then */
		if (i % 3 == 0)
			kill(pool_ask_pid(brood), SIGKILL);
	}
	atomic_store(&loading, false);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	all_have(10);
	CHECK_GE(pool_stats(brood).retired, 37);
	pool_stop(brood);
}
Test(reload, under_load_by_handoff)
{
	case_run_with(under_load, (void *)(uintptr_t)&paths[0], 60000);
}
Test(reload, under_load_on_leases)
{
	case_run_with(under_load, (void *)(uintptr_t)&paths[1], 60000);
}

/* ---- a generation that does not get ready ---- */

static void fails(void)
{
	uint64_t id;

	start(3, BROOD_PATH_AUTO);
	set(1);
	CHECK_EQ(over(reload()), 0);
	atomic_store(&living->failing, 2);
	set(2);
	id = reload();
	CHECK_EQ(over(id), -EHOSTDOWN);
	CHECK_EQ(over(id), -EHOSTDOWN);
	CHECK_GE(atomic_load(&living->refusals), 3);
	CHECK_LE(atomic_load(&living->refusals), 5);
	CHECK_EQ(atomic_load(&events[BROOD_EVENT_RELOAD_FAILED]), 1);
	CHECK_EQ(pool_stats(brood).retired, 3);
	all_have(1);
	/* births have the init data of before */
	kill(pool_ask_pid(brood), SIGKILL);
	CHECK(WAIT_UNTIL(pool_stats(brood).died >= 7 && pool_full(brood), SOON));
	all_have(1);
	CHECK_EQ(pool_stats(brood).retired, 3); /* the old ones serve on */
	CHECK_EQ(pool_stats(brood).degraded, 0);
	atomic_store(&living->failing, 0);
	set(3);
	CHECK_EQ(over(reload()), 0);
	all_have(3);
	pool_stop(brood);
}
Test(reload, a_generation_that_fails_leaves_the_old_one_serving) { case_run(fails, 60000); }

/* ---- superseded ---- */

static void superseded(void)
{
	uint64_t first, second;

	start(4, BROOD_PATH_AUTO);
	set(1);
	first = reload();
	set(2);
	second = reload();
	CHECK_EQ(over(first), -ECANCELED);
	CHECK_EQ(over(second), 0);
	all_have(2);
	CHECK_EQ(brood_reload_wait(brood, second + 1, 0), -EINVAL);
	CHECK_EQ(brood_reload_wait(brood, 0, 0), -EINVAL);
	CHECK_EQ(brood_reload(brood, NULL, NULL), 0);
	pool_stop(brood);
	CHECK_EQ(brood_reload(brood, NULL, NULL), -ESHUTDOWN);
	CHECK_EQ(brood_reload_wait(brood, second, 0), 0);
}
Test(reload, a_later_one_supersedes) { case_run(superseded, 30000); }

/* ---- who holds it up ---- */

static int waits(struct brood_job *job)
{
	(void)job;
	atomic_store(&living->waits, 1);
	return WAIT_UNTIL(atomic_load(&living->go), 60000) ? 0 : 1;
}

/* Takes results of says_version(). True: so many were taken in all, by all calls. */
static bool take(int count)
{
	const struct brood_result *results[32];
	static int taken;
	int n;

	brood_queue_dispatch(brood_own_queue(brood));
	n = brood_take(brood_own_queue(brood), results, 32);
	CHECK_GE(n, 0);
	for (int i = 0; i < n; i++)
		CHECK_EQ(results[i]->verdict.code, 1);
	taken += n;
	return taken == count;
}

static void busy(void *path)
{
	struct brood_job_options o = { .size = sizeof o, .dispatch = *(uint32_t *)path };
	const struct brood_result *result;
	uint64_t id;

	start(3, BROOD_PATH_AUTO);
	CHECK_EQ(brood_submit(brood, waits, NULL, 0, &o, NULL), 0);
	CHECK(WAIT_UNTIL(
		brood_queue_dispatch(brood_own_queue(brood)) == 0 && atomic_load(&living->waits),
		SOON));
	set(1);
	id = reload();
	CHECK_EQ(brood_reload_wait(brood, id, 300), -ETIMEDOUT);
	CHECK_EQ(pool_stats(brood).retired, 2); /* the others */
	/* jobs of the same queue do not wait for the busy worker */
	for (int i = 0; i < 20; i++)
		CHECK_EQ(brood_submit(brood, says_version, NULL, 0, &o, NULL), 0);
	CHECK(WAIT_UNTIL(take(20), SOON));
	for (int i = 0; i < 20; i++)
		CHECK_EQ(POOL_CALL(brood, says_version).code, 1);
	atomic_store(&living->go, 1);
	CHECK_EQ(over(id), 0);
	CHECK_EQ(pool_stats(brood).retired, 3);
	CHECK_GE(brood_queue_wait(brood_own_queue(brood), SOON), 0);
	CHECK_EQ(brood_take(brood_own_queue(brood), &result, 1), 1);
	verdict_is(&result->verdict, BROOD_DONE, 0);
	all_have(1);
	pool_stop(brood);
}
Test(reload, waits_for_a_busy_worker_by_handoff)
{
	case_run_with(busy, (void *)(uintptr_t)&paths[0], 60000);
}
Test(reload, waits_for_a_busy_worker_on_a_lease)
{
	case_run_with(busy, (void *)(uintptr_t)&paths[1], 60000);
}

static void pinned(void)
{
	struct brood_job_options o = { 0 };
	uint64_t id;

	start(2, BROOD_PATH_AUTO);
	CHECK_EQ(brood_lease(brood, NULL, &o.lease), 0);
	set(1);
	id = reload();
	CHECK_EQ(brood_reload_wait(brood, id, 300), -ETIMEDOUT);
	CHECK_EQ(pool_call_with(brood, says_version, &o).code, 0);
	brood_lease_end(o.lease);
	CHECK_EQ(over(id), 0);
	all_have(1);
	pool_stop(brood);
}
Test(reload, waits_for_a_pinned_lease) { case_run(pinned, 30000); }

static void *next_session(void *unused)
{
	struct brood_job_options o = { 0 };
	int version;

	CHECK_EQ(brood_lease(brood, NULL, &o.lease), 0);
	version = pool_call_with(brood, says_version, &o).code;
	brood_lease_end(o.lease);
	return unused ? unused : (void *)(intptr_t)version;
}

/* A worker that goes from one pinned lease to the next is replaced between them. */
static void pinned_again_and_again(void)
{
	struct brood_options options = { .workers = 1,
		.flags = BROOD_LEASE_REUSE,
		.worker_init = living_begins,
		.worker_exit = living_ends,
		.log = note_log };
	struct brood_job_options o = { 0 };
	pthread_t thread;
	void *version;
	uint64_t id;

	living_make();
	brood = pool_start(&options);
	CHECK_EQ(brood_lease(brood, NULL, &o.lease), 0);
	CHECK_EQ(pool_call_with(brood, says_version, &o).code, 0);
	CHECK_EQ(pthread_create(&thread, NULL, next_session, NULL), 0);
	CHECK(WAIT_UNTIL(pool_stats(brood).queued == 1, SOON));
	set(1);
	id = reload();
	CHECK_EQ(brood_reload_wait(brood, id, 100), -ETIMEDOUT);
	brood_lease_end(o.lease);
	CHECK_EQ(pthread_join(thread, &version), 0);
	CHECK_EQ((intptr_t)version, 1);
	CHECK_EQ(over(id), 0);
	pool_stop(brood);
}
Test(reload, pinned_again_and_again) { case_run(pinned_again_and_again, 30000); }

static _Atomic pid_t waiter;

static void *wait_for_it(void *id)
{
	atomic_store(&waiter, (pid_t)syscall(SYS_gettid));
	return (void *)(intptr_t)brood_reload_wait(brood, *(uint64_t *)id, BROOD_FOREVER);
}

/* No message of the supervisor wakes the thread that waits for the first: there is no log. */
static void superseded_while_a_thread_waits(void)
{
	struct brood_lease *lease;
	uint64_t first, second;
	pthread_t thread;
	void *result;

	living_make();
	brood = pool_start(&(struct brood_options){
		.workers = 1, .worker_init = living_begins, .worker_exit = living_ends });
	CHECK_EQ(brood_lease(brood, NULL, &lease), 0);
	first = reload();
	CHECK_EQ(pthread_create(&thread, NULL, wait_for_it, &first), 0);
	CHECK(WAIT_UNTIL(waiter && proc_state(waiter) == 'S', SOON));
	second = reload();
	CHECK_EQ(pthread_join(thread, &result), 0);
	CHECK_EQ((intptr_t)result, -ECANCELED);
	CHECK_EQ(brood_reload_wait(brood, second, 0), -ETIMEDOUT);
	brood_lease_end(lease);
	CHECK_EQ(over(second), 0);
	pool_stop(brood);
}
Test(reload, superseded_while_a_thread_waits) { case_run(superseded_while_a_thread_waits, 30000); }

static void named(void)
{
	struct brood_job_options o = { 0 },
				 hand = { .size = sizeof hand, .dispatch = BROOD_PATH_HANDOFF };
	const struct brood_result *result;
	uint64_t id;

	start(3, BROOD_PATH_AUTO);
	CHECK_EQ(brood_lease(brood, NULL, &o.lease), 0);
	CHECK_EQ(brood_submit(brood, waits, NULL, 0, &hand, NULL), 0);
	CHECK(WAIT_UNTIL(
		brood_queue_dispatch(brood_own_queue(brood)) == 0 && atomic_load(&living->waits),
		SOON));
	id = reload();
	CHECK_EQ(brood_reload_wait(brood, id, 29000), -ETIMEDOUT);
	CHECK_EQ(atomic_load(&events[BROOD_EVENT_RELOAD_HELD]), 0);
	CHECK_EQ(brood_reload_wait(brood, id, 2000), -ETIMEDOUT);
	CHECK(WAIT_UNTIL(
		pool_stats(brood).ready && atomic_load(&events[BROOD_EVENT_RELOAD_HELD]), SOON));
	CHECK_CONTAINS(held_text, "1 more are busy");
	CHECK(strstr(held_text, "is on a pinned lease") || strstr(held_text, "runs waits, job "));
	/* it waits for both */
	brood_lease_end(o.lease);
	CHECK_EQ(brood_reload_wait(brood, id, 100), -ETIMEDOUT);
	atomic_store(&living->go, 1);
	CHECK_GE(brood_queue_wait(brood_own_queue(brood), SOON), 0);
	CHECK_EQ(brood_take(brood_own_queue(brood), &result, 1), 1);
	CHECK_EQ(over(id), 0);
	pool_stop(brood);
}
Test(reload, who_holds_it_up_for_30_s_is_named) { case_run(named, 60000); }

/* ---- several pools ---- */

static void two_pools(void)
{
	const struct brood_pool_options other = { .size = sizeof other,
		.name = "other",
		.workers = 2,
		.worker_init = living_begins,
		.worker_exit = living_ends };
	const struct brood_pool_options *const pools[] = { &other };
	struct brood_options o = { .workers = 2,
		.worker_init = living_begins,
		.worker_exit = living_ends,
		.log = count_event,
		.pools = pools,
		.pools_count = 1 };
	struct brood_pool *pool;
	struct brood_lease *lease;
	struct brood_stats stats;
	uint64_t first, id;

	living_make();
	brood = pool_start(&o);
	pool = brood_pool(brood, "other");
	CHECK_EQ(brood_pool_set_init_data(pool, "data", 4, NULL, 0), 1);
	CHECK_EQ(brood_reload(brood, pool, &first), 0);
	CHECK_EQ(over(first), 0);
	CHECK_EQ(brood_pool_stats(pool, &stats), 0);
	CHECK_EQ(stats.retired, 2);
	CHECK_EQ(pool_stats(brood).retired, 2);
	CHECK_EQ(POOL_CALL(brood, says_version).code, 0);
	CHECK_EQ(brood_reload(brood, pool, &first), 0);
	id = reload();
	CHECK_EQ(over(first), -ECANCELED);
	CHECK_EQ(over(id), 0);
	CHECK_GE(pool_stats(brood).retired, 6);
	/* superseded in one pool, and it goes on in the other */
	CHECK_EQ(brood_lease(brood, NULL, &lease), 0);
	id = reload();
	CHECK_EQ(brood_reload(brood, pool, &first), 0);
	CHECK_EQ(over(first), 0);
	CHECK_EQ(brood_reload_wait(brood, id, 0), -ETIMEDOUT);
	brood_lease_end(lease);
	CHECK_EQ(over(id), -ECANCELED);
	CHECK_EQ(brood_reload(brood, (struct brood_pool *)(uintptr_t)&o, NULL), -EINVAL);
	CHECK_CONTAINS(brood_error(), "pool");
	pool_stop(brood);
}
Test(reload, of_one_pool_and_of_all) { case_run(two_pools, 30000); }

/* ---- inline mode ---- */

static void inline_mode(void)
{
	brood = living_start(
		&(struct brood_options){ .flags = BROOD_INLINE }, (struct brood_pool_options){ 0 });
	CHECK_EQ(brood_reload(brood, NULL, NULL), -ENOTSUP);
	CHECK_CONTAINS(brood_error(), "inline");
	CHECK_EQ(brood_reload_wait(brood, 1, 0), -ENOTSUP);
	CHECK_EQ(brood_reload(NULL, NULL, NULL), -EINVAL);
	pool_stop(brood);
}
Test(reload, inline_mode_has_no_workers) { case_run(inline_mode, 20000); }
