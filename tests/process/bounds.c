/* SPDX-License-Identifier: MIT */
/*
 * bounds.c - law 6: nothing waits without a bound. Queue time, backlog, run deadline with its soft
 * step, abort, cancel at every stage, init time; and a kill cannot hit the next job.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

TestSuite(bounds, .timeout = 120);

static struct brood *brood;

/* ---- run time ---- */

static int __attribute__((noreturn)) spins(struct brood_job *job)
{
	(void)job;
	for (volatile unsigned i = 0;; i++)
		;
}

static int __attribute__((noreturn)) blocks_all_signals(struct brood_job *job)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	spins(job);
}

static void deadlines(void)
{
	struct brood_options options = { .workers = 2, .log = note_log };
	struct brood_job_options job = { .run_ms = 50 },
				 patient = { .run_ms = 50, .grace_ms = 30000 };
	struct brood_verdict v;

	brood = pool_start(&options);
	v = pool_call_with(brood, job_sleep_forever, &job);
	verdict_is(&v, BROOD_TIMED_OUT, BROOD_DETAIL_NONE);
	CHECK(v.started);
	/* 50 ms and the grace of 50 ms: never early */
	CHECK_GE(v.run_us, 100000);
	v = pool_call_with(brood, spins, &job);
	verdict_is(&v, BROOD_TIMED_OUT, BROOD_DETAIL_NONE);
	v = pool_call_with(brood, blocks_all_signals, &job);
	verdict_is(&v, BROOD_TIMED_OUT, BROOD_DETAIL_NONE);
	/* the job notices the soft step and ends by itself */
	v = pool_call_with(brood, job_until_cancelled, &patient);
	verdict_is(&v, BROOD_FAILED, BROOD_DETAIL_NONE);
	CHECK_EQ(v.code, 42);
	CHECK_GE(v.run_us, 50000);
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	CHECK_EQ(pool_stats(brood).killed, 3);
	pool_stop(brood);
}
Test(bounds, run_time) { case_run(deadlines, 60000); }

static int asks_the_time(struct brood_job *job)
{
	uint32_t left = brood_job_time_left_ms(job);

	return left == BROOD_FOREVER ? 1 : left > 60000 ? 2 : left == 0 ? 3 : 0;
}

static void time_left(void)
{
	struct brood_job_options bounded = { .run_ms = 60000 },
				 forever = { .run_ms = BROOD_FOREVER };
	struct brood_verdict v;

	brood = pool_start_workers(1);
	v = pool_call_with(brood, asks_the_time, &bounded);
	verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
	v = pool_call_with(brood, asks_the_time, &forever);
	verdict_is(&v, BROOD_FAILED, BROOD_DETAIL_NONE);
	CHECK_EQ(v.code, 1);
	pool_stop(brood);
}
Test(bounds, time_left) { case_run(time_left, 20000); }

static void aborting(void)
{
	struct brood_options options = { .workers = 1, .flags = BROOD_NO_CORE, .log = note_log };
	struct brood_job_options job = { .run_ms = 30, .flags = BROOD_JOB_ABORT };
	struct brood_verdict v;

	brood = pool_start(&options);
	v = pool_call_with(brood, spins, &job);
	verdict_is(&v, BROOD_TIMED_OUT, BROOD_DETAIL_NONE);
	CHECK_EQ(v.signal, SIGABRT);
	/* SIGABRT is blocked, too: SIGKILL follows after core_ms */
	v = pool_call_with(brood, blocks_all_signals, &job);
	verdict_is(&v, BROOD_TIMED_OUT, BROOD_DETAIL_NONE);
	pool_stop(brood);
}
Test(bounds, abort_for_a_core) { case_run(aborting, 60000); }

static bool cores_are_files(void)
{
	char pattern[8] = "|";
	struct rlimit limit;
	int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, pattern, sizeof pattern);

	close(fd);
	return n > 0 && pattern[0] != '|' && pattern[0] != '/' &&
		getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == RLIM_INFINITY;
}

static void enter_own_folder(char folder[32])
{
	int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);

	CHECK_EQ(write(fd, "0", 1), 1); /* small ones */
	close(fd);
	snprintf(folder, 32, "/tmp/brood-cores-XXXXXX");
	CHECK(mkdtemp(folder));
	CHECK_EQ(chdir(folder), 0);
}

