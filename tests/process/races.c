/* SPDX-License-Identifier: MIT */
/*
 * races.c - two things happen to one job at once: cancel and kill, a deadline and a kill, a retry
 * and a full pool. The verdict says what really happened, above all whether the function was
 * entered.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

TestSuite(races, .timeout = 240);

static struct brood *brood;

/* ---- cancelled, then killed from outside during its grace: it is not run again ---- */

struct told {
	atomic_int runs, pid, cancelled;
};
static struct told *told(void) { return case_shared(); }

static int __attribute__((noreturn)) notices(struct brood_job *job)
{
	atomic_store(&told()->pid, getpid());
	atomic_fetch_add(&told()->runs, 1);
	for (;;) {
		if (brood_job_cancelled(job))
			atomic_store(&told()->cancelled, 1);
		usleep(200);
	}
}

static void cancelled_and_killed(void)
{
	struct brood_job_options job = { .size = sizeof job, .retries = 3, .grace_ms = 60000 };
	struct brood_options options = { .workers = 2, .log = note_log };
	struct brood_handle *h;
	struct brood_verdict v;
	int fd;

	brood = pool_start(&options);
	CHECK_EQ(brood_open(brood, notices, &job, &fd, &h), 0);
	CHECK(WAIT_UNTIL(atomic_load(&told()->runs) == 1, 5000));
	CHECK_EQ(brood_cancel(brood, brood_id(h)), 0);
	CHECK(WAIT_UNTIL(atomic_load(&told()->cancelled), 5000));
	kill(atomic_load(&told()->pid), SIGKILL);
	CHECK_EQ(brood_wait(h, 10000, &v), 0);
	verdict_is(&v, BROOD_CRASHED, BROOD_DETAIL_OUTSIDE);
	CHECK(v.started);
	CHECK_EQ(v.attempts, 1);
	CHECK_EQ(atomic_load(&told()->runs), 1);
	brood_release(h);
	close(fd);
	pool_stop(brood);
}
Test(races, cancelled_then_killed) { case_run(cancelled_and_killed, 30000); }

/*
 * The same before the job begins: its worker is stopped, it is cancelled, and the worker is killed.
 * The job never ran.
 */
static void cancelled_before_it_began(void)
{
	struct brood_job_options job = { .size = sizeof job, .grace_ms = 60000 };
	struct brood_options options = { .workers = 1, .log = note_log };
	struct brood_handle *h, *next;
	struct brood_verdict v;
	pid_t worker;
	int fd, next_fd;

	brood = pool_start(&options);
	CHECK_EQ(proc_workers(proc_supervisor(), &worker, 1), 1);
	kill(worker, SIGSTOP);
	CHECK(WAIT_UNTIL(proc_state(worker) == 'T', 5000));
	CHECK_EQ(brood_open(brood, notices, &job, &fd, &h), 0);
	CHECK(WAIT_UNTIL(pool_stats(brood).busy == 1, 5000));
	CHECK_EQ(brood_cancel(brood, brood_id(h)), 0);
	CHECK_EQ(brood_open(brood, job_nothing, NULL, &next_fd, &next), 0);
	/* so the supervisor has the cancel, too, which came before it */
	CHECK(WAIT_UNTIL(pool_stats(brood).queued == 1, 5000));
	CHECK_EQ(brood_wait(h, 0, &v), -ETIMEDOUT);
	kill(worker, SIGKILL);
	CHECK_EQ(brood_wait(h, 10000, &v), 0);
	verdict_is(&v, BROOD_CANCELLED, BROOD_DETAIL_NONE);
	CHECK_EQ(v.started, 0);
	CHECK_EQ(atomic_load(&told()->runs), 0);
	CHECK_EQ(brood_wait(next, 10000, &v), 0);
	verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
	brood_release(h);
	brood_release(next);
	close(fd);
	close(next_fd);
	pool_stop(brood);
}
Test(races, cancelled_before_it_began) { case_run(cancelled_before_it_began, 30000); }

/* ---- a retry that finds no worker ---- */

/*
 * The job runs longer than jobs may wait for a worker, and is killed then: its running time does
 * not count as queue time.
 */
