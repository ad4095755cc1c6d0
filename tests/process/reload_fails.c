/* SPDX-License-Identifier: MIT */
/*
 * reload_fails.c - reloads that fail, are superseded, or meet something else on their way: a stop,
 * a new size, a worker that is due for its own sake. Who has served well serves on.
 */
#include "../helpers/living.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

TestSuite(reload_fails, .timeout = 180);

#define SOON 10000

static struct brood *brood;

static void start(uint32_t workers, uint32_t flags, struct brood_pool_options own)
{
	brood = living_start(&(struct brood_options){ .workers = workers, .flags = flags }, own);
}
static const struct brood_pool_options plain;

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

static bool settled(uint64_t retired, uint32_t ready, uint32_t idle)
{
	struct brood_stats s = pool_stats(brood);

	return s.retired == retired && s.ready == ready && s.idle == idle && s.starting == 0;
}

/* The same, once the last of so many births has got ready: `retired` is ahead of the others. */
static bool settled_with(int born, uint64_t retired, uint32_t ready, uint32_t idle)
{
	return atomic_load(&living->born) == born && settled(retired, ready, idle);
}

/* ---- a job that holds its worker ---- */

static int waits(struct brood_job *job)
{
	(void)job;
	atomic_store(&living->waits, 1);
	return WAIT_UNTIL(atomic_load(&living->go), 60000) ? 0 : 1;
}

/* One worker has a job, by handoff, until let_go(). */
static void occupy_one(void)
{
	struct brood_job_options o = { .size = sizeof o, .dispatch = BROOD_PATH_HANDOFF };

	CHECK_EQ(brood_submit(brood, waits, NULL, 0, &o, NULL), 0);
	CHECK(WAIT_UNTIL(
		brood_queue_dispatch(brood_own_queue(brood)) == 0 && atomic_load(&living->waits),
		SOON));
}

static void let_go(void)
{
	const struct brood_result *result;

	atomic_store(&living->go, 1);
	CHECK_GE(brood_queue_wait(brood_own_queue(brood), SOON), 0);
	CHECK_EQ(brood_take(brood_own_queue(brood), &result, 1), 1);
	verdict_is(&result->verdict, BROOD_DONE, 0);
}

/* ---- who serves on ---- */

static void former_ones_stay(void)
{
	start(3, 0, plain);
	atomic_store(&living->failing, 1);
	set(1);
	CHECK_EQ(over(reload()), -EHOSTDOWN);
	all_have(0);
	/* once this one is born again, whoever was to be replaced would be, too */
	kill(pool_ask_pid(brood), SIGKILL);
	CHECK(WAIT_UNTIL(atomic_load(&living->born) == 4 && pool_full(brood), SOON));
	all_have(0);
	CHECK_EQ(pool_stats(brood).retired, 0);
	CHECK_EQ(atomic_load(&living->born), 4);
	pool_stop(brood);
}
Test(reload_fails, the_former_workers_stay) { case_run(former_ones_stay, 60000); }

/*
 * Three workers, one of which is busy. The first reload replaces two, and there is a third new
 * worker for the busy one. Then the second reload fails: the busy worker stays, and the three with
 * init data that no reload has proven go.
 */
static void between(void)
{
	uint64_t first, second;

	start(3, 0, plain);
	occupy_one();
	set(1);
	first = reload();
	CHECK(WAIT_UNTIL(settled_with(6, 2, 4, 3), SOON));
	atomic_store(&living->failing, 2);
	set(2);
	second = reload();
	CHECK_EQ(over(second), -EHOSTDOWN);
	CHECK_EQ(over(first), -ECANCELED);
	CHECK(WAIT_UNTIL(settled(5, 3, 2), SOON));
	let_go();
	all_have(0);
	CHECK_EQ(pool_stats(brood).retired, 5);
	pool_stop(brood);
}
Test(reload_fails, a_generation_in_between_is_replaced) { case_run(between, 60000); }

/*
 * An idle worker that is not due any more must not hide a warmer one that is due still: those that
 * are due are looked for among the coldest.
 */
