/* SPDX-License-Identifier: MIT */
/*
 * debugging.c - BROOD_DEBUGGING: deadlines do not kill a process under a debugger. keep_signals: a
 * handler that was set before the start reports from a job.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(debugging, .timeout = 120);

static void stopped_worker(void)
{
	struct brood_options options = {
		.workers = 1, .flags = BROOD_DEBUGGING, .run_ms = 50, .log = note_log
	};
	struct brood *brood = pool_start(&options);
	struct brood_handle *h;
	struct brood_verdict v;
	pid_t worker = pool_ask_pid(brood);
	int fd;

	kill(worker, SIGSTOP);
	CHECK(WAIT_UNTIL(proc_state(worker) == 'T', 5000));
	CHECK_EQ(brood_open(brood, job_nothing, NULL, &fd, &h), 0);
	CHECK_EQ(brood_wait(h, 500, &v), -ETIMEDOUT); /* ten times its deadline */
	CHECK(proc_alive(worker));
	kill(worker, SIGCONT);
	CHECK_EQ(brood_wait(h, 10000, &v), 0);
	CHECK_EQ(v.outcome, BROOD_DONE);
	CHECK_EQ(v.pid, worker);
	brood_release(h);
	close(fd);
	pool_stop(brood);
}
Test(debugging, stopped_worker_is_spared) { case_run(stopped_worker, 30000); }

static void without_it(void)
{
	struct brood_options options = { .workers = 1, .run_ms = 50, .log = note_log };
	struct brood *brood = pool_start(&options);
	struct brood_verdict v;
	struct brood_handle *h;
	pid_t worker = pool_ask_pid(brood);
	int fd;

	kill(worker, SIGSTOP);
	CHECK(WAIT_UNTIL(proc_state(worker) == 'T', 5000));
	CHECK_EQ(brood_open(brood, job_nothing, NULL, &fd, &h), 0);
	CHECK_EQ(brood_wait(h, 10000, &v), 0);
	CHECK_EQ(v.outcome, BROOD_TIMED_OUT);
	CHECK(!v.started);
	brood_release(h);
	close(fd);
	pool_stop(brood);
}
Test(debugging, otherwise_it_is_not) { case_run(without_it, 30000); }

static int stops_itself(struct brood_job *job)
{
	(void)job;
	return kill(getpid(), SIGSTOP);
}

/* The process that grants the worker, or hands the job over, is stopped in the middle of that. */
static void stopped_in_a_job(enum brood_path path, uint32_t flags)
{
	struct brood_options options = {
		.workers = 1, .flags = flags, .run_ms = 300, .grace_ms = 1, .log = note_log
	};
	struct brood *brood = pool_start(&options);
	struct brood_job_options o = { .size = sizeof o, .dispatch = path };
	struct brood_handle *h;
	struct brood_verdict v;
	pid_t worker = pool_ask_pid(brood);
	int fd;

	CHECK_EQ(brood_open(brood, stops_itself, &o, &fd, &h), 0);
	if (flags & BROOD_DEBUGGING) {
		CHECK_EQ(brood_wait(h, 2500, &v), -ETIMEDOUT);
		CHECK_EQ(proc_state(worker), 'T');
		kill(worker, SIGCONT);
	}
	CHECK_EQ(brood_wait(h, 20000, &v), 0);
	CHECK_EQ(v.outcome, flags & BROOD_DEBUGGING ? BROOD_DONE : BROOD_TIMED_OUT);
	CHECK_EQ(v.path, path);
	CHECK_EQ(v.pid, worker);
	CHECK(v.started);
	brood_release(h);
	close(fd);
	pool_stop(brood);
}
static void debugged_in_a_job(void *path)
{
	stopped_in_a_job((enum brood_path)(intptr_t)path, BROOD_DEBUGGING);
}
static void stuck_in_a_job(void *path) { stopped_in_a_job((enum brood_path)(intptr_t)path, 0); }

Test(debugging, in_the_middle_of_a_handed_job)
{
	case_run_with(debugged_in_a_job, (void *)BROOD_PATH_HANDOFF, 40000);
	case_run_with(stuck_in_a_job, (void *)BROOD_PATH_HANDOFF, 40000);
}
Test(debugging, in_the_middle_of_a_job_on_lease)
{
	case_run_with(debugged_in_a_job, (void *)BROOD_PATH_LEASE, 40000);
	case_run_with(stuck_in_a_job, (void *)BROOD_PATH_LEASE, 40000);
}

/* ---- handlers that stay ---- */

static int breaks_a_pipe(struct brood_job *job)
{
	int p[2];

	(void)job;
	if (pipe(p) < 0)
		return 1;
	close(p[0]);
	if (write(p[1], "x", 1) >= 0 || errno != EPIPE)
		return 2;
	return close(p[1]);
}

static void kept_ignored(void *keep)
{
	const int signals[] = { SIGPIPE };
	struct brood_options options = { .workers = 1,
		.keep_signals = keep ? signals : NULL,
		.keep_signals_count = keep ? 1 : 0,
		.log = note_log };
	struct brood *brood;
	struct brood_verdict v;

	signal(SIGPIPE, SIG_IGN);
	brood = pool_start(&options);
	v = POOL_CALL(brood, breaks_a_pipe);
	CHECK_EQ(v.outcome, keep ? BROOD_DONE : BROOD_CRASHED);
	CHECK_EQ(v.signal, keep ? 0 : SIGPIPE);
	pool_stop(brood);
}
Test(debugging, kept_dispositions)
{
	case_run_with(kept_ignored, (void *)1, 20000);
	case_run_with(kept_ignored, NULL, 20000);
}

static void reporter(int sig)
{
	atomic_uint *reports = case_shared();

	atomic_fetch_add(reports, 1);
	signal(sig, SIG_DFL);
	raise(sig);
}

static volatile int *volatile nowhere;
static int segfaults(struct brood_job *job)
{
	(void)job;
	return *nowhere;
}

static void kept_handlers(void *keep)
{
	const int signals[] = { SIGSEGV };
	struct brood_options options = { .workers = 1,
		.keep_signals = keep ? signals : NULL,
		.keep_signals_count = keep ? 1 : 0,
		.log = note_log };
	struct brood *brood;
	struct brood_verdict v;

	signal(SIGSEGV, reporter);
	brood = pool_start(&options);
	v = POOL_CALL(brood, segfaults);
	CHECK_EQ(v.outcome, BROOD_CRASHED);
	CHECK_EQ(v.signal, SIGSEGV);
	CHECK_EQ(atomic_load((atomic_uint *)case_shared()), keep ? 1 : 0);
	pool_stop(brood);
}
Test(debugging, kept_handlers_report)
{
	case_run_with(kept_handlers, (void *)1, 20000);
	case_run_with(kept_handlers, NULL, 20000);
}