static void long_run_is_no_long_wait(void)
{
	struct brood_job_options job = { .size = sizeof job, .retries = 1, .queue_ms = 1500 };
	struct brood_options options = { .workers = 1, .log = note_log };
	struct brood_handle *h;
	struct brood_verdict v;
	int fd, first;

	brood = pool_start(&options);
	CHECK_EQ(brood_open(brood, notices, &job, &fd, &h), 0);
	CHECK(WAIT_UNTIL(atomic_load(&told()->runs) == 1, 5000));
	CHECK_EQ(brood_wait(h, 2000, &v), -ETIMEDOUT);
	first = atomic_load(&told()->pid);
	/* the pool's one slot is empty now, for a moment */
	kill(first, SIGKILL);
	CHECK(WAIT_UNTIL(atomic_load(&told()->runs) == 2 || brood_fetch(h, &v) == 0 ||
			brood_dispatch(brood) < 0,
		10000));
	CHECK_EQ(atomic_load(&told()->runs), 2);
	kill(atomic_load(&told()->pid), SIGKILL);
	CHECK_EQ(brood_wait(h, 10000, &v), 0);
	verdict_is(&v, BROOD_CRASHED, BROOD_DETAIL_OUTSIDE);
	CHECK_EQ(v.attempts, 2);
	brood_release(h);
	close(fd);
	pool_stop(brood);
}
Test(races, a_long_run_is_no_long_wait) { case_run(long_run_is_no_long_wait, 30000); }

/*
 * No worker comes for the retry in time. The job has run all the same, so "refused" or "not
 * started" would be a lie.
 */
static int init_waits(void *context)
{
	const atomic_int *barrier = &told()->cancelled;

	(void)context;
	for (int i = 0; i < 100000 && atomic_load(barrier) == 2; i++)
		usleep(1000);
	return 0;
}

static void ran_before(void)
{
	struct brood_job_options job = { .size = sizeof job, .retries = 1, .queue_ms = 100 };
	struct brood_options options = {
		.workers = 1, .worker_init = init_waits, .init_ms = 60000, .log = note_log
	};
	struct brood_handle *h[3];
	struct brood_verdict v;
	int fds[3];

	brood = pool_start(&options);
	for (int round = 0; round < 2; round++) {
		atomic_store(&told()->runs, 0);
		atomic_store(&told()->cancelled, 2); /* workers born from now on are not ready */
		job.queue_ms = round == 0 ? 100 : 60000;
		CHECK_EQ(brood_open(brood, notices, &job, &fds[round], &h[round]), 0);
		CHECK(WAIT_UNTIL(atomic_load(&told()->runs) == 1, 5000));
		kill(atomic_load(&told()->pid), SIGKILL);
		if (round == 1) {
			CHECK(WAIT_UNTIL(pool_stats(brood).queued == 1, 5000));
			CHECK_EQ(brood_cancel(brood, brood_id(h[round])), 0);
		}
		CHECK_EQ(brood_wait(h[round], 10000, &v), 0);
		if (round == 0)
			verdict_is(&v, BROOD_CRASHED, BROOD_DETAIL_OUTSIDE);
		else
			verdict_is(&v, BROOD_CANCELLED, BROOD_DETAIL_NONE);
		CHECK(v.started);
		CHECK_EQ(v.attempts, 1);
		CHECK_GT(v.pid, 0);
		brood_release(h[round]);
		close(fds[round]);
		atomic_store(&told()->cancelled, 0);
		CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	}
	pool_stop(brood);
}
Test(races, a_job_that_ran_was_started) { case_run(ran_before, 30000); }

/* The same for a call, whose retries the library makes. */
static void *kill_the_first(void *arg)
{
	(void)arg;
	CHECK(WAIT_UNTIL(atomic_load(&told()->runs) == 1, 10000));
	atomic_store(&told()->cancelled, 2);
	kill(atomic_load(&told()->pid), SIGKILL);
	return NULL;
}

static void call_ran_before(void)
{
	struct brood_job_options job = { .retries = 5, .queue_ms = 100 };
	struct brood_options options = {
		.workers = 1, .worker_init = init_waits, .init_ms = 60000, .log = note_log
	};
	struct brood_stats stats;
	struct brood_verdict v;
	pthread_t thread;

	brood = pool_start(&options);
	CHECK_EQ(pthread_create(&thread, NULL, kill_the_first, NULL), 0);
	v = pool_call_with(brood, notices, &job);
	pthread_join(thread, NULL);
	verdict_is(&v, BROOD_CRASHED, BROOD_DETAIL_OUTSIDE);
	CHECK(v.started);
	CHECK_GT(v.pid, 0);
	atomic_store(&told()->cancelled, 0);
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	stats = pool_stats(brood);
	CHECK_EQ(stats.verdicts[BROOD_CRASHED], 1);
	CHECK_EQ(stats.verdicts[BROOD_REFUSED], 0);
	CHECK_EQ(stats.verdicts[BROOD_DONE], 1);
	CHECK_EQ(stats.submitted, 2);
	pool_stop(brood);
}
Test(races, a_call_that_ran_was_started) { case_run(call_ran_before, 30000); }

