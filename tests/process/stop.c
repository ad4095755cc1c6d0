/* SPDX-License-Identifier: MIT */
/*
 * stop.c - how a pool ends: the supervisor ends as the engine did; drain, cancel and kill are each
 * bounded; signals go to the supervisor, to the group, to all; PID 1 of a container.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(stop, .timeout = 180);

static struct brood *brood;
static unsigned loud;

static void counting(void *context, const struct brood_log *log)
{
	(void)context;
	note("log: %s", log->text);
	loud += log->level <= BROOD_WARNING;
}
static void start(uint32_t workers)
{
	struct brood_options options = { .workers = workers,
		.drain_ms = 300,
		.stop_ms = 200,
		.engine_stop_ms = 1500,
		.log = counting };

	brood = pool_start(&options);
}

static struct case_result try(void (*body)(void), void (*outside)(pid_t))
{
	struct case_options options = { .body = body, .timeout_ms = 40000, .outside = outside };
	struct case_result result;

	case_try(&options, &result);
	cr_assert(!result.expired && result.left == 0 && result.done == 1, "%s", result.text);
	return result;
}

static void ends_well(void (*body)(void), void (*outside)(pid_t))
{
	struct case_result result = try(body, outside);

	cr_assert(result.status == 0 && result.failures == 0, "%s", result.text);
}

static void is_killed(void (*body)(void), void (*outside)(pid_t))
{
	int status = try(body, outside).status;

	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%x", (unsigned)status);
}

/* ---- the engine's end is the supervisor's ---- */

static void exits_5(void)
{
	start(2);
	case_done();
	exit(5);
}
static void exits_raw_6(void)
{
	start(2);
	case_done();
	_exit(6);
}
static void returns_after_stop(void)
{
	start(2);
	pool_stop(brood);
}
static void dies(int sig)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	start(2);
	case_done();
	signal(sig, SIG_DFL);
	raise(sig);
	pause();
}
static void dies_segv(void) { dies(SIGSEGV); }
static void dies_kill(void) { dies(SIGKILL); }
static void dies_term(void) { dies(SIGTERM); }

Test(stop, ends_as_the_engine_did)
{
	int s;

	cr_assert_eq(WEXITSTATUS(case_status(exits_5, 20000)), 5);
	cr_assert_eq(WEXITSTATUS(case_status(exits_raw_6, 20000)), 6);
	cr_assert_eq(case_status(returns_after_stop, 20000), 0);
	s = case_status(dies_segv, 20000);
	cr_assert(WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV && !WCOREDUMP(s), "%x", (unsigned)s);
	s = case_status(dies_kill, 20000);
	cr_assert(WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL, "%x", (unsigned)s);
	s = case_status(dies_term, 20000);
	cr_assert(WIFSIGNALED(s) && WTERMSIG(s) == SIGTERM, "%x", (unsigned)s);
}

/* ---- drain, cancel, kill ---- */

static int finishes_soon(struct brood_job *job)
{
	char c;

	return brood_job_read(job, &c, 1) == 1 ? 0 : 1;
}

static void drains(void)
{
	struct brood_handle *running, *queued;
	struct brood_verdict v;
	int fd, queued_fd;

	start(1);
	CHECK_EQ(brood_open(brood, finishes_soon, NULL, &fd, &running), 0);
	CHECK_EQ(brood_open(brood, job_nothing, NULL, &queued_fd, &queued), 0);
	CHECK_EQ(write(fd, "x", 1), 1);
	pool_stop(brood); /* both had their time */
	CHECK_EQ(brood_fetch(running, &v), 0);
	CHECK_EQ(v.outcome, BROOD_DONE);
	CHECK_EQ(brood_fetch(queued, &v), 0);
	CHECK_EQ(v.outcome, BROOD_DONE);
	CHECK(brood_release(running) == NULL);
	CHECK(brood_release(queued) == NULL);
	CHECK_EQ(brood_open(brood, job_nothing, NULL, &fd, &running), -ESHUTDOWN);
	CHECK_EQ(brood_call(brood, job_nothing, NULL, 0, NULL, 0, NULL, &v), -ESHUTDOWN);
	CHECK_EQ(loud, 0);
}
Test(stop, drains) { case_run(drains, 20000); }

/* The engine simply returns: jobs that it gave, up to its last moment, have their drain time. */
static int says_it_in_the_end(struct brood_job *job)
{
	struct pollfd none = { .fd = -1 };

	(void)job;
	poll(&none, 1, 100);
	atomic_fetch_add((atomic_int *)case_shared(), 1);
	return 0;
}

static void returns_at_once(void)
{
	/* as long as a busy machine takes for them */
	struct brood_options options = { .workers = 2, .drain_ms = 20000, .log = counting };
	int fd;

	brood = pool_start(&options);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(brood_open(brood, says_it_in_the_end, NULL, &fd, NULL), 0);
	case_done();
	exit(0);
}
static void count_them(pid_t supervisor)
{
	CHECK(proc_wait_gone(supervisor, 30000));
	CHECK_EQ(atomic_load((atomic_int *)case_shared()), 4);
}
Test(stop, an_engine_that_returns_has_its_jobs_finished) { ends_well(returns_at_once, count_them); }

