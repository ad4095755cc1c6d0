/* SPDX-License-Identifier: MIT */
/*
 * odd.c - programs in odd states: signals that the caller's caller left strangely, an engine that
 * changes its uid, options at their edges, a log callback that gives jobs, a caller that waits for
 * a second worker while it holds the first.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(odd, .timeout = 240);

#define NOBODY 65534

static struct brood *brood;

/* ---- SIGCHLD inherited as ignored ---- */

static int exits_with_3(struct brood_job *job)
{
	(void)job;
	exit(3);
}
static int reaps_a_child(struct brood_job *job)
{
	int status;
	pid_t pid = fork();

	(void)job;
	if (pid == 0)
		_exit(5);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static void deaths_with(const struct brood_options *options)
{
	struct brood_verdict v;
	pid_t worker, guard;

	signal(SIGCHLD, SIG_IGN);
	brood = pool_start(options);
	v = POOL_CALL(brood, exits_with_3);
	verdict_is(&v, BROOD_EXITED, BROOD_DETAIL_NONE);
	CHECK_EQ(v.code, 3);
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	CHECK_EQ(proc_workers(proc_supervisor(), &worker, 1), 1);
	kill(worker, SIGKILL);
	CHECK(WAIT_UNTIL(pool_stats(brood).died == 2 && pool_full(brood), 10000));
	CHECK_EQ(proc_state(worker), 0);
	CHECK(WAIT_UNTIL((guard = proc_guard(proc_supervisor())) > 0, 10000));
	kill(guard, SIGKILL);
	CHECK(WAIT_UNTIL(
		pool_stats(brood).guard_deaths == 1 && proc_guard(proc_supervisor()) > 0, 10000));
	pool_stop(brood);
	case_done();
	_exit(17); /* and the supervisor must know that it was 17 */
}

static void child_ignored(void)
{
	struct brood_options options = { .workers = 1, .log = note_log };

	deaths_with(&options);
}
static void child_ignored_by_fork(void)
{
	struct brood_options options = { .workers = 1, .spawn = BROOD_SPAWN_FORK, .log = note_log };

	deaths_with(&options);
}
static void child_ignored_and_kept(void)
{
	static const int keep[] = { SIGCHLD };
	struct brood_options options = {
		.workers = 1, .keep_signals = keep, .keep_signals_count = 1, .log = note_log
	};

	deaths_with(&options);
}
static void child_ignored_kept_by_fork(void)
{
	static const int keep[] = { SIGCHLD };
	struct brood_options options = { .workers = 1,
		.keep_signals = keep,
		.keep_signals_count = 1,
		.spawn = BROOD_SPAWN_FORK,
		.log = note_log };

	deaths_with(&options);
}
Test(odd, sigchld_ignored) { cr_assert_eq(WEXITSTATUS(case_status(child_ignored, 20000)), 17); }
Test(odd, sigchld_ignored_by_fork)
{
	cr_assert_eq(WEXITSTATUS(case_status(child_ignored_by_fork, 20000)), 17);
}
Test(odd, sigchld_ignored_and_kept)
{
	cr_assert_eq(WEXITSTATUS(case_status(child_ignored_and_kept, 20000)), 17);
}
Test(odd, sigchld_ignored_and_kept_by_fork)
{
	cr_assert_eq(WEXITSTATUS(case_status(child_ignored_kept_by_fork, 20000)), 17);
}

static void jobs_have_children(void)
{
	struct brood_options options = { .workers = 1, .log = note_log };

	signal(SIGCHLD, SIG_IGN);
	brood = pool_start(&options);
	CHECK_EQ(POOL_CALL(brood, reaps_a_child).code, 5); /* default in workers */
	pool_stop(brood);
}
Test(odd, sigchld_is_default_in_workers) { case_run(jobs_have_children, 20000); }

/*
 * Every signal ignored or blocked by whoever started us: the supervisor works all the same, and
 * workers begin with none of it.
 */
static int mask_and_handlers(struct brood_job *job)
{
	struct sigaction action;
	sigset_t mask;

	(void)job;
	if (sigprocmask(SIG_SETMASK, NULL, &mask) < 0)
		return 1;
	for (int sig = 1; sig < 32; sig++)
		if (sigismember(&mask, sig) ||
			(sig != SIGKILL && sig != SIGSTOP && sigaction(sig, NULL, &action) == 0 &&
				action.sa_handler == SIG_IGN))
			return 100 + sig;
	return 0;
}

static void all_blocked(void)
{
	struct brood_options options = { .workers = 2, .log = note_log };
	struct brood_job_options short_time = { .run_ms = 50, .grace_ms = 20 },
				 soft = { .run_ms = 50, .grace_ms = 60000 };
	struct brood_verdict v;
	sigset_t all;

	for (int sig = 1; sig < 32; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			signal(sig, SIG_IGN);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	brood = pool_start(&options);
	CHECK_EQ(POOL_CALL(brood, mask_and_handlers).code, 0);
	v = pool_call_with(brood, job_until_cancelled, &soft);
	CHECK_EQ(v.code, 42); /* the soft step comes through */
	v = pool_call_with(brood, job_sleep_forever, &short_time);
	verdict_is(&v, BROOD_TIMED_OUT, BROOD_DETAIL_NONE);
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	pool_stop(brood);
}
Test(odd, all_signals_ignored_and_blocked) { case_run(all_blocked, 20000); }

/* ---- an engine that changes its uid ---- */

static void drop(void)
{
	CHECK_EQ(setgroups(0, NULL), 0);
	CHECK_EQ(setresgid(NOBODY, NOBODY, NOBODY), 0);
	CHECK_EQ(setresuid(NOBODY, NOBODY, NOBODY), 0);
}

static atomic_int *shared_pid(void) { return case_shared(); }

static void drops_and_rearms(void)
{
	struct brood_options options = { .workers = 2, .log = note_log };
	int sig = 0;

	brood = pool_start(&options);
	drop();
	CHECK_EQ(prctl(PR_GET_PDEATHSIG, &sig), 0);
	CHECK_EQ(sig, 0); /* the kernel's rule */
	CHECK_EQ(brood_rearm(), 0);
	CHECK_EQ(prctl(PR_GET_PDEATHSIG, &sig), 0);
	CHECK_EQ(sig, SIGKILL);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	case_done();
	atomic_store(shared_pid(), getppid());
	for (;;)
		pause();
}
static void drops_and_forgets(void)
{
	struct brood_options options = { .workers = 2, .log = note_log };

	brood = pool_start(&options);
	drop();
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	case_done();
	atomic_store(shared_pid(), getppid());
	for (;;)
		pause();
}
static void kill_supervisor(pid_t case_pid)
{
	(void)case_pid;
	CHECK(WAIT_UNTIL(atomic_load(shared_pid()) != 0, 20000));
	kill(atomic_load(shared_pid()), SIGKILL);
}
Test(odd, engine_that_drops_its_rights)
{
	struct case_options rearms = { .body = drops_and_rearms,
		.timeout_ms = 20000,
		.settle_ms = 1000,
		.outside = kill_supervisor };
	struct case_options forgets = { .body = drops_and_forgets,
		.timeout_ms = 20000,
		.settle_ms = 1000,
		.outside = kill_supervisor };

	if (getuid() != 0)
		cr_skip_test("needs root");
	case_orphaned(&rearms);
	case_orphaned(&forgets); /* the guard sees to it */
}

/* ---- nested use: a caller that holds one worker waits for a second ---- */

static void nested(void)
{
	struct brood_job_options soon = { .size = sizeof soon, .queue_ms = 100 };
	struct brood_options options = { .workers = 2, .log = note_log };
	struct brood_handle *h[2];
	struct brood_verdict v;
	uint64_t until = test_now_ms() + 10000;
	int fds[2];
	char c;

	brood = pool_start(&options);
	CHECK_EQ(brood_open(brood, job_echo, NULL, &fds[0], &h[0]), 0);
	for (int i = 0; i < 5; i++) /* one is left: it goes through */
		CHECK_EQ(brood_call(brood, job_echo, "n", 1, &c, 1, NULL, &v), 1);
	CHECK_EQ(brood_open(brood, job_echo, NULL, &fds[1], &h[1]), 0);
	/* until the lease of this thread is taken back */
	while (brood_call(brood, job_echo, "n", 1, &c, 1, &soon, &v) == 1)
		CHECK(test_now_ms() < until);
	/* none is left: refused in time, no deadlock, and nothing is lost */
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(brood_call(brood, job_echo, "n", 1, &c, 1, &soon, &v), -EAGAIN);
		verdict_is(&v, BROOD_REFUSED, BROOD_DETAIL_QUEUE_TIME);
		CHECK_EQ(v.started, 0);
		CHECK_GE(v.queue_us, 100000);
		CHECK_CONTAINS(brood_error(), "queue_ms");
	}
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(write(fds[i], "y", 1), 1);
		CHECK_EQ(read(fds[i], &c, 1), 1);
		CHECK_EQ(c, 'y');
		close(fds[i]);
		CHECK_EQ(brood_wait(h[i], 10000, &v), 0);
		verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
		brood_release(h[i]);
	}
	CHECK_EQ(brood_call(brood, job_echo, "n", 1, &c, 1, NULL, &v), 1);
	pool_stop(brood);
}
Test(odd, nested_use) { case_run(nested, 20000); }