static void cold_and_good(void)
{
	uint64_t second;

	start(3, BROOD_OLD_FIRST, plain);
	occupy_one();
	set(1);
	reload();
	CHECK(WAIT_UNTIL(settled_with(5, 2, 3, 2), SOON)); /* two have data 1 */
	atomic_store(&living->failing, 2);
	atomic_store(&living->hold, 1);
	set(2);
	second = reload();
	CHECK(WAIT_UNTIL(atomic_load(&living->held) == 1, SOON)); /* in place of one of these */
	let_go(); /* it is due, too, and the coldest now */
	atomic_store(&living->hold, 0);
	CHECK_EQ(over(second), -EHOSTDOWN);
	CHECK(WAIT_UNTIL(settled(4, 3, 3), SOON));
	all_have(0);
	CHECK_EQ(pool_stats(brood).retired, 4);
	pool_stop(brood);
}
Test(reload_fails, a_good_one_hides_nobody_who_is_due) { case_run(cold_and_good, 60000); }

/* A rolling restart that fails: there is nothing to take back, and a later one goes well. */
static void restart(void)
{
	start(2, 0, plain);
	set(1);
	CHECK_EQ(over(reload()), 0);
	atomic_store(&living->failing, 1);
	CHECK_EQ(over(reload()), -EHOSTDOWN);
	atomic_store(&living->failing, 0);
	all_have(1);
	CHECK_EQ(pool_stats(brood).retired, 2);
	CHECK_EQ(over(reload()), 0);
	all_have(1);
	CHECK_EQ(pool_stats(brood).retired, 4);
	pool_stop(brood);
}
Test(reload_fails, a_rolling_restart) { case_run(restart, 60000); }

/* ---- which init data ---- */

/* Data that came while the failed workers were born with older data is not dropped. */
static void newer_came(void)
{
	uint64_t id;

	start(4, BROOD_OLD_FIRST, (struct brood_pool_options){ .surge = 3 });
	atomic_store(&living->failing, 1);
	atomic_store(&living->failing_to, 1);
	atomic_store(&living->hold, 1);
	set(1);
	id = reload();
	CHECK(WAIT_UNTIL(atomic_load(&living->held) == 3, SOON));
	set(2);
	atomic_store(&living->hold, 2); /* whoever is born instead of these waits */
	CHECK_EQ(over(id), -EHOSTDOWN);
	atomic_store(&living->hold, 0);
	CHECK_EQ(over(reload()), 0);
	all_have(2);
	pool_stop(brood);
}
Test(reload_fails, newer_init_data_stays) { case_run(newer_came, 60000); }

/* Data that came so late that no worker of the reload has it is not proven by its end. */
static void not_proven(void)
{
	uint64_t id;

	start(2, 0, plain);
	occupy_one();
	set(1);
	id = reload();
	CHECK(WAIT_UNTIL(settled_with(4, 1, 3, 2), SOON));
	set(2);
	let_go();
	CHECK_EQ(over(id), 0);
	all_have(1);
	atomic_store(&living->failing, 3);
	set(3);
	CHECK_EQ(over(reload()), -EHOSTDOWN);
	all_have(1);
	CHECK_EQ(pool_stats(brood).retired, 2);
	CHECK_EQ(over(reload()), 0); /* a restart, with what was taken back */
	all_have(0);
	pool_stop(brood);
}
Test(reload_fails, init_data_that_no_worker_has_is_not_proven) { case_run(not_proven, 60000); }

/* ---- what else goes on ---- */

static int only_wishes(struct brood_job *job) { return brood_job_retire(job); }

/* A worker says once that it is worn. A reload that fails later must not forget it. */
static void worn_meanwhile(void)
{
	struct brood_job_options o = { .dispatch = BROOD_PATH_HANDOFF };
	struct brood_verdict v;
	uint64_t id;

	start(2, 0, plain);
	atomic_store(&living->failing, 1);
	atomic_store(&living->hold, 1);
	set(1);
	id = reload();
	CHECK(WAIT_UNTIL(atomic_load(&living->held) == 1, SOON));
	v = pool_call_with(brood, only_wishes, &o);
	verdict_is(&v, BROOD_DONE, 0);
	CHECK_EQ(pool_stats(brood).retired, 0);
	atomic_store(&living->hold, 0);
	CHECK_EQ(over(id), -EHOSTDOWN);
	CHECK(WAIT_UNTIL(settled(1, 2, 2), SOON));
	all_have(0);
	CHECK_EQ(pool_stats(brood).retired, 1);
	pool_stop(brood);
}
Test(reload_fails, who_is_worn_goes_all_the_same) { case_run(worn_meanwhile, 60000); }