static void deaf(void)
{
	struct brood_handle *h[4];
	struct brood_verdict v;
	int fds[4];

	start(2);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(brood_open(brood, i == 1 ? job_until_cancelled : job_sleep_forever, NULL,
				 &fds[i], &h[i]),
			0);
	CHECK(WAIT_UNTIL(pool_stats(brood).busy == 2, 5000));
	pool_stop(brood);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(brood_fetch(h[i], &v), 0);
		if (i == 1) /* the job notices, if the machine is fast enough for its grace */
			CHECK(v.code == 42 || v.outcome == BROOD_CANCELLED);
		else if (i == 0)
			CHECK(v.outcome == BROOD_CANCELLED && v.detail == BROOD_DETAIL_STOPPED);
		else
			CHECK(v.outcome == BROOD_REFUSED && v.detail == BROOD_DETAIL_DRAINING);
		brood_release(h[i]);
	}
}
Test(stop, cancels_and_kills) { case_run(deaf, 20000); }

static void hook_that_hangs(void *context)
{
	(void)context;
	for (;;)
		pause();
}
static void exit_hook(void *context) { ++*(volatile int *)context; }
static void hooks(void)
{
	struct brood_options options = { .workers = 3,
		.worker_exit = exit_hook,
		.hook_context = case_shared(),
		.log = counting };

	brood = pool_start(&options);
	pool_stop(brood);
	CHECK_EQ(*(volatile int *)case_shared(), 3);
}
static void hanging_hooks(void)
{
	struct brood_options options = {
		.workers = 3, .worker_exit = hook_that_hangs, .stop_ms = 100, .log = counting
	};

	brood = pool_start(&options);
	pool_stop(brood);
	CHECK_EQ(pool_stats(brood).died, 3);
}
Test(stop, exit_hooks)
{
	case_run(hooks, 20000);
	case_run(hanging_hooks, 20000);
}

/* ---- a stray that does not end ---- */

struct stray {
	atomic_int pid, held;
};

static int leaves_one(struct brood_job *job)
{
	struct stray *stray = case_shared();
	pid_t pid = fork();

	if (pid == 0) {
		setsid();
		for (;;)
			pause();
	}
	atomic_store(&stray->pid, pid);
	while (!atomic_load(&stray->held))
		if (brood_job_cancelled(job))
			return 1;
	return 0;
}

static void with_a_stray(void)
{
	struct brood_verdict v;

	start(2);
	v = POOL_CALL(brood, leaves_one);
	CHECK_EQ(v.outcome, BROOD_DONE);
	CHECK_EQ(v.left, BROOD_LEFT_CHILDREN);
	CHECK_EQ(brood_stop(brood), -ETIMEDOUT); /* something is left */
}

/* A tracer is told of a process's end first: until then no other process can reap it. */
static void holds_it(pid_t supervisor)
{
	struct stray *stray = case_shared();

	CHECK(WAIT_UNTIL(atomic_load(&stray->pid) != 0, 20000));
	CHECK_EQ(ptrace(PTRACE_SEIZE, atomic_load(&stray->pid), NULL, NULL), 0);
	atomic_store(&stray->held, 1);
	CHECK(proc_wait_gone(supervisor, 20000));
	CHECK_EQ(proc_state(atomic_load(&stray->pid)), 'Z');
	CHECK_EQ(waitpid(atomic_load(&stray->pid), NULL, __WALL), atomic_load(&stray->pid));
}

Test(stop, a_stray_that_stays_does_not_hold_it) { ends_well(with_a_stray, holds_it); }

/* ---- signals ---- */

