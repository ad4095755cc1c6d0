/* SPDX-License-Identifier: MIT */
/*
 * strays.c - processes of jobs that are out of their worker's reach: in sessions of their own,
 * hidden from /proc, made with CLONE_PARENT, forking faster than they are killed. None may be left;
 * or the stop says so.
 */
#define _GNU_SOURCE
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(strays, .timeout = 180);

#define NOBODY 65534

static struct brood *brood;
static int left_lines;

static void quiet(void *context, const struct brood_log *log)
{
	(void)context;
	note("log: %s", log->text);
	left_lines += strstr(log->text, "the stop leaves 1 process ") != NULL;
}

static void __attribute__((noreturn)) sleeps(void)
{
	for (;;)
		pause();
}

/* ---- the supervisor is killed ---- */

#define KINDS 3
struct stats_page {
	_Atomic pid_t supervisor, strays[KINDS];
	atomic_int held;
};
static struct stats_page *stats_page(void) { return case_shared(); }

/* A group of its own; a session of its own; the same, twice, and its parents are gone. */
static int starts_strays(struct brood_job *job)
{
	(void)job;
	for (int kind = 0; kind < KINDS; kind++) {
		if (fork() != 0)
			continue;
		if (kind == 0)
			setpgid(0, 0);
		else
			setsid();
		if (kind == 2 && fork() != 0)
			_exit(0);
		if (kind == 2)
			setsid();
		stats_page()->strays[kind] = getpid();
		sleeps();
	}
	while (!stats_page()->strays[0] || !stats_page()->strays[1] || !stats_page()->strays[2])
		usleep(1000);
	if (stats_page()->supervisor == 0)
		stats_page()->supervisor = getppid();
	sleeps();
}

static bool hides;

static void hide(void)
{
	gid_t group = NOBODY;

	CHECK_EQ(unshare(CLONE_NEWNS), 0);
	CHECK_EQ(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	CHECK_EQ(mount("proc", "/proc", "proc", MS_NOSUID, "hidepid=2"), 0);
	CHECK_EQ(setgroups(1, &group), 0);
	CHECK_EQ(setgid(NOBODY), 0);
	CHECK_EQ(setuid(NOBODY), 0);
	CHECK_EQ(prctl(PR_SET_DUMPABLE, 0), 0);
}

static void supervisor_killed(void)
{
	struct brood_options options = { .workers = 2, .log = quiet };
	struct brood_handle *handle;
	int fd;

	if (hides)
		hide();
	brood = pool_start(&options);
	CHECK_EQ(brood_open(brood, starts_strays, NULL, &fd, &handle), 0);
	sleeps();
}

static bool all_gone(void)
{
	for (int kind = 0; kind < KINDS; kind++)
		if (proc_alive(stats_page()->strays[kind]))
			return false;
	return true;
}

static void kills_supervisor(pid_t pid)
{
	(void)pid;
	CHECK(WAIT_UNTIL(stats_page()->supervisor != 0, 10000));
	CHECK_EQ(kill(stats_page()->supervisor, SIGKILL), 0);
	CHECK(WAIT_UNTIL(all_gone(), 10000));
}

static void nothing_outlives(void)
{
	struct case_options options = {
		.body = supervisor_killed, .timeout_ms = 20000, .outside = kills_supervisor
	};
	struct case_result result;

	case_try(&options, &result);
	cr_assert(!result.expired && result.left == 0 && result.failures == 0, "%s", result.text);
}

Test(strays, nothing_outlives_the_supervisor) { nothing_outlives(); }
Test(strays, nor_where_proc_hides_it)
{
	if (geteuid() != 0)
		cr_skip_test("mounting is for root");
	hides = true;
	nothing_outlives();
}

/* ---- children that have another parent ---- */

static int makes_siblings(struct brood_job *job)
{
	(void)job;
	for (int i = 0; i < 5; i++)
		if (syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0) == 0) {
			if (i == 0)
				sleeps();
			_exit(0);
		}
	return 0;
}

static void siblings(void)
{
	static const uint32_t paths[] = { BROOD_PATH_HANDOFF, BROOD_PATH_LEASE };
	struct brood_options options = { .workers = 2, .log = quiet };
	pid_t supervisor = getppid(), pids[64];

	brood = pool_start(&options);
	supervisor = proc_supervisor();
	for (size_t p = 0; p < 2; p++)
		for (int i = 0; i < 3; i++) {
			const struct brood_job_options o = { .size = sizeof o,
				.dispatch = paths[p] };

			CHECK_EQ(pool_call_with(brood, makes_siblings, &o).outcome, BROOD_DONE);
			/* all is quiet again: nothing but that job can say that one is to look */
			if (i == 1)
				CHECK(WAIT_UNTIL(proc_children(supervisor, pids, 64) == 4, 5000));
		}
	/* engine, guard, two workers */
	CHECK(WAIT_UNTIL(proc_children(supervisor, pids, 64) == 4, 5000));
	CHECK_EQ(pool_stats(brood).died, 0);
	CHECK_GE(pool_stats(brood).strays_killed, 6);
	pool_stop(brood);
}
Test(strays, siblings_of_a_worker) { case_run(siblings, 30000); }