/* How many files were in it. */
static int leave_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *e;
	int count = 0;

	while ((e = readdir(dir)))
		count += e->d_type == DT_REG && unlinkat(dirfd(dir), e->d_name, 0) == 0;
	closedir(dir);
	CHECK_EQ(chdir("/"), 0);
	CHECK_EQ(rmdir(folder), 0);
	return count;
}

static int aborts(struct brood_job *job)
{
	(void)job;
	abort();
}

static rlim_t core_limit(pid_t pid)
{
	struct rlimit limit;

	CHECK_EQ(prlimit(pid, RLIMIT_CORE, NULL, &limit), 0);
	return limit.rlim_cur;
}

/* The limit holds also for workers that were granted before. */
static void few_cores(void)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	struct brood_options options = { .workers = 3, .cores_per_minute = 1, .log = note_log };
	struct brood_job_options job = { 0 },
				 open_options = { .size = sizeof open_options,
					 .dispatch = BROOD_PATH_HANDOFF };
	struct brood_lease *leases[2];
	struct brood_handle *busy;
	struct brood_verdict v;
	char folder[32];
	pid_t pid;
	int fd, made;

	CHECK_EQ(setrlimit(RLIMIT_CORE, &all), 0);
	enter_own_folder(folder);
	brood = pool_start(&options);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(brood_lease(brood, NULL, &leases[i]), 0);
	CHECK_EQ(brood_lease_worker(leases[1], &pid, NULL, NULL), 0);
	CHECK_EQ(core_limit(pid), RLIM_INFINITY);
	CHECK_EQ(brood_open(brood, job_echo, &open_options, &fd, &busy), 0);
	CHECK(WAIT_UNTIL(pool_stats(brood).busy == 3, 10000));
	for (int i = 0; i < 2; i++) {
		job.lease = leases[i];
		v = pool_call_with(brood, aborts, &job);
		verdict_is(&v, BROOD_CRASHED, BROOD_DETAIL_NONE);
		CHECK_EQ(v.signal, SIGABRT);
		if (i == 0)
			CHECK_EQ(core_limit(pid), 1);
		brood_lease_end(leases[i]);
	}
	CHECK_EQ(v.core, 0);
	close(fd);
	CHECK_EQ(brood_wait(busy, 10000, &v), 0);
	CHECK_EQ(core_limit(v.pid), 1);
	brood_release(busy);
	made = leave_folder(folder);
	CHECK_EQ(made, 1);
	pool_stop(brood);
}
Test(bounds, cores_a_minute)
{
	if (!cores_are_files())
		cr_skip_test(
			"cores are not made in the folder where the process is, or not at all");
	case_run(few_cores, 60000);
}

/* ---- the queue ---- */

