/* SPDX-License-Identifier: MIT */
/*
 * lifetime.c - law 3: nothing outlives the supervisor. Supervisor, engine and guard are killed with
 * SIGKILL at moments from the very start to the stop, while jobs have children of every kind.
 *
 * The test's own process judges: a subreaper outside of the case. case_orphaned() fails when
 * anything is left after the settle time.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

TestSuite(lifetime, .timeout = 300);

extern char **environ;
static struct brood *brood;

struct shared_words {
	atomic_int supervisor, engine, ready;
};
static struct shared_words *words(void) { return case_shared(); }

/* ---- what jobs start ---- */

enum { BY_FORK, BY_SPAWN, BY_SHELL_BACKGROUND, BY_TIMEOUT, IGNORES_TERM, STOPPED, KINDS };

static pid_t spawn_it(char *const argv[])
{
	pid_t pid = -1;

	return posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) == 0 ? pid : -1;
}

static void make_child(int kind)
{
	static char sleep_[] = "sleep", timeout_[] = "timeout", long_[] = "99";
	char *const sleeper[] = { sleep_, long_, NULL },
		    *const timeouter[] = { timeout_, long_, sleep_, long_, NULL };
	pid_t pid;

	switch (kind) {
	case BY_SPAWN: spawn_it(sleeper); return;
	case BY_SHELL_BACKGROUND:
		if (system("sleep 99 &") < 0)
			_exit(1);
		return;
	case BY_TIMEOUT: spawn_it(timeouter); return;
	default: break;
	}
	pid = fork();
	if (pid != 0) {
		if (kind == STOPPED)
			kill(pid, SIGSTOP);
		return;
	}
	if (kind == IGNORES_TERM)
		signal(SIGTERM, SIG_IGN);
	for (;;)
		pause();
}

static int __attribute__((noreturn)) with_child(struct brood_job *job)
{
	make_child(*(const int *)brood_job_arg(job, NULL));
	atomic_fetch_add(&words()->ready, 1);
	for (;;)
		pause();
}

static void family(void)
{
	struct brood_options options = { .workers = KINDS + 1, .log = note_log };

	brood = pool_start(&options);
	for (int kind = 0; kind < KINDS; kind++) {
		struct brood_job_options job = {
			.size = sizeof job, .arg = &kind, .arg_size = sizeof kind
		};
		int fd;

		CHECK_EQ(brood_open(brood, with_child, &job, &fd, NULL), 0);
	}
	CHECK(WAIT_UNTIL(atomic_load(&words()->ready) == KINDS, 20000));
	case_done();
	atomic_store(&words()->engine, getpid());
	atomic_store(&words()->supervisor, getppid());
	for (;;)
		pause();
}

static void kill_supervisor(pid_t case_pid)
{
	(void)case_pid;
	CHECK(WAIT_UNTIL(atomic_load(&words()->supervisor) != 0, 30000));
	kill(atomic_load(&words()->supervisor), SIGKILL);
}
static void kill_engine(pid_t case_pid)
{
	(void)case_pid;
	CHECK(WAIT_UNTIL(atomic_load(&words()->supervisor) != 0, 30000));
	kill(atomic_load(&words()->engine), SIGKILL);
}

Test(lifetime, supervisor_killed_while_jobs_hold_children)
{
	for (int i = 0; i < 5; i++) {
		struct case_options options = { .body = family,
			.timeout_ms = 40000,
			.settle_ms = 1000,
			.outside = kill_supervisor };
		int status = case_orphaned(&options);

		cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
}

Test(lifetime, engine_killed_while_jobs_hold_children)
{
	for (int i = 0; i < 5; i++) {
		struct case_options options = { .body = family,
			.timeout_ms = 40000,
			.settle_ms = 1000,
			.outside = kill_engine };
		int status = case_orphaned(&options);

		/* it ends as the engine did */
		cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %x",
			(unsigned)status);
	}
}

/* ---- at any moment ---- */

