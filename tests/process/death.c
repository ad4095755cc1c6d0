/* SPDX-License-Identifier: MIT */
/*
 * death.c - workers die: alone, all at once, idle, busy, at birth, again and again. The pool is
 * full again, and no verdict is wrong or missing.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(death, .timeout = 180);

static struct brood *brood;

/* ---- idle workers, one and all ---- */

static void all_at_once(void)
{
	struct brood_options options = { .workers = 8, .log = note_log };
	pid_t workers[64];

	brood = pool_start(&options);
	for (int round = 1; round <= 5; round++) {
		int n = proc_workers(proc_supervisor(), workers, 64);

		CHECK_EQ(n, 8);
		for (int i = 0; i < n; i++)
			kill(workers[i], SIGKILL);
		CHECK(WAIT_UNTIL(
			pool_stats(brood).died == (uint64_t)round * 8 && pool_full(brood), 10000));
		for (int i = 0; i < n; i++)
			CHECK_EQ(proc_state(workers[i]), 0); /* no zombie either */
	}
	CHECK_EQ(pool_stats(brood).spawned, 48);
	for (int i = 0; i < 20; i++) {
		struct brood_verdict v = POOL_CALL(brood, job_nothing);

		verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
	}
	pool_stop(brood);
}
Test(death, eight_at_once) { case_run(all_at_once, 60000); }

/* ---- busy workers ---- */

static void busy(void)
{
	struct brood_options options = { .workers = 4, .log = note_log };
	struct brood_handle *h[4];
	struct brood_verdict v;
	pid_t workers[64];
	int fds[4];

	brood = pool_start(&options);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(brood_open(brood, job_sleep_forever, NULL, &fds[i], &h[i]), 0);
	CHECK(WAIT_UNTIL(pool_stats(brood).busy == 4, 5000));
	/* ps says what runs */
	CHECK(WAIT_UNTIL(proc_count(proc_supervisor(), "job_sleep_forever") == 4, 5000));
	CHECK_EQ(proc_workers(proc_supervisor(), workers, 64), 4);
	for (int i = 0; i < 4; i++)
		kill(workers[i], SIGKILL);
	for (int i = 0; i < 4; i++) {
		char c;

		/* the other end is closed: EOF, not a hang */
		CHECK_EQ(read(fds[i], &c, 1), 0);
		CHECK_EQ(brood_wait(h[i], 10000, &v), 0);
		verdict_is(&v, BROOD_CRASHED, BROOD_DETAIL_OUTSIDE);
		CHECK(v.started);
		close(fds[i]);
		brood_release(h[i]);
	}
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	pool_stop(brood);
}
Test(death, busy_ones) { case_run(busy, 60000); }

/* ---- killed before the job started: another worker gets it ---- */

static void redispatch(void)
{
	struct brood_options options = { .workers = 1, .log = note_log };
	struct brood_job_options once = { .size = sizeof once, .flags = BROOD_JOB_ONCE };
	struct brood_verdict v;

	brood = pool_start(&options);
	for (int flags = 0; flags < 2; flags++) {
		struct brood_handle *h;
		pid_t worker;
		int fd;

		CHECK(WAIT_UNTIL(pool_full(brood), 10000));
		CHECK_EQ(proc_workers(proc_supervisor(), &worker, 1), 1);
		kill(worker, SIGSTOP); /* it gets the job but cannot begin */
		CHECK(WAIT_UNTIL(proc_state(worker) == 'T', 5000));
		CHECK_EQ(brood_open(brood, job_nothing, flags ? &once : NULL, &fd, &h), 0);
		CHECK(WAIT_UNTIL(pool_stats(brood).busy == 1, 5000));
		kill(worker, SIGKILL);
		CHECK_EQ(brood_wait(h, 10000, &v), 0);
		if (flags) {
			verdict_is(&v, BROOD_CRASHED, BROOD_DETAIL_OUTSIDE);
			CHECK(!v.started);
			CHECK_EQ(v.attempts, 1);
		} else {
			verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
			CHECK_EQ(v.attempts, 2);
			CHECK_EQ(v.generation, 2);
		}
		close(fd);
		brood_release(h);
	}
	CHECK_EQ(pool_stats(brood).redispatched, 1);
	pool_stop(brood);
}
Test(death, before_the_start) { case_run(redispatch, 60000); }