static void resized(void)
{
	uint64_t id;

	start(8, 0, plain);
	occupy_one();
	set(1);
	id = reload();
	CHECK_EQ(brood_pool_resize(brood_pool(brood, NULL), 0, 3), 0);
	CHECK(WAIT_UNTIL(pool_stats(brood).workers == 3 && pool_stats(brood).ready <= 4, SOON));
	CHECK_EQ(brood_pool_resize(brood_pool(brood, NULL), 0, 8), 0);
	CHECK_EQ(brood_reload_wait(brood, id, 100), -ETIMEDOUT); /* the busy one */
	let_go();
	CHECK_EQ(over(id), 0);
	all_have(1);
	CHECK_EQ(pool_stats(brood).workers, 8);
	id = reload();
	CHECK_EQ(brood_pool_resize(brood_pool(brood, NULL), 0, 1), 0);
	CHECK_EQ(over(id), 0);
	CHECK(WAIT_UNTIL(pool_stats(brood).ready == 1 && pool_stats(brood).workers == 1, SOON));
	CHECK_EQ(POOL_CALL(brood, says_version).code, 1);
	pool_stop(brood);
}
Test(reload_fails, a_new_size_meanwhile) { case_run(resized, 60000); }

/* A pool that is empty at the moment has nobody to replace. */
static void empty(void)
{
	start(4, 0, (struct brood_pool_options){ .scaling = BROOD_ON_DEMAND });
	set(1);
	CHECK_EQ(over(reload()), 0);
	CHECK_EQ(POOL_CALL(brood, says_version).code, 1);
	set(2);
	CHECK_EQ(over(reload()), 0);
	CHECK_EQ(POOL_CALL(brood, says_version).code, 2);
	pool_stop(brood);
}
Test(reload_fails, not_where_no_worker_is) { case_run(empty, 30000); }

static void *wait_for_it(void *id)
{
	return (void *)(intptr_t)brood_reload_wait(brood, *(uint64_t *)id, 60000);
}

/* The stop is not held up, and whoever waits for the reload hears of it. */
static void stopped(void)
{
	struct brood_job_options o = { .size = sizeof o, .dispatch = BROOD_PATH_HANDOFF };
	const struct brood_result *result;
	pthread_t thread;
	uint64_t id;
	void *r;

	brood = living_start(
		&(struct brood_options){ .workers = 2, .drain_ms = 100, .grace_ms = 50 }, plain);
	CHECK_EQ(brood_submit(brood, job_sleep_forever, NULL, 0, &o, NULL), 0);
	CHECK(WAIT_UNTIL(
		brood_queue_dispatch(brood_own_queue(brood)) == 0 && pool_stats(brood).busy == 1,
		SOON));
	set(1);
	id = reload();
	CHECK(WAIT_UNTIL(settled_with(4, 1, 3, 2), SOON));
	CHECK_EQ(pthread_create(&thread, NULL, wait_for_it, &id), 0);
	CHECK_EQ(brood_stop(brood), 0);
	CHECK_EQ(pthread_join(thread, &r), 0);
	CHECK_EQ((int)(intptr_t)r, -ESHUTDOWN);
	CHECK_EQ(brood_take(brood_own_queue(brood), &result, 1), 1);
	CHECK_NE(result->verdict.outcome, BROOD_DONE);
	CHECK_EQ(brood_reload_wait(brood, id, 0), -ESHUTDOWN);
}
Test(reload_fails, a_stop_ends_it) { case_run(stopped, 60000); }

/* ---- several pools ---- */

/* Of two pools one fails: the other has its new generation. */
static void one_of_two(void)
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
		.log = note_log,
		.pools = pools,
		.pools_count = 1 };
	struct brood_pool *pool;
	struct brood_stats stats;
	uint64_t id;

	living_make();
	brood = pool_start(&o);
	pool = brood_pool(brood, "other");
	atomic_store(&living->failing, 1);
	CHECK_EQ(brood_pool_set_init_data(pool, "data", 4, NULL, 0), 1);
	CHECK_EQ(over(reload()), -EHOSTDOWN);
	CHECK_EQ(brood_pool_stats(brood_pool(brood, NULL), &stats), 0);
	CHECK_EQ(stats.retired, 2);
	CHECK_EQ(brood_pool_stats(pool, &stats), 0);
	CHECK_EQ(stats.retired, 0);
	CHECK_EQ(brood_reload(brood, brood_pool(brood, NULL), &id), 0);
	CHECK_EQ(over(id), 0);
	CHECK_EQ(brood_reload(brood, pool, &id), 0); /* with the data of before */
	CHECK_EQ(over(id), 0);
	CHECK_EQ(brood_pool_stats(pool, &stats), 0);
	CHECK_EQ(stats.retired, 2);
	pool_stop(brood);
}
Test(reload_fails, one_pool_of_two) { case_run(one_of_two, 60000); }