static void busy_life(void)
{
	struct brood_options options = { .size = sizeof options, .workers = 4, .log = note_log };

	if (brood_start(&options, &brood) < 0)
		return;
	for (int i = 0; i < 200; i++)
		POOL_CALL(brood, job_nothing);
	brood_stop(brood);
}

static long delay_us;

static void after_a_while(pid_t case_pid)
{
	struct timespec delay = { .tv_nsec = delay_us * 1000L };

	/* the moment is what is under test: any will do */
	nanosleep(&delay, NULL);
	kill(case_pid, SIGKILL);
}

Test(lifetime, supervisor_killed_at_any_moment)
{
	unsigned seed = 5;

	for (int i = 0; i < 60; i++) {
		struct case_options options = { .body = busy_life,
			.timeout_ms = 20000,
			.settle_ms = 1000,
			.outside = after_a_while };

		struct case_result result;

		delay_us = (long)((unsigned)rand_r(&seed) % 40000);
		case_try(&options, &result);
		cr_assert(!result.expired && result.left == 0 && result.failures == 0,
			"round %d, %ld us: %d left; %s", i, delay_us, result.left, result.text);
	}
}

/* ---- the guard ---- */

static void guard_replaced(void)
{
	struct brood_options options = { .workers = 2, .log = note_log };
	pid_t supervisor, guard;

	brood = pool_start(&options);
	supervisor = proc_supervisor();
	for (int i = 0; i < 3; i++) {
		CHECK(WAIT_UNTIL((guard = proc_guard(supervisor)) > 0, 5000));
		kill(guard, SIGKILL);
		CHECK(WAIT_UNTIL(
			proc_guard(supervisor) > 0 && proc_guard(supervisor) != guard, 5000));
	}
	CHECK(WAIT_UNTIL(pool_stats(brood).guard_deaths == 3, 10000));
	POOL_CALL(brood, job_nothing);
	pool_stop(brood);
}
Test(lifetime, guard_is_replaced) { case_run(guard_replaced, 30000); }

/* ---- what a dead worker's job had started, while the supervisor lives; in its own session, too */

static int daemonizes(struct brood_job *job)
{
	pid_t pid = fork();

	if (pid == 0) {
		setsid();
		if (fork() > 0)
			_exit(0);
		for (;;)
			pause();
	}
	waitpid(pid, NULL, 0);
	(void)job;
	abort();
}

static void escapees(void)
{
	struct brood_options options = { .workers = 2, .flags = BROOD_NO_CORE, .log = note_log };
	struct brood_verdict v;

	brood = pool_start(&options);
	v = POOL_CALL(brood, daemonizes);
	CHECK_EQ(v.outcome, BROOD_CRASHED);
	CHECK(WAIT_UNTIL(pool_stats(brood).strays_killed == 1, 10000));
	pool_stop(brood);
}
Test(lifetime, escapees_are_swept) { case_run(escapees, 30000); }

/* The engine's own children are its own affair, also when they become orphans. */
static void engines_orphan(void)
{
	pid_t pid, *orphan = case_shared();

	brood = pool_start_workers(2);
	pid = fork();
	if (pid == 0) {
		pid_t grandchild = fork();

		if (grandchild == 0) {
			for (;;)
				pause();
		}
		*orphan = grandchild;
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	CHECK_EQ(proc_parent(*orphan), proc_supervisor());
	POOL_CALL(brood, job_nothing);
	for (int i = 0; i < 2; i++) {
		pid_t worker = pool_ask_pid(brood);

		kill(worker, SIGKILL);
		CHECK(WAIT_UNTIL(
			pool_stats(brood).died == (uint64_t)i + 1 && pool_full(brood), 10000));
	}
	CHECK(proc_alive(*orphan));
	kill(*orphan, SIGKILL);
	CHECK(WAIT_UNTIL(proc_state(*orphan) == 0, 5000)); /* and the supervisor reaps it */
	pool_stop(brood);
}
Test(lifetime, engines_orphans_are_left_alone) { case_run(engines_orphan, 30000); }
