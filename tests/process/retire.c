/* SPDX-License-Identifier: MIT */
/*
 * retire.c - workers that are well are renewed: by jobs, age, memory and wish, on both transports.
 * No job is lost, and how many live at a time is bounded.
 */
#include "../helpers/living.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(retire, .timeout = 180);

static struct brood *brood;

static const uint32_t paths[] = { BROOD_PATH_HANDOFF, BROOD_PATH_LEASE };

static void on_both(void (*body)(void *path), int timeout_ms)
{
	for (size_t i = 0; i < 2; i++)
		case_run_with(body, (void *)(uintptr_t)&paths[i], timeout_ms);
}

static struct brood_verdict call(uint32_t path, brood_fn *fn)
{
	struct brood_job_options o = { .dispatch = path };

	return pool_call_with(brood, fn, &o);
}

static void done(const struct brood_verdict *v) { verdict_is(v, BROOD_DONE, 0); }

/* The pool is whole again, with as many workers as it is to have, and no extra one. */
static void settled(int workers)
{
	CHECK(WAIT_UNTIL(atomic_load(&living->alive) == workers, 10000));
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
}

/* ---- jobs ---- */

static void one_job(void *path)
{
	struct brood_verdict v[40];

	brood = living_start(&(struct brood_options){ .workers = 2 },
		(struct brood_pool_options){ .retire_jobs = 1 });
	for (int i = 0; i < 40; i++) {
		v[i] = call(*(uint32_t *)path, job_nothing);
		done(&v[i]);
		for (int k = 0; k < i; k++)
			CHECK(v[k].slot != v[i].slot || v[k].generation != v[i].generation);
	}
	CHECK(WAIT_UNTIL(pool_stats(brood).retired == 40, 10000));
	settled(2);
	CHECK_EQ(pool_stats(brood).killed, 0);
	pool_stop(brood);
}
Test(retire, after_one_job_exactly) { on_both(one_job, 30000); }

/* Submitted, so that a ring gets many: the worker does one of them. */
static void one_of_many(void)
{
	const struct brood_result *results[64];
	struct brood_job_options o = { .size = sizeof o, .dispatch = BROOD_PATH_LEASE };
	static bool seen[64][4096];
	int out = 0;

	brood = living_start(&(struct brood_options){ .workers = 2 },
		(struct brood_pool_options){ .retire_jobs = 1 });
	for (int i = 0; i < 100; i++)
		CHECK_EQ(brood_submit(brood, job_nothing, NULL, 0, &o, NULL), 0);
	while (out < 100) {
		int n = brood_take(brood_own_queue(brood), results, 64);

		CHECK_GE(n, 0);
		for (int i = 0; i < n; i++) {
			const struct brood_verdict *v = &results[i]->verdict;

			done(v);
			CHECK(v->slot < 64 && v->generation < 4096);
			CHECK(!seen[v->slot][v->generation]);
			seen[v->slot][v->generation] = true;
		}
		out += n;
		if (n == 0)
			CHECK_GE(brood_queue_wait(brood_own_queue(brood), 10000), 0);
	}
	settled(2);
	pool_stop(brood);
}
Test(retire, one_of_many_in_a_ring) { case_run(one_of_many, 60000); }

static void by_jobs(void *path)
{
	uint32_t generations = 0, jobs = 0;
	uint64_t last = 0;

	brood = living_start(&(struct brood_options){ .workers = 1 },
		(struct brood_pool_options){ .retire_jobs = 100 });
	while (generations < 4) {
		struct brood_verdict v = call(*(uint32_t *)path, job_nothing);
		uint64_t worker = (uint64_t)v.slot << 32 | v.generation;

		done(&v);
		if (worker == last) {
			jobs++;
			continue;
		}
		if (last)
			CHECK_GE(jobs, 90);
		last = worker;
		jobs = 1;
		generations++;
	}
	CHECK_GE(pool_stats(brood).retired, 3);
	CHECK_EQ(pool_stats(brood).redispatched, 0);
	settled(1);
	CHECK_LE(atomic_load(&living->most), 2);
	pool_stop(brood);
}
Test(retire, after_so_many_jobs) { on_both(by_jobs, 60000); }