/* ---- retries: only after a kill from outside ---- */

static int killed_twice(struct brood_job *job)
{
	if (brood_job_attempt(job) < 3)
		kill(getpid(), SIGKILL);
	return brood_job_write(job, "survived", 8) == 8 ? 0 : 1;
}
static int crashes(struct brood_job *job)
{
	(void)job;
	abort();
}

static void retries(void)
{
	struct brood_options options = { .workers = 2, .log = note_log };
	struct brood_job_options two = { .size = sizeof two, .retries = 2 },
				 one = { .size = sizeof one, .retries = 1 };
	struct brood_handle *h;
	struct brood_verdict v;
	char reply[64];
	int fd;

	brood = pool_start(&options);
	CHECK_EQ(brood_call(brood, killed_twice, "abc", 3, reply, sizeof reply, &two, &v), 8);
	verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(v.attempts, 3);
	CHECK_MEM(reply, "survived", 8);
	CHECK_EQ(brood_call(brood, killed_twice, "abc", 3, reply, sizeof reply, &one, &v),
		-EREMOTEIO);
	verdict_is(&v, BROOD_CRASHED, BROOD_DETAIL_OUTSIDE);
	CHECK_EQ(v.attempts, 2);
	CHECK_EQ(brood_call(brood, crashes, NULL, 0, NULL, 0, &two, &v), -EREMOTEIO);
	CHECK_EQ(v.attempts, 1); /* its own crash */
	CHECK_EQ(brood_open(brood, killed_twice, &two, &fd, &h), 0);
	CHECK_EQ(brood_wait(h, 10000, &v), 0);
	verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(v.attempts, 3);
	CHECK_EQ(read(fd, reply, sizeof reply), 8);
	close(fd);
	brood_release(h);
	CHECK_EQ(pool_stats(brood).retried, 5);
	pool_stop(brood);
}
Test(death, retries) { case_run(retries, 60000); }

/* ---- death at birth: backoff, degraded, recovery ---- */

static int fails_while_told(void *context)
{
	(void)context;
	return *(volatile int *)case_shared() ? -1 : 0;
}

static unsigned degraded_lines, recovered_lines, died_lines;
static void counting(void *context, const struct brood_log *log)
{
	(void)context;
	note("log: %s", log->text);
	degraded_lines += log->event == BROOD_EVENT_DEGRADED;
	recovered_lines += log->event == BROOD_EVENT_RECOVERED;
	died_lines += log->event == BROOD_EVENT_WORKER_DIED;
}

static void crash_loop(void)
{
	struct brood_options options = { .size = sizeof options,
		.workers = 4,
		.worker_init = fails_while_told,
		.start_limit = 8,
		.backoff_min_ms = 5,
		.backoff_max_ms = 40,
		.healthy_ms = 20,
		.log = counting };
	volatile int *fail = case_shared();
	struct brood_stats stats;
	struct brood_verdict v;

	*fail = 1;
	CHECK_EQ(brood_start(&options, &brood), 0);
	CHECK_EQ(brood_wait_ready(brood, 20000), -EHOSTDOWN);
	v = POOL_CALL(brood, job_nothing);
	verdict_is(&v, BROOD_REFUSED, BROOD_DETAIL_DEGRADED);
	stats = pool_stats(brood);
	CHECK(stats.degraded);
	CHECK_LE(stats.next_spawn_ms, 40);
	/* the cause is gone: the pool recovers by itself */
	*fail = 0;
	CHECK(WAIT_UNTIL(pool_full(brood) && !pool_stats(brood).degraded, 20000));
	CHECK_EQ(brood_wait_ready(brood, 10000), 0);
	v = POOL_CALL(brood, job_nothing);
	verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
	brood_dispatch(brood);
	CHECK_GE(degraded_lines, 1);
	CHECK_GE(recovered_lines, 1);
	CHECK_LE(died_lines, 12); /* equal lines are folded */
	pool_stop(brood);
}
Test(death, at_birth) { case_run(crash_loop, 60000); }

/*
 * Births fail while an old worker does jobs. Its jobs are no reason to try again without a pause.
 */