/* ---- a fork bomb: in a PID namespace, 60 processes at most ---- */

static int bomb(struct brood_job *job)
{
	(void)job;
	for (;;)
		if (fork() == 0)
			setsid();
	return 0;
}

static int bombed_program(void)
{
	const struct rlimit most = { 60, 60 };
	struct brood_options options = { .size = sizeof options,
		.workers = 3,
		.run_ms = 200,
		.grace_ms = 50,
		.drain_ms = 500,
		.stop_ms = 500,
		.flags = BROOD_NO_CORE };
	struct brood_verdict v;

	if (setrlimit(RLIMIT_NPROC, &most) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0 ||
		brood_start(&options, &brood) < 0)
		return 90;
	brood_wait_ready(brood, 5000);
	brood_call(brood, bomb, "", 0, NULL, 0, NULL, &v);
	return brood_stop(brood) == 0 ? 0 : 91;
}

static int count_alive(void)
{
	DIR *d = opendir("/proc");
	int count = 0;

	for (struct dirent *e; d && (e = readdir(d));)
		count += atoi(e->d_name) > 1 && proc_alive(atoi(e->d_name));
	closedir(d);
	return count;
}

static void __attribute__((noreturn)) namespace_init(void)
{
	int status;
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("proc", "/proc", "proc", 0, NULL) < 0)
		_exit(80);
	pid = fork();
	if (pid == 0)
		_exit(bombed_program());
	while (waitpid(pid, &status, 0) != pid)
		;
	usleep(100000);
	_exit(!WIFEXITED(status) ? 81 : WEXITSTATUS(status) ? WEXITSTATUS(status) : count_alive());
}

static void bombed(void)
{
	pid_t pid;
	int status;

	CHECK_EQ(unshare(CLONE_NEWPID), 0);
	pid = fork();
	if (pid == 0)
		namespace_init();
	if (!proc_wait_gone(pid, 15000))
		kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_MSG(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status 0x%x", status);
}

Test(strays, a_fork_bomb_in_sessions_of_its_own)
{
	if (geteuid() != 0)
		cr_skip_test("a PID namespace is for root");
	for (int i = 0; i < 3; i++)
		case_run(bombed, 30000);
}

/* ---- one that cannot be ended ---- */

static int leaves_a_session(struct brood_job *job)
{
	(void)job;
	if (fork() == 0) {
		setsid();
		stats_page()->strays[0] = getpid();
		sleeps();
	}
	return 0;
}

static void stopped_with_one(void)
{
	struct brood_options options = { .workers = 1,
		.drain_ms = 300,
		.stop_ms = 200,
		.tolerate = BROOD_LEFT_CHILDREN,
		.log = quiet };

	brood = pool_start(&options);
	CHECK_EQ(POOL_CALL(brood, leaves_a_session).outcome, BROOD_DONE);
	CHECK(WAIT_UNTIL(atomic_load(&stats_page()->held), 10000));
	brood_stop(brood);
	CHECK_EQ(left_lines, 1);
	case_done();
	_exit(0);
}

/* It stops on its way out until its tracer lets it go. */
static void holds_it_at_its_end(pid_t supervisor)
{
	pid_t stray;

	CHECK(WAIT_UNTIL(stats_page()->strays[0] != 0, 10000));
	stray = stats_page()->strays[0];
	CHECK_EQ(ptrace(PTRACE_SEIZE, stray, NULL, (void *)(long)PTRACE_O_TRACEEXIT), 0);
	stats_page()->held = 1;
	CHECK(proc_wait_gone(supervisor, 20000));
	CHECK_EQ(waitpid(stray, NULL, __WALL), stray);
	CHECK_EQ(ptrace(PTRACE_CONT, stray, NULL, NULL), 0);
	CHECK_EQ(waitpid(stray, NULL, __WALL), stray);
}

Test(strays, what_cannot_be_ended_is_said)
{
	struct case_options options = {
		.body = stopped_with_one, .timeout_ms = 30000, .outside = holds_it_at_its_end
	};
	struct case_result result;

	case_try(&options, &result);
	cr_assert(!result.expired && result.left == 0 && result.done == 1 && result.failures == 0,
		"%s", result.text);
}