/* ---- cancels and kills, of jobs that end at this very moment, by the hundred ---- */

static int ends_soon(struct brood_job *job)
{
	const unsigned *spins = brood_job_arg(job, NULL);

	for (volatile unsigned i = 0; i < *spins; i++)
		;
	return 0;
}

static void storm(void)
{
	struct brood_options options = { .workers = 3, .log = note_log };
	unsigned state = 7, killed = 0, outcomes[BROOD_OUTCOMES] = { 0 };

	brood = pool_start(&options);
	for (int i = 0; i < 600; i++) {
		unsigned spins = (unsigned)rand_r(&state) % 60000;
		struct brood_job_options job = {
			.size = sizeof job, .grace_ms = 1, .arg = &spins, .arg_size = sizeof spins
		};
		struct brood_handle *h;
		struct brood_verdict v;
		pid_t workers[8];
		int fd, n;

		CHECK_EQ(brood_open(brood, ends_soon, &job, &fd, &h), 0);
		if (i % 2 == 0) {
			int r = brood_cancel(brood, brood_id(h));

			CHECK(r == 0 || r == -ENOENT);
		}
		if (i % 3 == 0 && (n = proc_workers(proc_supervisor(), workers, 8)) > 0)
			killed += kill(workers[(unsigned)rand_r(&state) % (unsigned)n], SIGKILL) ==
				0;
		CHECK_EQ(brood_wait(h, 20000, &v), 0);
		CHECK(v.outcome == BROOD_DONE || v.outcome == BROOD_CANCELLED ||
			(v.outcome == BROOD_CRASHED && v.detail == BROOD_DETAIL_OUTSIDE &&
				v.started));
		CHECK_MSG(v.outcome != BROOD_DONE || v.started, "done but not started");
		outcomes[v.outcome]++;
		brood_release(h);
		close(fd);
	}
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	for (int i = 0; i < 20; i++)
		CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	note("%u killed; done %u, cancelled %u, crashed %u", killed, outcomes[BROOD_DONE],
		outcomes[BROOD_CANCELLED], outcomes[BROOD_CRASHED]);
	CHECK_GT(outcomes[BROOD_DONE], 100);
	pool_stop(brood);
}
Test(races, cancel_and_kill_by_the_hundred) { case_run(storm, 120000); }

/* ---- killed from outside between its reply and its end: the next attempt's reply is the one -- */

static void *kills_us(void *delay_us)
{
	usleep((useconds_t)(uintptr_t)delay_us);
	kill(getpid(), SIGKILL);
	return NULL;
}

/* The reply is a memfd, sent before the job has ended. */
static int replies_and_is_killed(struct brood_job *job)
{
	static char big[100000];
	pthread_t thread;

	if (brood_job_attempt(job) == 1 &&
		(pthread_create(&thread, NULL, kills_us,
			 (void *)(uintptr_t) * (const unsigned *)brood_job_arg(job, NULL)) != 0 ||
			pthread_detach(thread) != 0))
		return 1;
	memset(big, brood_job_attempt(job) == 1 ? 'a' : 'b', sizeof big);
	return brood_job_reply(job, big, sizeof big) == (ssize_t)sizeof big ? 0 : 2;
}

static void replied_and_killed(void)
{
	struct brood_options options = { .workers = 2,
		.log = note_log,
		.backoff_min_ms = 1,
		.backoff_max_ms = 2,
		.healthy_ms = 1,
		.dispatch = BROOD_PATH_LEASE };
	unsigned again = 0;
	static char reply[100000];

	brood = pool_start(&options);
	for (unsigned i = 0; i < 400; i++) {
		unsigned delay = i * 7 % 400;
		struct brood_job_options o = { .size = sizeof o,
			.retries = 3,
			.arg = &delay,
			.arg_size = sizeof delay,
			.queue_ms = BROOD_FOREVER };
		struct brood_verdict v;

		CHECK_EQ(brood_call(brood, replies_and_is_killed, NULL, 0, reply, sizeof reply, &o,
				 &v),
			(ssize_t)sizeof reply);
		verdict_is(&v, BROOD_DONE, v.detail);
		CHECK_EQ(reply[99999], v.attempts > 1 ? 'b' : 'a');
		again += v.attempts > 1;
	}
	note("%u of 400 were run again", again);
	pool_stop(brood);
}
Test(races, replied_and_killed) { case_run(replied_and_killed, 120000); }
