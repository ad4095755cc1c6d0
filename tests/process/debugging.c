/* SPDX-License-Identifier: MIT */
/*
 * debugging.c - BROOD_DEBUGGING: deadlines do not kill a process under a debugger. keep_signals: a
 * handler that was set before the start reports from a job.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(debugging, .timeout = 120);

static struct brood *brood;
static pid_t worker;
static int fd;

/* A job for a worker that is stopped. */
static struct brood_handle *give_to_stopped(uint32_t flags)
{
	struct brood_options options = {
		.workers = 1, .flags = flags, .run_ms = 50, .log = note_log
	};
	struct brood_handle *h;

	brood = pool_start(&options);
	worker = pool_ask_pid(brood);
	kill(worker, SIGSTOP);
	CHECK(WAIT_UNTIL(proc_state(worker) == 'T', 5000));
	CHECK_EQ(brood_open(brood, job_nothing, NULL, &fd, &h), 0);
	return h;
}

static struct brood_verdict verdict_of(struct brood_handle *h)
{
	struct brood_verdict v;

	CHECK_EQ(brood_wait(h, 20000, &v), 0);
	brood_release(h);
	close(fd);
	pool_stop(brood);
	return v;
}

static void stopped_worker(void)
{
	struct brood_handle *h = give_to_stopped(BROOD_DEBUGGING);
	struct brood_verdict v;

	CHECK_EQ(brood_wait(h, 500, &v), -ETIMEDOUT); /* ten times its deadline */
	CHECK(proc_alive(worker));
	kill(worker, SIGCONT);
	v = verdict_of(h);
	CHECK_EQ(v.outcome, BROOD_DONE);
	CHECK_EQ(v.pid, worker);
}
Test(debugging, stopped_worker_is_spared) { case_run(stopped_worker, 30000); }

static void without_it(void)
{
	struct brood_verdict v = verdict_of(give_to_stopped(0));

	CHECK_EQ(v.outcome, BROOD_TIMED_OUT);
	CHECK(!v.started);
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
	struct brood_job_options o = { .size = sizeof o, .dispatch = path };
	struct brood_handle *h;
	struct brood_verdict v;

	brood = pool_start(&options);
	worker = pool_ask_pid(brood);
	CHECK_EQ(brood_open(brood, stops_itself, &o, &fd, &h), 0);
	if (flags & BROOD_DEBUGGING) {
		CHECK_EQ(brood_wait(h, 2500, &v), -ETIMEDOUT);
		CHECK_EQ(proc_state(worker), 'T');
		kill(worker, SIGCONT);
	}
	v = verdict_of(h);
	CHECK_EQ(v.outcome, flags & BROOD_DEBUGGING ? BROOD_DONE : BROOD_TIMED_OUT);
	CHECK_EQ(v.path, path);
	CHECK_EQ(v.pid, worker);
	CHECK(v.started);
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

/* What comes of a job in a pool that keeps this signal's disposition, or does not. */
static struct brood_verdict with_signal(int sig, bool keep, brood_fn *fn)
{
	const int signals[] = { sig };
	struct brood_options options = { .workers = 1,
		.keep_signals = keep ? signals : NULL,
		.keep_signals_count = keep ? 1 : 0,
		.log = note_log };
	struct brood_verdict v;

	brood = pool_start(&options);
	v = pool_call(brood, fn, "job", "", 0, NULL);
	pool_stop(brood);
	return v;
}

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
	struct brood_verdict v;

	signal(SIGPIPE, SIG_IGN);
	v = with_signal(SIGPIPE, keep, breaks_a_pipe);
	CHECK_EQ(v.outcome, keep ? BROOD_DONE : BROOD_CRASHED);
	CHECK_EQ(v.signal, keep ? 0 : SIGPIPE);
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
	struct brood_verdict v;

	signal(SIGSEGV, reporter);
	v = with_signal(SIGSEGV, keep, segfaults);
	CHECK_EQ(v.outcome, BROOD_CRASHED);
	CHECK_EQ(v.signal, SIGSEGV);
	CHECK_EQ(atomic_load((atomic_uint *)case_shared()), keep ? 1 : 0);
}

Test(debugging, kept_handlers_report)
{
	case_run_with(kept_handlers, (void *)1, 20000);
	case_run_with(kept_handlers, NULL, 20000);
}

/* ---- a debugger holds what it traces until it has taken note of its death ---- */

enum { HOLDS = 1, LETS_GO };

static void hold_dead(pid_t pid)
{
	atomic_int *step = case_shared();
	siginfo_t info;

	CHECK_EQ(ptrace(PTRACE_SEIZE, pid, NULL, NULL), 0);
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK_EQ(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	atomic_store(step, HOLDS);
	CHECK(WAIT_UNTIL(atomic_load(step) == LETS_GO, 20000));
	_exit(0);
}

/*
 * The guard's end is seen, but cannot be waited for. The supervisor looks again until it can.
 * Within 100 ms of its birth a guard's end is looked at otherwise.
 */
static void traced_guard(void)
{
	struct brood_job_options handed_off = { .dispatch = BROOD_PATH_HANDOFF };
	pid_t supervisor, guard, fresh, tracer;
	atomic_int *step = case_shared();
	uint64_t until;
	int status;

	brood = pool_start_workers(1);
	supervisor = proc_supervisor();
	CHECK(WAIT_UNTIL((guard = proc_guard(supervisor)) > 0, 10000));
	tracer = fork();
	if (tracer == 0)
		hold_dead(guard);
	CHECK(WAIT_UNTIL(atomic_load(step) == HOLDS, 10000));
	until = test_now_ms() + 200;
	do
		CHECK_EQ(pool_call_with(brood, job_nothing, &handed_off).outcome, BROOD_DONE);
	while (test_now_ms() < until);
	atomic_store(step, LETS_GO);
	CHECK_EQ(waitpid(tracer, &status, 0), tracer);
	CHECK_EQ(status, 0);
	CHECK(WAIT_UNTIL((fresh = proc_guard(supervisor)) > 0 && fresh != guard, 10000));
	pool_stop(brood);
}
Test(debugging, a_traced_guard_is_replaced) { case_run(traced_guard, 40000); }