static int engine_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (int i = 0; i < 5; i++)
		sigaddset(&set, (const int[]){ SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2 }[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}
static int next_signal(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct signalfd_siginfo info;

	if (poll(&p, 1, test_scaled(ms)) <= 0)
		return 0;
	CHECK_EQ(read(fd, &info, sizeof info), sizeof info);
	return (int)info.ssi_signo;
}

static void passed_on(void)
{
	const int signals[] = { SIGHUP, SIGUSR1, SIGUSR2, SIGTERM };
	int fd = engine_signals();

	start(2);
	for (int i = 0; i < 4; i++) {
		kill(getppid(), signals[i]);
		CHECK_EQ(next_signal(fd, 5000), signals[i]);
	}
	/* at once after the first signal: taken as the same request, told once */
	kill(getppid(), SIGTERM);
	kill(getppid(), SIGINT);
	kill(getppid(), SIGHUP);
	CHECK_EQ(next_signal(fd, 5000), SIGHUP);
	pool_stop(brood);
	CHECK_EQ(loud, 0);
}
Test(stop, signals_are_passed_on) { case_run(passed_on, 20000); }

static void second_forces(pid_t supervisor)
{
	CHECK(WAIT_UNTIL(*(volatile int *)case_shared() == 1, 20000));
	kill(supervisor, SIGTERM);
	CHECK(WAIT_UNTIL(*(volatile int *)case_shared() == 2, 20000));
	/* until a signal comes a second after the first */
	for (int i = 0; i < 100 && proc_alive(supervisor); i++) {
		kill(supervisor, SIGTERM);
		proc_wait_gone(supervisor, 50);
	}
}
static void deaf_engine(void)
{
	int fd = engine_signals();

	struct brood_options options = { .workers = 2, .engine_stop_ms = 60000, .log = counting };

	brood = pool_start(&options);
	case_done();
	*(volatile int *)case_shared() = 1;
	CHECK_EQ(next_signal(fd, 20000), SIGTERM);
	*(volatile int *)case_shared() = 2;
	for (;;)
		pause();
}
Test(stop, second_signal_forces) { is_killed(deaf_engine, second_forces); }

static void one_term(pid_t supervisor)
{
	CHECK(WAIT_UNTIL(*(volatile int *)case_shared() == 1, 20000));
	kill(supervisor, SIGTERM);
}
static void deaf_engine_bounded(void)
{
	engine_signals();
	start(2);
	case_done();
	*(volatile int *)case_shared() = 1;
	for (;;)
		pause();
}
Test(stop, engine_stop_is_bounded) { is_killed(deaf_engine_bounded, one_term); }

/*
 * A service manager signals all processes, a terminal the whole group: the pool stops once and
 * cleanly, no line tells of crashed workers, and running jobs finish.
 */
static void everybody(void)
{
	struct brood_handle *h;
	struct brood_verdict v;
	pid_t all[64];
	int fd = engine_signals(), job_fd, n;

	start(3);
	CHECK_EQ(brood_open(brood, finishes_soon, NULL, &job_fd, &h), 0);
	CHECK(WAIT_UNTIL(pool_stats(brood).busy == 1, 5000));
	n = proc_descendants(getppid(), all, 64);
	for (int sig = 0; sig < 3; sig++) {
		for (int i = 0; i < n; i++)
			kill(all[i], (const int[]){ SIGTERM, SIGINT, SIGHUP }[sig]);
		kill(getppid(), (const int[]){ SIGTERM, SIGINT, SIGHUP }[sig]);
	}
	CHECK_NE(next_signal(fd, 5000), 0);
	CHECK_EQ(write(job_fd, "x", 1), 1);
	CHECK_EQ(brood_wait(h, 10000, &v), 0);
	CHECK_EQ(v.outcome, BROOD_DONE);
	brood_release(h);
	CHECK_EQ(pool_stats(brood).died, 0);
	pool_stop(brood);
	CHECK_EQ(loud, 0);
}
Test(stop, a_signal_to_all_is_one_clean_stop) { case_run(everybody, 20000); }

/* ---- stopped and continued: no deadline beats an answer that lies in the socket ---- */

static int nap(struct brood_job *job)
{
	struct pollfd none = { .fd = -1 };

	(void)job;
	poll(&none, 1, 30);
	return 0;
}
static void suspended(void)
{
	struct brood_job_options job = { .size = sizeof job, .run_ms = 200 };
	struct brood_handle *h[2];
	struct brood_verdict v;
	struct pollfd none = { .fd = -1 };
	int fds[2];

	start(2);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(brood_open(brood, nap, &job, &fds[i], &h[i]), 0);
	CHECK(WAIT_UNTIL(pool_stats(brood).busy == 2, 5000));
	kill(getppid(), SIGSTOP);
	poll(&none, 1, 600); /* past every deadline, on purpose */
	kill(getppid(), SIGCONT);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(brood_wait(h[i], 10000, &v), 0);
		CHECK_EQ(v.outcome, BROOD_DONE);
		brood_release(h[i]);
	}
	pool_stop(brood);
}
Test(stop, stopped_and_continued) { case_run(suspended, 20000); }

/* ---- PID 1 ---- */

static void pid_1_engine(void)
{
	struct brood_options options = { .size = sizeof options, .workers = 2, .log = counting };
	pid_t child;

	CHECK_EQ(mount("proc", "/proc", "proc", 0, NULL), 0);
	CHECK_EQ(brood_start(&options, &brood), 0);
	CHECK_EQ(getppid(), 1);
	CHECK_EQ(brood_wait_ready(brood, 10000), 0);
	/* an orphan of the engine: PID 1 must reap it */
	child = fork();
	if (child == 0) {
		if (fork() == 0)
			_exit(0);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	raise(SIGKILL);
}
static void pid_1(void)
{
	int status;
	pid_t first;

	CHECK_EQ(unshare(CLONE_NEWPID | CLONE_NEWNS), 0);
	CHECK_EQ(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	first = fork();
	if (first == 0)
		pid_1_engine();
	CHECK_EQ(waitpid(first, &status, 0), first);
	/* PID 1 cannot die of a signal that it sends to itself */
	CHECK_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 128 + SIGKILL);
}
Test(stop, as_pid_1)
{
	if (getuid() != 0)
		cr_skip_test("a PID namespace needs root");
	case_run(pid_1, 30000);
}
