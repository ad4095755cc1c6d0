/* SPDX-License-Identifier: MIT */
/*
 * spawner_storm.c - the spawner of a large pool is killed again and again, at random moments, while
 * jobs run on all transports and workers are killed, so that births are needed all the time. No job
 * is lost, no birth fails, and at the end all is there that was there before, and no more.
 *
 * BROOD_STORM_KILLS says how often the spawner is killed (25; tests/all/spawner: 1000). A spawner
 * that dies young is replaced after a pause of 100 ms or more, so a kill takes about that long.
 */
#define _GNU_SOURCE
#include "../helpers/pool.h"
#include "../../src/base/base.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

TestSuite(spawner_storm, .timeout = 3600);

#define WORKERS 256
#define SOON_MS 30000
#define CALLERS 4
#define BATCH   64
/* A lease that has ended is there until a thread looks at its queue. */
#define ENGINE_SLACK 16

static struct brood *brood;
static atomic_bool over;
static atomic_ulong given, done, crashed, worker_kills;

static void quiet(void *context, const struct brood_log *log) { (void)context, (void)log; }

static int kills(void)
{
	const char *text = getenv("BROOD_STORM_KILLS");

	return text && atoi(text) > 0 ? atoi(text) : 25;
}

static void nap_us(long us)
{
	const struct timespec pause = { us / 1000000, us % 1000000 * 1000 };

	nanosleep(&pause, NULL);
}

/* ---- the jobs ---- */

/* The job's number decides: one in a hundred ends its worker. */
static int job_storm(struct brood_job *job)
{
	const unsigned *number = brood_job_arg(job, NULL);

	if (*number % 100 == 7)
		abort();
	return (int)(*number % 50);
}

/* Done, or crashed because its worker was: by itself, or by a kill. */
static void judge(unsigned number, const struct brood_verdict *v)
{
	bool dies = number % 100 == 7;
	int code = (int)(number % 50);

	if (!dies && v->outcome == (code ? BROOD_FAILED : BROOD_DONE) && v->code == code)
		atomic_fetch_add(&done, 1);
	else if (v->outcome == BROOD_CRASHED && v->signal == (dies ? SIGABRT : SIGKILL))
		atomic_fetch_add(&crashed, 1);
	else if (dies && v->outcome == BROOD_CRASHED && v->signal == SIGKILL)
		atomic_fetch_add(&crashed, 1);
	else
		verdict_is(v, BROOD_DONE, BROOD_DETAIL_NONE);
}

/* One after the other, by handoff or on a lease. */
static void *calls(void *context)
{
	const unsigned first = *(const unsigned *)context;

	for (unsigned i = first; !atomic_load(&over); i += CALLERS) {
		struct brood_job_options options = { .size = sizeof options,
			.dispatch = i % 8 < 4 ? BROOD_PATH_HANDOFF : BROOD_PATH_LEASE,
			.arg = &i,
			.arg_size = sizeof i };
		struct brood_verdict v = pool_call_with(brood, job_storm, &options);

		atomic_fetch_add(&given, 1);
		judge(i, &v);
	}
	return NULL;
}

static void on_done(void *context, const struct brood_result *result)
{
	judge((unsigned)(uintptr_t)context, &result->verdict);
}

/* Many at a time, by a queue. */
static void *submits(void *unused)
{
	struct brood_queue *queue = NULL;
	unsigned number = 0;

	(void)unused;
	CHECK_EQ(brood_queue_new(brood, NULL, &queue), 0);
	while (!atomic_load(&over)) {
		for (int i = 0; i < BATCH; i++, number++) {
			struct brood_job_options options = { .size = sizeof options,
				.queue = queue,
				.on_done = on_done,
				.context = (void *)(uintptr_t)number,
				.arg = &number,
				.arg_size = sizeof number };

			CHECK_EQ(brood_submit(brood, job_storm, NULL, 0, &options, NULL), 0);
		}
		while (brood_queue_out(queue) > 0)
			CHECK_GE(brood_queue_wait(queue, SOON_MS), 0);
	}
	brood_queue_free(queue);
	atomic_fetch_add(&given, number);
	return NULL;
}

/* ---- the kills ---- */

/* Whoever is a worker now: a zombie keeps its number until the supervisor has seen it. */
static void *kills_workers(void *context)
{
	unsigned seed = *(const unsigned *)context;
	pid_t supervisor = proc_supervisor(), workers[WORKERS * 2];

	while (!atomic_load(&over)) {
		int count = proc_workers(supervisor, workers, WORKERS * 2);

		for (int i = 0; i < 4 && count > 0; i++) {
			pid_t pid = workers[rand_r(&seed) % (unsigned)count];

			if (proc_parent(pid) == supervisor && kill(pid, SIGKILL) == 0)
				atomic_fetch_add(&worker_kills, 1);
		}
		nap_us(20000 + rand_r(&seed) % 40000);
	}
	return NULL;
}