static void queue_time(void)
{
	struct brood_options options = { .workers = 1, .grace_ms = 60000, .log = note_log };
	struct brood_job_options job = { .size = sizeof job, .queue_ms = 60 };
	struct brood_handle *holder, *h[3];
	struct brood_verdict v;
	int fd, fds[3];

	brood = pool_start(&options);
	CHECK_EQ(brood_open(brood, job_until_cancelled, NULL, &fd, &holder), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(brood_open(brood, job_nothing, &job, &fds[i], &h[i]), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(brood_wait(h[i], 10000, &v), 0);
		verdict_is(&v, BROOD_REFUSED, BROOD_DETAIL_QUEUE_TIME);
		CHECK(!v.started);
		CHECK_EQ(v.pid, 0);
		CHECK_GE(v.queue_us, 60000);
		close(fds[i]);
		brood_release(h[i]);
	}
	CHECK_EQ(brood_cancel(brood, brood_id(holder)), 0);
	CHECK_EQ(brood_wait(holder, 10000, &v), 0);
	verdict_is(&v, BROOD_FAILED, BROOD_DETAIL_NONE);
	brood_release(holder);
	close(fd);
	pool_stop(brood);
}
Test(bounds, queue_time) { case_run(queue_time, 30000); }

static void backlog(void)
{
	struct brood_options options = { .workers = 2,
		.backlog = 6,
		.grace_ms = 60000,
		.dispatch = BROOD_PATH_HANDOFF,
		.log = note_log };
	struct brood_handle *h[8], *more = NULL;
	struct brood_verdict v;
	int fds[8], fd = -1;

	brood = pool_start(&options);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(brood_open(brood, job_until_cancelled, NULL, &fds[i], &h[i]), 0);
	CHECK_EQ(brood_open(brood, job_nothing, NULL, &fd, &more), -EAGAIN);
	CHECK_CONTAINS(brood_error(), "");
	CHECK_EQ(fd, -1);
	CHECK_EQ(brood_call(brood, job_nothing, NULL, 0, NULL, 0, NULL, &v), -EAGAIN);
	verdict_is(&v, BROOD_REFUSED, BROOD_DETAIL_QUEUE_FULL);
	for (int i = 7; i >= 0; i--) { /* queued jobs first, then running ones */
		CHECK_EQ(brood_cancel(brood, brood_id(h[i])), 0);
		CHECK_EQ(brood_wait(h[i], 10000, &v), 0);
		if (i >= 2)
			verdict_is(&v, BROOD_CANCELLED, BROOD_DETAIL_NONE);
		else
			CHECK_EQ(v.code, 42);
		CHECK_EQ(brood_cancel(brood, brood_id(h[i])), -ENOENT);
		CHECK_EQ(v.started != 0, i < 2);
		close(fds[i]);
		brood_release(h[i]);
	}
	v = POOL_CALL(brood, job_nothing); /* the credits are all back */
	verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(pool_stats(brood).queued_peak, 6);
	pool_stop(brood);
}
Test(bounds, backlog_and_cancel) { case_run(backlog, 30000); }

static void cancel_deaf(void)
{
	struct brood_options options = { .workers = 1, .log = note_log };
	struct brood_handle *h;
	struct brood_verdict v;
	int fd;

	brood = pool_start(&options);
	CHECK_EQ(brood_open(brood, spins, NULL, &fd, &h), 0);
	CHECK(WAIT_UNTIL(pool_stats(brood).busy == 1, 5000));
	CHECK_EQ(brood_cancel(brood, brood_id(h)), 0);
	CHECK_EQ(brood_wait(h, 10000, &v), 0);
	verdict_is(&v, BROOD_CANCELLED, BROOD_DETAIL_NONE);
	CHECK_EQ(v.signal, SIGKILL);
	brood_release(h);
	close(fd);
	v = POOL_CALL(brood, job_nothing);
	verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
	pool_stop(brood);
}
Test(bounds, cancel_deaf_job) { case_run(cancel_deaf, 30000); }

/*
 * Cancels short jobs at a random moment. The verdict is "cancelled" or the job's own, and the next
 * job is never harmed.
 */
static int short_job(struct brood_job *job)
{
	for (volatile int i = 0; i < 20000; i++)
		;
	return brood_job_cancelled(job) ? 1 : 0;
}

static void cancel_race(void)
{
	struct brood_options options = { .workers = 2, .grace_ms = 1, .log = note_log };
	unsigned seed = 7;

	brood = pool_start(&options);
	for (int i = 0; i < 400; i++) {
		struct brood_handle *h, *next;
		struct brood_verdict v;
		int fd, next_fd;

		CHECK_EQ(brood_open(brood, short_job, NULL, &fd, &h), 0);
		CHECK_EQ(brood_open(brood, short_job, NULL, &next_fd, &next), 0);
		for (volatile unsigned spin = (unsigned)rand_r(&seed) % 60000; spin > 0; spin--)
			;
		brood_cancel(brood, brood_id(h));
		CHECK_EQ(brood_wait(h, 10000, &v), 0);
		CHECK(v.outcome == BROOD_DONE || v.outcome == BROOD_CANCELLED ||
			(v.outcome == BROOD_FAILED && v.code == 1));
		CHECK_EQ(brood_wait(next, 10000, &v), 0);
		verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
		brood_release(h);
		brood_release(next);
		close(fd);
		close(next_fd);
	}
	pool_stop(brood);
}
Test(bounds, cancel_never_hits_the_next_job) { case_run(cancel_race, 60000); }

/* ---- init time ---- */

static int __attribute__((noreturn)) slow_init(void *context)
{
	(void)context;
	for (;;)
		pause();
}

static void init_time(void)
{
	struct brood_options options = { .size = sizeof options,
		.workers = 1,
		.init_ms = 50,
		.worker_init = slow_init,
		.start_limit = 4,
		.backoff_min_ms = 10,
		.log = note_log };
	struct brood_verdict v;

	CHECK_EQ(brood_start(&options, &brood), 0);
	CHECK_EQ(brood_wait_ready(brood, 20000), -EHOSTDOWN);
	v = POOL_CALL(brood, job_nothing);
	verdict_is(&v, BROOD_REFUSED, BROOD_DETAIL_DEGRADED);
	CHECK(pool_stats(brood).degraded);
	pool_stop(brood);
}
Test(bounds, init_time) { case_run(init_time, 60000); }
