/* SPDX-License-Identifier: MIT */
/*
 * spawner.c - the process that makes the workers: that it does, how little it has open, what
 * becomes of births when it dies, is stopped or cannot make a worker, and that it leaves nobody
 * behind. Moments that a real spawner seldom meets are played in spawner_played.c.
 */
#define _GNU_SOURCE
#include "../helpers/pool.h"
#include "../../src/base/base.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

TestSuite(spawner, .timeout = 300);

#define SOON_MS 10000

static struct brood *brood;

static pid_t spawner_of(pid_t supervisor)
{
	pid_t pid = 0;

	CHECK(WAIT_UNTIL((pid = proc_spawner(supervisor)) > 0, SOON_MS));
	return pid;
}

static void kill_worker(int n)
{
	pid_t workers[64];

	CHECK_GT(proc_workers(proc_supervisor(), workers, 64), n);
	CHECK_EQ(kill(workers[n], SIGKILL), 0);
}

/* The spawner is stopped, and a worker dies: its place waits. */
static pid_t stop_it_amid_a_birth(void)
{
	pid_t spawner = spawner_of(proc_supervisor());

	CHECK_EQ(kill(spawner, SIGSTOP), 0);
	CHECK(WAIT_UNTIL(proc_state(spawner) == 'T', SOON_MS));
	kill_worker(0);
	CHECK(WAIT_UNTIL(pool_stats(brood).died == 1 && pool_stats(brood).starting == 1, SOON_MS));
	return spawner;
}

/* ---- it makes the workers ---- */

static const enum brood_spawn by_spawner[] = { BROOD_SPAWN_CLONE3, BROOD_SPAWN_CLONE };

static void makes_them(void *context)
{
	struct brood_options options = {
		.workers = 40, .spawn = *(const enum brood_spawn *)context, .log = note_log
	};
	pid_t supervisor, spawner, worker;

	brood = pool_start(&options);
	supervisor = proc_supervisor();
	spawner = stop_it_amid_a_birth();
	/* its channel and stdio, and what the test runner has open: nothing of the workers */
	CHECK_LE(proc_fds(spawner), 20);
	CHECK_EQ(proc_session(spawner), spawner);
	CHECK_EQ(pool_stats(brood).spawned, 40);
	CHECK_EQ(kill(spawner, SIGCONT), 0);
	CHECK(WAIT_UNTIL(pool_full(brood), SOON_MS));
	worker = pool_ask_pid(brood);
	CHECK_EQ(proc_parent(worker), supervisor);
	CHECK_EQ(proc_session(worker), spawner);
	CHECK_EQ(proc_group(worker), worker);
	CHECK_EQ(pool_stats(brood).spawner_deaths, 0);
	pool_stop(brood);
}
Test(spawner, makes_the_workers)
{
	for (size_t i = 0; i < ARRAY_SIZE(by_spawner); i++) {
		enum brood_spawn way = by_spawner[i];

		case_run_with(makes_them, &way, 60000);
	}
}

/* By default there is none for a few workers, and one for many. */
static void for_a_few(void)
{
	struct brood_options options = { .workers = 8, .log = note_log };

	brood = pool_start(&options);
	CHECK_EQ(proc_spawner(proc_supervisor()), 0);
	pool_stop(brood);
}
Test(spawner, none_for_a_few) { case_run(for_a_few, 60000); }

static void for_many(void)
{
	struct brood_options options = { .workers = 256, .log = note_log };

	brood = pool_start(&options);
	CHECK(WAIT_UNTIL(proc_spawner(proc_supervisor()) > 0, SOON_MS));
	pool_stop(brood);
}
Test(spawner, one_for_many) { case_run(for_many, 60000); }

static void without(void)
{
	struct brood_options options = { .workers = 3, .spawn = BROOD_SPAWN_FORK, .log = note_log };

	brood = pool_start(&options);
	CHECK_EQ(proc_spawner(proc_supervisor()), 0);
	kill_worker(0);
	CHECK(WAIT_UNTIL(pool_stats(brood).spawned == 4 && pool_full(brood), SOON_MS));
	POOL_CALL(brood, job_nothing);
	pool_stop(brood);
}
Test(spawner, there_is_none_with_fork) { case_run(without, 40000); }