/* ---- age ---- */

static void by_age(void)
{
	brood = living_start(&(struct brood_options){ .workers = 3 },
		(struct brood_pool_options){ .retire_age_ms = 300 });
	CHECK_EQ(pool_stats(brood).retired, 0);
	CHECK(WAIT_UNTIL(pool_stats(brood).retired >= 6, 20000));
	CHECK_LE(atomic_load(&living->most), 4);
	CHECK_EQ(pool_stats(brood).killed, 0);
	pool_stop(brood);
}
Test(retire, at_an_age) { case_run(by_age, 40000); }

/* ---- memory ---- */

static int gains(struct brood_job *job)
{
	static char *volatile kept; /* else the compiler leaves all of it out */

	(void)job;
	kept = malloc(1 << 20);
	if (!kept)
		return 1;
	memset(kept, 1, 1 << 20);
	return 0;
}

static int holds_and_frees(struct brood_job *job)
{
	(void)job;
	char *memory = mmap(
		NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return 1;
	memset(memory, 1, 8 << 20);
	return munmap(memory, 8 << 20);
}

static void by_memory(void *path)
{
	uint64_t end = test_now_ms() + 500;
	uint32_t born;

	brood = living_start(&(struct brood_options){ .workers = 1 },
		(struct brood_pool_options){ .retire_memory = 4 << 20 });
	while (test_now_ms() < end) {
		struct brood_verdict v = call(*(uint32_t *)path, holds_and_frees);

		done(&v);
	}
	CHECK_EQ(pool_stats(brood).retired, 0);
	born = (uint32_t)pool_stats(brood).spawned;
	end = test_now_ms() + (uint64_t)test_scaled(10000);
	while (pool_stats(brood).retired < 2 && test_now_ms() < end) {
		struct brood_verdict v = call(*(uint32_t *)path, gains);

		done(&v);
		usleep(5000); /* the worker looks at it once in 100 ms */
	}
	CHECK_GE(pool_stats(brood).retired, 2);
	CHECK_GE(pool_stats(brood).spawned, born + 2);
	settled(1);
	pool_stop(brood);
}
Test(retire, when_its_memory_has_grown) { on_both(by_memory, 60000); }

/* ---- the job's wish ---- */

/* Wishes, and waits until there is another worker. */
static int wishes(struct brood_job *job)
{
	int born = atomic_load(&living->born);

	if (brood_job_retire(job) != 0 || brood_job_retire(job) != 0)
		return 1;
	return WAIT_UNTIL(atomic_load(&living->born) > born, 10000) ? 0 : 2;
}

static int wishes_in_a_child(struct brood_job *job)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(brood_job_retire(job) == -EPERM ? 0 : 1);
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

static void by_wish(void *path)
{
	struct brood_verdict first, v;

	brood = living_start(
		&(struct brood_options){ .workers = 1 }, (struct brood_pool_options){ 0 });
	v = call(*(uint32_t *)path, wishes_in_a_child);
	done(&v);
	first = call(*(uint32_t *)path, wishes);
	done(&first);
	CHECK(WAIT_UNTIL(pool_stats(brood).retired == 1, 10000));
	v = call(*(uint32_t *)path, job_nothing);
	done(&v);
	CHECK_NE(v.pid, first.pid);
	CHECK_EQ(atomic_load(&living->most), 2); /* the second was there before the first ended */
	settled(1);
	pool_stop(brood);
}
Test(retire, as_a_job_wishes_replacement_first) { on_both(by_wish, 30000); }

static int only_wishes(struct brood_job *job) { return brood_job_retire(job); }

static void old_first(void *path)
{
	brood = living_start(&(struct brood_options){ .workers = 2, .flags = BROOD_OLD_FIRST },
		(struct brood_pool_options){ 0 });
	for (int i = 1; i <= 10; i++) {
		struct brood_verdict v = call(*(uint32_t *)path, only_wishes);

		done(&v);
		CHECK(WAIT_UNTIL(pool_stats(brood).retired == (uint64_t)i, 10000));
		settled(2);
	}
	CHECK_EQ(atomic_load(&living->most), 2);
	pool_stop(brood);
}
Test(retire, old_one_first) { on_both(old_first, 30000); }

/* ---- how many at a time ---- */

static void surge(void *path)
{
	struct brood_job_options o = { .size = sizeof o, .dispatch = *(uint32_t *)path };
	const struct brood_result *results[64];
	uint64_t end = test_now_ms() + (uint64_t)test_scaled(20000);
	int given = 0, ended = 0;

	brood = living_start(&(struct brood_options){ .workers = 8 },
		(struct brood_pool_options){ .retire_jobs = 20, .surge = 2 });
	while (ended < given || (pool_stats(brood).retired <= 16 && test_now_ms() < end)) {
		bool more = pool_stats(brood).retired <= 16;
		int n;

		for (; more && given - ended < 64; given++)
			CHECK_EQ(brood_submit(brood, job_nothing, NULL, 0, &o, NULL), 0);
		n = brood_take(brood_own_queue(brood), results, 64);
		CHECK_GE(n, 0);
		for (int i = 0; i < n; i++) {
			done(&results[i]->verdict);
			CHECK_EQ(results[i]->verdict.attempts, 1);
		}
		ended += n;
		if (n == 0)
			CHECK_GE(brood_queue_wait(brood_own_queue(brood), 10000), 0);
	}
	settled(8);
	CHECK_GT(pool_stats(brood).retired, 16);
	CHECK_GT(atomic_load(&living->most), 8);
	CHECK_LE(atomic_load(&living->most), 10);
	CHECK_EQ(pool_stats(brood).killed, 0);
	pool_stop(brood);
}
Test(retire, no_more_than_the_surge_at_a_time) { on_both(surge, 90000); }

/* ---- under load, with kills ---- */

static int says_pid(struct brood_job *job)
{
	pid_t pid = getpid();

	return brood_job_reply(job, &pid, sizeof pid) == sizeof pid ? 0 : 1;
}

/* 10,000 jobs were given, or more: a fast pool is through before so many workers have retired. */
static bool has_retired(int given, uint64_t count)
{
	return given >= 10000 && pool_stats(brood).retired > count;
}

static void with_kills(void *path)
{
	struct brood_job_options o = {
		.size = sizeof o, .dispatch = *(uint32_t *)path, .retries = 100
	};
	const struct brood_result *results[64];
	int given = 0, ended = 0, kills = 0;

	brood = living_start(&(struct brood_options){ .workers = 4 },
		(struct brood_pool_options){ .retire_jobs = 50, .surge = 1 });
	while (ended < given || !has_retired(given, 5)) {
		int n;

		for (; !has_retired(given, 5) && given - ended < 64; given++)
			CHECK_EQ(brood_submit(brood, says_pid, NULL, 0, &o, NULL), 0);
		n = brood_take(brood_own_queue(brood), results, 64);
		CHECK_GE(n, 0);
		for (int i = 0; i < n; i++) {
			pid_t pid;

			done(&results[i]->verdict);
			CHECK_EQ(results[i]->reply_size, sizeof pid);
			memcpy(&pid, results[i]->reply, sizeof pid);
			if ((ended + i) % 200 == 199)
				kills += kill(pid, SIGKILL) == 0;
		}
		ended += n;
		if (n == 0)
			CHECK_GE(brood_queue_wait(brood_own_queue(brood), 20000), 0);
	}
	CHECK_GT(kills, 5);
	CHECK(WAIT_UNTIL(pool_full(brood), 20000));
	pool_stop(brood);
}
Test(retire, no_job_is_lost_under_load_with_kills) { on_both(with_kills, 90000); }