/* The moment is what is under test: any will do, from the spawner's first steps on. */
static void kill_spawners(int count, unsigned seed)
{
	pid_t supervisor = proc_supervisor(), last = 0, pid = 0;

	for (int i = 0; i < count; i++) {
		CHECK(WAIT_UNTIL((pid = proc_spawner(supervisor)) > 0 && pid != last, SOON_MS));
		if (rand_r(&seed) % 3)
			nap_us(rand_r(&seed) % 150000);
		CHECK_EQ(kill(pid, SIGKILL), 0);
		last = pid;
	}
}

/* ---- all of it ---- */

struct count {
	int supervisor_files, engine_files, processes;
};

static struct count look(void)
{
	pid_t supervisor = proc_supervisor(), children[2 * WORKERS];

	return (struct count){ .supervisor_files = proc_fds(supervisor),
		.engine_files = proc_own_fds(),
		.processes = proc_children(supervisor, children, 2 * WORKERS) };
}

static bool as_before(const struct count *before)
{
	struct count now = look();

	return now.supervisor_files <= before->supervisor_files &&
		now.engine_files <= before->engine_files + ENGINE_SLACK &&
		now.processes == before->processes;
}

static void settled(const struct count *before)
{
	struct brood_stats stats;

	CHECK(WAIT_UNTIL(pool_full(brood), SOON_MS));
	CHECK_MSG(WAIT_UNTIL(as_before(before), SOON_MS),
		"files of the supervisor, of the engine, processes: %d %d %d; before: %d %d %d",
		look().supervisor_files, look().engine_files, look().processes,
		before->supervisor_files, before->engine_files, before->processes);
	stats = pool_stats(brood);
	CHECK_EQ(stats.spawned - stats.died, WORKERS);
	CHECK_EQ(stats.spawn_failures, 0);
	CHECK_EQ(stats.strays_killed, 0);
	CHECK_EQ(stats.guard_deaths, 0);
	CHECK_EQ(atomic_load(&done) + atomic_load(&crashed), atomic_load(&given));
}

/* For tests/all/spawner. */
static void say(int count, uint64_t began)
{
	const char *path = getenv("BROOD_STORM_REPORT");
	FILE *file = path ? fopen(path, "w") : NULL;
	struct brood_stats stats = pool_stats(brood);

	if (!file)
		return;
	fprintf(file,
		"%d spawners killed in %u s, and %lu workers by SIGKILL; %lu births; of %lu jobs "
		"%lu done, %lu crashed with their worker, 0 lost\n",
		count, (unsigned)((now_ns() - began) / NS_PER_S), atomic_load(&worker_kills),
		(unsigned long)stats.spawned, atomic_load(&given), atomic_load(&done),
		atomic_load(&crashed));
	fclose(file);
}

static void load_and_kill(int count)
{
	static unsigned firsts[CALLERS] = { 0, 1, 2, 3 };
	unsigned seed = 4711;
	pthread_t threads[CALLERS + 2];

	atomic_store(&over, false);
	for (int i = 0; i < CALLERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, calls, &firsts[i]), 0);
	CHECK_EQ(pthread_create(&threads[CALLERS], NULL, submits, NULL), 0);
	CHECK_EQ(pthread_create(&threads[CALLERS + 1], NULL, kills_workers, &seed), 0);
	kill_spawners(count, seed);
	atomic_store(&over, true);
	for (int i = 0; i < CALLERS + 2; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

/* The first kills are before the count: the engine keeps the queues that threads have had. */
static void storm(void)
{
	struct brood_options options = { .workers = WORKERS, .flags = BROOD_NO_CORE, .log = quiet };
	const int count = kills(), first = 3;
	struct count before;
	uint64_t began;

	brood = pool_start(&options);
	load_and_kill(first);
	CHECK(WAIT_UNTIL(pool_full(brood) && proc_spawner(proc_supervisor()) > 0, SOON_MS));
	before = look();
	began = now_ns();
	load_and_kill(count);
	settled(&before);
	CHECK_EQ(pool_stats(brood).spawner_deaths, (uint64_t)(count + first));
	say(count, began);
	pool_stop(brood);
}
Test(spawner_storm, no_job_is_lost) { case_run(storm, 60000 + 1500 * kills()); }