static void replaced(void)
{
	struct brood_options options = {
		.workers = 2, .spawn = BROOD_SPAWN_CLONE3, .log = note_log
	};
	pid_t supervisor, spawner;

	brood = pool_start(&options);
	supervisor = proc_supervisor();
	for (uint64_t i = 1; i <= 3; i++) {
		spawner = spawner_of(supervisor);
		/* one that has lived for longer than 100 ms is replaced at once, others later */
		if (i == 2)
			poll(NULL, 0, 150);
		CHECK_EQ(kill(spawner, SIGKILL), 0);
		CHECK(WAIT_UNTIL(pool_stats(brood).spawner_deaths == i, SOON_MS));
		CHECK_NE(spawner_of(supervisor), spawner);
		kill_worker(0);
		CHECK(WAIT_UNTIL(pool_stats(brood).spawned == 2 + i && pool_full(brood), SOON_MS));
		CHECK_EQ(pool_stats(brood).spawner_deaths, i);
	}
	CHECK_EQ(pool_stats(brood).guard_deaths, 0);
	pool_stop(brood);
}
Test(spawner, is_replaced) { case_run(replaced, 60000); }

/* ---- what a tool sets meanwhile ---- */

static int job_limit(struct brood_job *job)
{
	struct rlimit limit;

	(void)job;
	return getrlimit(RLIMIT_MSGQUEUE, &limit) < 0 ? -1 : (int)limit.rlim_cur;
}

static int limit_of_a_new_worker(void)
{
	uint64_t spawned = pool_stats(brood).spawned;

	kill_worker(0);
	CHECK(WAIT_UNTIL(pool_stats(brood).spawned == spawned + 1 && pool_full(brood), SOON_MS));
	return POOL_CALL(brood, job_limit).code;
}

static void set_limit(pid_t pid, rlim_t soft)
{
	struct rlimit limit;

	CHECK_EQ(prlimit(pid, RLIMIT_MSGQUEUE, NULL, &limit), 0);
	limit.rlim_cur = soft;
	CHECK_EQ(prlimit(pid, RLIMIT_MSGQUEUE, &limit, NULL), 0);
}

static void limits(void)
{
	struct brood_options options = {
		.workers = 1, .spawn = BROOD_SPAWN_CLONE3, .log = note_log
	};
	int before;

	set_limit(getpid(), 5000);
	brood = pool_start(&options);
	before = POOL_CALL(brood, job_limit).code;
	CHECK_EQ(before, 5000);
	set_limit(proc_supervisor(), 4000);
	CHECK_EQ(limit_of_a_new_worker(), before);
	set_limit(spawner_of(proc_supervisor()), 3000);
	CHECK_EQ(limit_of_a_new_worker(), 3000);
	pool_stop(brood);
}
Test(spawner, workers_have_its_limits) { case_run(limits, 40000); }

/* ---- killed at any moment, while workers are born all the time ---- */

#define KILLED_JOBS 300

static atomic_bool over;