static void crash_loop_beside_jobs(enum brood_path path)
{
	struct brood_options options = { .workers = 2,
		.worker_init = fails_while_told,
		.backoff_min_ms = 400,
		.backoff_max_ms = 400,
		.dispatch = path,
		.log = note_log };
	volatile int *fail = case_shared();
	struct brood_verdict v;
	pid_t other;
	uint64_t births;
	int from;

	*fail = 0;
	brood = pool_start(&options);
	other = pool_ask_pid(brood);
	*fail = 1;
	kill(other, SIGKILL);
	/* the worker itself, three that die, and one that begins the pauses */
	CHECK(WAIT_UNTIL(
		POOL_CALL(brood, job_nothing).outcome == BROOD_DONE && pool_stats(brood).died >= 5,
		20000));
	births = pool_stats(brood).spawned;
	from = test_now_ms();
	while (test_now_ms() - from < 1000) {
		v = POOL_CALL(brood, job_nothing);
		verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
	}
	births = pool_stats(brood).spawned - births;
	/* a pause is 300 ms or more, however long that took */
	CHECK_LE(births, (uint64_t)(test_now_ms() - from) / 300 + 1);
	*fail = 0;
	CHECK(WAIT_UNTIL(
		POOL_CALL(brood, job_nothing).outcome == BROOD_DONE && pool_full(brood), 20000));
	pool_stop(brood);
}
static void beside_handoffs(void) { crash_loop_beside_jobs(BROOD_PATH_HANDOFF); }
static void beside_leases(void) { crash_loop_beside_jobs(BROOD_PATH_LEASE); }
Test(death, at_birth_beside_jobs)
{
	case_run(beside_handoffs, 60000);
	case_run(beside_leases, 60000);
}

/* All births fail but number `good`. */
struct births {
	atomic_int fail, good, count;
};
static int fails_but_one(void *context)
{
	struct births *births = case_shared();

	(void)context;
	return atomic_load(&births->fail) &&
			atomic_fetch_add(&births->count, 1) + 1 != atomic_load(&births->good)
		? -1
		: 0;
}

/* A worker that was born meanwhile does a job: then the pause is over for the others, too. */
static void pause_ends(void)
{
	struct brood_options options = { .workers = 2,
		.worker_init = fails_but_one,
		.backoff_min_ms = 60000,
		.backoff_max_ms = 60000,
		.healthy_ms = 60000,
		.dispatch = BROOD_PATH_HANDOFF,
		.log = note_log };
	struct births *births = case_shared();
	struct brood_verdict v;
	pid_t workers[4];

	brood = pool_start(&options);
	atomic_store(&births->good, 3);
	atomic_store(&births->fail, 1);
	CHECK_EQ(proc_workers(proc_supervisor(), workers, 4), 2);
	for (int i = 0; i < 2; i++)
		kill(workers[i], SIGKILL);
	CHECK(WAIT_UNTIL(
		pool_stats(brood).next_spawn_ms > 1000 && pool_stats(brood).ready == 1, 20000));
	atomic_store(&births->fail, 0);
	v = POOL_CALL(brood, job_nothing);
	verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK(WAIT_UNTIL(pool_full(brood), 20000));
	pool_stop(brood);
}
Test(death, a_pause_ends_with_its_reason) { case_run(pause_ends, 60000); }

/*
 * The pool is degraded, but one worker does jobs. A job that waits for it is not refused when one
 * more birth fails.
 */
