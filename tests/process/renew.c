/* SPDX-License-Identifier: MIT */
/*
 * renew.c - reloads and new sizes together, under load and with kills: no job is refused, or
 * without its verdict, and at the end the pool is as it is to be. tests/all/renew is the long form,
 * with times.
 */
#include "../helpers/living.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>

TestSuite(renew, .timeout = 180);

#define SOON    20000
#define ROUNDS  10
#define WORKERS 12
#define OUT     40

static struct brood *brood;
static _Atomic bool loading;
static _Atomic int jobs_done;

static const uint32_t paths[] = { BROOD_PATH_HANDOFF, BROOD_PATH_LEASE };

/* Takes what there is; all are done. */
static int take(struct brood_queue *queue)
{
	const struct brood_result *results[64];
	int n;

	CHECK_GE(brood_queue_wait(queue, (uint32_t)test_scaled(SOON)), 0);
	n = brood_take(queue, results, 64);
	CHECK_GE(n, 0);
	for (int i = 0; i < n; i++)
		verdict_is(&results[i]->verdict, BROOD_DONE, 0);
	atomic_fetch_add(&jobs_done, n);
	return n;
}

static void *load(void *path)
{
	const struct brood_queue_options options = { .size = sizeof options, .jobs = OUT };
	struct brood_job_options o = {
		.size = sizeof o, .dispatch = *(uint32_t *)path, .retries = 100
	};
	int out = 0;

	CHECK_EQ(brood_queue_new(brood, &options, &o.queue), 0);
	while (atomic_load(&loading)) {
		for (; out < OUT; out++)
			CHECK_MSG(brood_submit(brood, job_nothing, NULL, 0, &o, NULL) == 0, "%s",
				brood_error());
		out -= take(o.queue);
	}
	while (out > 0)
		out -= take(o.queue);
	brood_queue_free(o.queue);
	return NULL;
}

static bool is_sized(uint32_t workers)
{
	struct brood_stats s = pool_stats(brood);

	return s.workers == workers && s.ready == workers && s.starting == 0;
}

/* One round: while the reload goes on, the size changes, and a worker is killed. */
static void renew(int round)
{
	uint32_t size = round % 2 ? WORKERS : 2;
	int before = atomic_load(&jobs_done);
	uint64_t id;

	CHECK_EQ(brood_set_init_data(brood, "data", 4, NULL, 0), round);
	CHECK_EQ(brood_reload(brood, NULL, &id), 0);
	CHECK_EQ(brood_pool_resize(brood_pool(brood, NULL), 0, size), 0);
	kill(pool_ask_pid(brood), SIGKILL);
	CHECK_EQ(brood_reload_wait(brood, id, (uint32_t)test_scaled(SOON)), 0);
	CHECK(WAIT_UNTIL(atomic_load(&jobs_done) > before + OUT, SOON));
}

static void under_load(void *path)
{
	struct brood_stats s;
	pthread_t thread;

	brood = living_start(&(struct brood_options){ .workers = WORKERS },
		(struct brood_pool_options){ .retire_jobs = 500, .surge = 2 });
	atomic_store(&loading, true);
	CHECK_EQ(pthread_create(&thread, NULL, load, path), 0);
	for (int round = 1; round <= ROUNDS; round++)
		renew(round);
	atomic_store(&loading, false);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK(WAIT_UNTIL(is_sized(2), SOON));
	CHECK_EQ(brood_pool_resize(brood_pool(brood, NULL), 0, WORKERS), 0);
	CHECK(WAIT_UNTIL(is_sized(WORKERS), SOON));
	s = pool_stats(brood);
	CHECK_EQ(s.verdicts[BROOD_REFUSED], 0);
	CHECK_EQ(s.degraded, 0);
	pool_stop(brood);
}
Test(renew, under_load_by_handoff)
{
	case_run_with(under_load, (void *)(uintptr_t)&paths[0], 120000);
}
Test(renew, under_load_on_leases)
{
	case_run_with(under_load, (void *)(uintptr_t)&paths[1], 120000);
}