/* ---- a log callback that gives jobs ---- */

static atomic_int lines, answered;
static void calls_back(void *context, const struct brood_log *log)
{
	struct brood_verdict v;
	char c = 0;

	(void)context;
	if (log->event != BROOD_EVENT_JOB_LOG)
		return;
	atomic_fetch_add(&lines, 1);
	if (brood_call(brood, job_echo, "b", 1, &c, 1, NULL, &v) == 1 && c == 'b')
		atomic_fetch_add(&answered, 1);
	if (brood_dispatch(brood) < 0)
		FAIL("dispatch in the callback: %s", brood_error());
}
static int logs_a_line(struct brood_job *job) { return brood_job_log(job, BROOD_INFO, "a line"); }

static void *logger(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++)
		CHECK_EQ(POOL_CALL(brood, logs_a_line).code, 0);
	return NULL;
}

static void callback_calls(void)
{
	struct brood_options options = { .workers = 2, .log = calls_back };
	pthread_t threads[4];

	brood = pool_start(&options);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, logger, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	CHECK(WAIT_UNTIL(brood_dispatch(brood) >= 0 &&
			atomic_load(&lines) + (int)pool_stats(brood).logs_dropped == 80,
		10000));
	CHECK_EQ(atomic_load(&answered), atomic_load(&lines));
	CHECK_GE(atomic_load(&lines), 20);
	pool_stop(brood);
}
Test(odd, log_callback_that_gives_jobs) { case_run(callback_calls, 30000); }