static void degraded_but_one(void)
{
	struct brood_options options = { .size = sizeof options,
		.workers = 2,
		.worker_init = fails_but_one,
		.start_limit = 4,
		.backoff_min_ms = 20,
		.backoff_max_ms = 40,
		.healthy_ms = 60000,
		.dispatch = BROOD_PATH_HANDOFF,
		.log = note_log };
	struct births *births = case_shared();
	struct brood_handle *h[2];
	struct brood_verdict v;
	uint64_t died;
	int fds[2];

	atomic_store(&births->fail, 1);
	CHECK_EQ(brood_start(&options, &brood), 0);
	CHECK(WAIT_UNTIL(pool_stats(brood).degraded, 20000));
	atomic_store(&births->good, atomic_load(&births->count) + 4);
	CHECK(WAIT_UNTIL(pool_stats(brood).ready == 1, 20000));
	for (int i = 0; i < 2; i++)
		CHECK_EQ(brood_open(brood, job_echo, NULL, &fds[i], &h[i]), 0);
	CHECK(WAIT_UNTIL(pool_stats(brood).busy == 1 && pool_stats(brood).queued == 1, 10000));
	died = pool_stats(brood).died;
	CHECK(WAIT_UNTIL(pool_stats(brood).died >= died + 2, 20000));
	CHECK(pool_stats(brood).degraded);
	for (int i = 0; i < 2; i++) {
		close(fds[i]);
		CHECK_EQ(brood_wait(h[i], 10000, &v), 0);
		verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
		brood_release(h[i]);
	}
	atomic_store(&births->fail, 0);
	CHECK(WAIT_UNTIL(pool_full(brood), 20000));
	pool_stop(brood);
}
Test(death, degraded_with_one_that_works) { case_run(degraded_but_one, 60000); }

/* ---- the storm: calls from many threads while workers are killed at random ---- */

static atomic_uint done, crashed;
static atomic_bool over;

static void *caller(void *seed)
{
	unsigned state = (unsigned)(uintptr_t)seed;

	while (!atomic_load(&over)) {
		unsigned char request[512], reply[512];
		struct brood_verdict v;
		size_t size = (unsigned)rand_r(&state) % sizeof request;
		ssize_t n;

		for (size_t i = 0; i < size; i++)
			request[i] = (unsigned char)rand_r(&state);
		n = brood_call(brood, job_echo, request, size, reply, sizeof reply, NULL, &v);
		if (v.outcome == BROOD_DONE) {
			CHECK_EQ(n, size);
			CHECK_MEM(request, reply, size);
			atomic_fetch_add(&done, 1);
		} else {
			verdict_is(&v, BROOD_CRASHED, BROOD_DETAIL_OUTSIDE);
			atomic_fetch_add(&crashed, 1);
		}
	}
	return NULL;
}

static void storm(void)
{
	struct brood_options options = { .workers = 4, .log = note_log };
	pthread_t threads[8];
	unsigned state = 99;
	pid_t workers[64];

	brood = pool_start(&options);
	for (uintptr_t i = 0; i < 8; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, caller, (void *)(i + 1)), 0);
	for (int kills = 0; kills < 150; kills++) {
		unsigned before = atomic_load(&done);
		int n;

		n = proc_workers(proc_supervisor(), workers, 64);
		if (n > 0)
			kill(workers[(unsigned)rand_r(&state) % (unsigned)n], SIGKILL);
		CHECK(WAIT_UNTIL(atomic_load(&done) > before + 5, 20000)); /* it goes on */
	}
	atomic_store(&over, true);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	CHECK_EQ(pool_stats(brood).verdicts[BROOD_DONE], atomic_load(&done));
	CHECK_EQ(pool_stats(brood).verdicts[BROOD_CRASHED], atomic_load(&crashed));
	pool_stop(brood);
}
Test(death, storm) { case_run(storm, 120000); }

/* ---- each way to make workers, forced ---- */

static void way(void *spawn)
{
	struct brood_options options = {
		.workers = 3, .spawn = (uint32_t)(uintptr_t)spawn, .log = note_log
	};
	struct brood_verdict v;
	pid_t workers[8];

	brood = pool_start(&options);
	v = POOL_CALL(brood, crashes);
	verdict_is(&v, BROOD_CRASHED, BROOD_DETAIL_NONE);
	CHECK_EQ(v.signal, SIGABRT);
	CHECK_EQ(proc_workers(proc_supervisor(), workers, 8) >= 2, 1);
	for (int i = 0; i < 2; i++)
		kill(workers[i], SIGKILL);
	CHECK(WAIT_UNTIL(pool_stats(brood).died == 3 && pool_full(brood), 10000));
	v = POOL_CALL(brood, job_nothing);
	verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
	pool_stop(brood);
}
Test(death, spawned_by_clone3) { case_run_with(way, (void *)BROOD_SPAWN_CLONE3, 30000); }
Test(death, spawned_by_clone) { case_run_with(way, (void *)BROOD_SPAWN_CLONE, 30000); }
Test(death, spawned_by_fork) { case_run_with(way, (void *)BROOD_SPAWN_FORK, 30000); }