static void *killer(void *context)
{
	unsigned seed = *(const unsigned *)context;
	pid_t supervisor = proc_supervisor();

	while (!atomic_load(&over)) {
		const struct timespec pause = { .tv_nsec = rand_r(&seed) % 3000000 };
		pid_t pid = proc_spawner(supervisor);

		if (pid > 0)
			kill(pid, SIGKILL);
		/* the moment is what is under test: any will do */
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static int __attribute__((noreturn)) job_dies(struct brood_job *job)
{
	(void)job;
	abort();
}

static void quiet(void *context, const struct brood_log *log)
{
	(void)context;
	(void)log;
}

static void killed_often(void *context)
{
	struct brood_options options = {
		.workers = 6, .spawn = BROOD_SPAWN_CLONE3, .flags = BROOD_NO_CORE, .log = quiet
	};
	pthread_t thread;

	brood = pool_start(&options);
	CHECK_EQ(pthread_create(&thread, NULL, killer, context), 0);
	for (int i = 0; i < KILLED_JOBS; i++) {
		struct brood_verdict v = i % 3 ? POOL_CALL(brood, job_nothing)
					       : POOL_CALL(brood, job_dies);

		CHECK_EQ(v.outcome, i % 3 ? BROOD_DONE : BROOD_CRASHED);
	}
	atomic_store(&over, true);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK(WAIT_UNTIL(pool_full(brood), SOON_MS));
	CHECK_GE(pool_stats(brood).spawner_deaths, 1);
	CHECK_EQ(pool_stats(brood).spawn_failures, 0);
	CHECK_EQ(pool_stats(brood).strays_killed, 0);
	CHECK_EQ(pool_stats(brood).spawned - pool_stats(brood).died, 6);
	pool_stop(brood);
}
Test(spawner, killed_at_any_moment)
{
	for (unsigned seed = 1; seed <= 3; seed++)
		case_run_with(killed_often, &seed, 90000);
}

/* ---- the supervisor is killed amid births ---- */

static void always_births(void)
{
	struct brood_options options = { .size = sizeof options,
		.workers = 8,
		.spawn = BROOD_SPAWN_CLONE3,
		.flags = BROOD_NO_CORE,
		.log = quiet };

	if (brood_start(&options, &brood) < 0)
		return;
	for (;;)
		POOL_CALL(brood, job_dies);
}

static long delay_us;
static bool guard_too;

static void after_a_while(pid_t supervisor)
{
	const struct timespec delay = { .tv_nsec = delay_us * 1000L };
	pid_t guard;

	nanosleep(&delay, NULL);
	guard = guard_too ? proc_guard(supervisor) : 0;
	kill(supervisor, SIGKILL);
	if (guard > 0)
		kill(guard, SIGKILL);
}

Test(spawner, supervisor_killed_amid_births)
{
	unsigned seed = 7;

	for (int i = 0; i < 40; i++) {
		struct case_options options = { .body = always_births,
			.timeout_ms = 20000,
			.settle_ms = 1000,
			.outside = after_a_while };
		struct case_result result;

		guard_too = i % 2;
		delay_us = 2000 + (long)((unsigned)rand_r(&seed) % 60000);
		case_try(&options, &result);
		cr_assert(!result.expired && result.left == 0 && result.failures == 0,
			"round %d, %ld us: %d left; %s", i, delay_us, result.left, result.text);
	}
}

/* ---- stopped ---- */

static void stopped_pool(void)
{
	struct brood_options options = {
		.workers = 3, .spawn = BROOD_SPAWN_CLONE3, .log = note_log
	};
	uint64_t began;

	brood = pool_start(&options);
	stop_it_amid_a_birth();
	began = now_ns();
	pool_stop(brood);
	CHECK_LT((now_ns() - began) / NS_PER_MS, (uint64_t)test_scaled(4000));
	CHECK_EQ(proc_spawner(proc_supervisor()), 0);
}
Test(spawner, stopped_it_holds_up_no_stop) { case_run(stopped_pool, 40000); }

static void never_goes_on(void)
{
	struct brood_options options = {
		.workers = 3, .spawn = BROOD_SPAWN_CLONE3, .log = note_log
	};
	pid_t spawner;

	brood = pool_start(&options);
	spawner = stop_it_amid_a_birth();
	CHECK(WAIT_UNTIL(pool_stats(brood).spawner_deaths == 1 && pool_full(brood), 20000));
	CHECK_NE(spawner_of(proc_supervisor()), spawner);
	pool_stop(brood);
}
Test(spawner, one_that_does_not_answer_is_replaced) { case_run(never_goes_on, 60000); }

static void debugged(void)
{
	struct brood_options options = {
		.workers = 2, .spawn = BROOD_SPAWN_CLONE3, .flags = BROOD_DEBUGGING, .log = note_log
	};
	pid_t spawner;

	brood = pool_start(&options);
	spawner = stop_it_amid_a_birth();
	poll(NULL, 0, test_scaled(6500)); /* longer than the time for an answer */
	CHECK(proc_alive(spawner));
	CHECK_EQ(kill(spawner, SIGCONT), 0);
	CHECK(WAIT_UNTIL(pool_full(brood), SOON_MS));
	CHECK_EQ(pool_stats(brood).spawner_deaths, 0);
	pool_stop(brood);
}
Test(spawner, a_debugged_one_has_time) { case_run(debugged, 60000); }

/* ---- it cannot make a worker ---- */

static void short_of_files(void)
{
	struct brood_options options = {
		.workers = 2, .spawn = BROOD_SPAWN_CLONE3, .log = note_log
	};
	struct rlimit before, none;
	pid_t spawner;

	brood = pool_start(&options);
	spawner = spawner_of(proc_supervisor());
	CHECK_EQ(prlimit(spawner, RLIMIT_NOFILE, NULL, &before), 0);
	none = (struct rlimit){ 3, before.rlim_max };
	CHECK_EQ(prlimit(spawner, RLIMIT_NOFILE, &none, NULL), 0);
	kill_worker(0);
	CHECK(WAIT_UNTIL(pool_stats(brood).spawn_failures > 0, SOON_MS));
	POOL_CALL(brood, job_nothing);
	CHECK_EQ(prlimit(spawner, RLIMIT_NOFILE, &before, NULL), 0);
	CHECK(WAIT_UNTIL(pool_full(brood), SOON_MS));
	CHECK_EQ(pool_stats(brood).spawned, 3);
	CHECK_EQ(spawner_of(proc_supervisor()), spawner);
	pool_stop(brood);
}
Test(spawner, a_failed_birth_is_tried_again) { case_run(short_of_files, 40000); }

/* ---- the supervisor's files run out while a worker is being made ---- */

static int lowest_free(pid_t pid)
{
	char path[64];
	struct stat st;
	int fd = 0;

	do
		snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
	while (lstat(path, &st) == 0 && fd++ >= 0);
	return fd;
}

/*
 * Jobs that wait take the numbers that are free, also those below the file which stands for the
 * worker's pidfd. That file alone makes room.
 */
static void no_file_left(void)
{
	struct brood_options options = {
		.workers = 1, .spawn = BROOD_SPAWN_CLONE3, .log = note_log
	};
	pid_t supervisor, spawner;
	struct rlimit before, full;
	struct brood_handle *handles[8];
	int fds[8], files;

	brood = pool_start(&options);
	supervisor = proc_supervisor();
	spawner = stop_it_amid_a_birth();
	files = proc_fds(supervisor);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(brood_open(brood, job_nothing, NULL, &fds[i], &handles[i]), 0);
	CHECK(WAIT_UNTIL(proc_fds(supervisor) == files + 8, SOON_MS));
	CHECK_EQ(prlimit(supervisor, RLIMIT_NOFILE, NULL, &before), 0);
	full = (struct rlimit){ (rlim_t)lowest_free(supervisor), before.rlim_max };
	CHECK_EQ(prlimit(supervisor, RLIMIT_NOFILE, &full, NULL), 0);
	CHECK_EQ(kill(spawner, SIGCONT), 0);
	for (int i = 0; i < 8; i++) {
		struct brood_verdict v;

		CHECK_EQ(brood_wait(handles[i], SOON_MS, &v), 0);
		verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
		brood_release(handles[i]);
		close(fds[i]);
	}
	CHECK_EQ(pool_stats(brood).spawn_failures, 0);
	CHECK_EQ(pool_stats(brood).spawned, 2);
	CHECK_EQ(prlimit(supervisor, RLIMIT_NOFILE, &before, NULL), 0);
	pool_stop(brood);
}
Test(spawner, a_birth_keeps_its_file) { case_run(no_file_left, 60000); }