/* ---- options at their edges ---- */

static int uses_stack(struct brood_job *job)
{
	volatile char space[16384];

	(void)job;
	for (size_t i = 0; i < sizeof space; i += 512)
		space[i] = 1;
	return space[512] - 1;
}

static void small_stack(void)
{
	struct brood_options options = {
		.workers = 1, .stack_size = 65536, .flags = BROOD_NO_CORE, .log = note_log
	};
	struct brood_verdict v;

	brood = pool_start(&options);
	CHECK_EQ(POOL_CALL(brood, uses_stack).outcome, BROOD_DONE);
	v = POOL_CALL(brood, job_overflows);
	verdict_is(&v, BROOD_CRASHED, BROOD_DETAIL_NONE);
	CHECK_EQ(v.signal, SIGSEGV);
	CHECK_EQ(v.core, 0);
	pool_stop(brood);
}
Test(odd, smallest_stack) { case_run(small_stack, 20000); }

static void huge_stack(void)
{
	struct brood_options options = {
		.size = sizeof options, .workers = 1, .stack_size = (size_t)1 << 40, .log = note_log
	};
	int r;

	CHECK_EQ(brood_start(&options, &brood), 0);
	r = brood_wait_ready(brood, (uint32_t)test_scaled(20000));
	/* as the kernel likes: it works, or the pool says that it does not */
	CHECK_MSG(r == 0 || r == -EHOSTDOWN, "%d", r);
	CHECK_EQ(POOL_CALL(brood, uses_stack).outcome, r == 0 ? BROOD_DONE : BROOD_REFUSED);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(odd, largest_stack) { case_run(huge_stack, 60000); }

static void small_memory(void)
{
	struct brood_options options = { .workers = 1, .worker_memory = 1, .log = note_log };

	brood = pool_start(&options);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	pool_stop(brood);
}
Test(odd, smallest_memory) { case_run(small_memory, 20000); }

static void small_times(void)
{
	struct brood_job_options least = { .run_ms = 1, .grace_ms = 1, .queue_ms = 1 },
				 most = { .run_ms = BROOD_FOREVER,
					 .grace_ms = BROOD_FOREVER,
					 .queue_ms = BROOD_FOREVER };
	struct brood_options options = { .workers = 1,
		.backlog = 1,
		.queue_ms = BROOD_FOREVER,
		.run_ms = UINT32_MAX - 1,
		.grace_ms = UINT32_MAX - 1,
		.init_ms = BROOD_FOREVER,
		.core_ms = BROOD_FOREVER,
		.healthy_ms = BROOD_FOREVER,
		.engine_stop_ms = BROOD_FOREVER,
		.cores_per_minute = UINT32_MAX,
		.start_limit = UINT32_MAX,
		.log = note_log };
	struct brood_verdict v;

	brood = pool_start(&options);
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	CHECK_EQ(pool_call_with(brood, job_nothing, &most).outcome, BROOD_DONE);
	v = pool_call_with(brood, job_sleep_forever, &least);
	CHECK(v.outcome == BROOD_TIMED_OUT || v.detail == BROOD_DETAIL_QUEUE_TIME);
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	pool_stop(brood);
}
Test(odd, shortest_and_longest_times) { case_run(small_times, 20000); }
