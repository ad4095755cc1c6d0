/* SPDX-License-Identifier: MIT */
/* blame.c - log lines and verdicts say the truth about who ended, of what, and because of whom. */
#include "../helpers/pool.h"
#include "../../src/os/proc.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(blame, .timeout = 180);

/* ---- the engine's end ---- */

struct end {
	int status;
	char lines[8192];
};

/* Runs a program, and collects what its processes write to stderr until all have ended. */
static struct end run_apart(void (*program)(void))
{
	static struct end end;
	struct pollfd p = { .events = POLLIN };
	size_t used = 0;
	int pair[2];
	ssize_t n;
	pid_t pid;

	CHECK_EQ(pipe(pair), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(pair[1], 2);
		close(pair[0]);
		close(pair[1]);
		program();
		_exit(0);
	}
	close(pair[1]);
	p.fd = pair[0];
	while (used < sizeof end.lines - 1) {
		CHECK_EQ(poll(&p, 1, test_scaled(20000)), 1);
		n = read(pair[0], end.lines + used, sizeof end.lines - 1 - used);
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	end.lines[used] = '\0';
	close(pair[0]);
	CHECK_EQ(waitpid(pid, &end.status, 0), pid);
	note("%s", end.lines);
	return end;
}

static void ignore_line(void *context, const struct brood_log *log)
{
	(void)context;
	(void)log;
}

static struct brood *begin(void)
{
	const struct rlimit none = { 0, 0 };
	struct brood_options options = {
		.size = sizeof options, .workers = 1, .drain_ms = 200, .stop_ms = 500
	};
	struct brood *brood;

	setrlimit(RLIMIT_CORE, &none);
	CHECK_EQ(brood_start(&options, &brood), 0);
	CHECK_EQ(brood_wait_ready(brood, POOL_READY_MS), 0);
	return brood;
}

static void is_killed(void)
{
	begin();
	kill(getpid(), SIGKILL);
}
static void crashes(void)
{
	begin();
	raise(SIGSEGV);
}
static void is_terminated(void)
{
	begin();
	raise(SIGTERM);
}
static void is_killed_with_callback(void)
{
	struct brood_options options = { .size = sizeof options, .workers = 1, .log = ignore_line };
	struct brood *brood;

	CHECK_EQ(brood_start(&options, &brood), 0);
	kill(getpid(), SIGKILL);
}
static void exits_3(void)
{
	begin();
	_exit(3);
}
static void exits_3_in_order(void)
{
	begin();
	exit(3);
}
static void exits_0_in_order(void)
{
	begin();
	exit(0);
}
static void exits_0(void)
{
	begin();
	_exit(0);
}
static void stops_and_exits_3(void)
{
	CHECK_EQ(brood_stop(begin()), 0);
	_exit(3);
}
static void is_asked(void)
{
	begin();
	kill(getppid(), SIGTERM);
	pause();
}

static const struct {
	void (*program)(void);
	int status;
	const char *line; /* NULL: silence */
} ends[] = {
	{ is_killed, SIGKILL, ") ended by SIGKILL" },
	{ crashes, SIGSEGV, ") ended by SIGSEGV" },
	{ is_terminated, SIGTERM, ") ended by SIGTERM" },
	{ is_killed_with_callback, SIGKILL, ") ended by SIGKILL" },
	{ exits_3, 3 << 8, ") ended with exit code 3" },
	{ exits_3_in_order, 3 << 8, ") ended with exit code 3" },
	{ exits_0, 0, NULL },
	{ exits_0_in_order, 0, NULL },
	{ stops_and_exits_3, 3 << 8, NULL },
	{ is_asked, SIGTERM, NULL },
};

static void engine_ends(void)
{
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		struct end end = run_apart(ends[i].program);

		CHECK_MSG(end.status == ends[i].status, "program %zu ended with status 0x%x", i,
			(unsigned)end.status);
		if (ends[i].line) {
			CHECK_CONTAINS(end.lines, "the engine (pid ");
			CHECK_CONTAINS(end.lines, ends[i].line);
		} else {
			CHECK_STR(end.lines, "");
		}
	}
}
Test(blame, engines_end_has_a_line) { case_run(engine_ends, 60000); }

/* A child from before the start is no fork of the engine's. */
static void exits_0_with_an_older_child(void)
{
	uint64_t ticks;

	if (fork() == 0) {
		close(2);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	ticks = proc_boot_ticks();
	CHECK(WAIT_UNTIL(proc_boot_ticks() > ticks, 5000));
	begin();
	_exit(0);
}
static void older_child(void) { CHECK_STR(run_apart(exits_0_with_an_older_child).lines, ""); }
Test(blame, engine_with_an_older_child)
{
	struct case_options options = { .body = older_child, .timeout_ms = 20000 };

	cr_assert_eq(case_orphaned(&options), 0);
}

static void execs(void)
{
	begin();
	execl("/bin/sleep", "sleep", "3", (char *)NULL);
}

/*
 * The engine's jobs can no longer be had, and the pool stops: the log has a line about that, too.
 */
static void engine_cuts_itself_off(void)
{
	CHECK_CONTAINS(run_apart(execs).lines,
		"has closed its channel to the supervisor, or runs another program");
}
Test(blame, engine_without_channel) { case_run(engine_cuts_itself_off, 60000); }

/* ---- workers' ends ---- */

static struct {
	char lines[8192];
	uint64_t job;
	unsigned died;
} seen;

static void see(void *context, const struct brood_log *log)
{
	size_t used = strlen(seen.lines);

	(void)context;
	note("log: %s", log->text);
	snprintf(seen.lines + used, sizeof seen.lines - used, "%s\n", log->text);
	if (log->event == BROOD_EVENT_WORKER_DIED) {
		seen.job = log->job;
		seen.died++;
	}
}

static int crashes_here(struct brood_job *job)
{
	(void)job;
	raise(SIGSEGV);
	return 0;
}
static int exits_72(struct brood_job *job)
{
	(void)job;
	_exit(72);
}
static int closes_all(struct brood_job *job)
{
	(void)job;
	for (int fd = 3; fd < 100; fd++)
		close(fd);
	return 0;
}
static int opens_one(struct brood_job *job)
{
	(void)job;
	return dup(1) < 0;
}

static const enum brood_path paths[] = { BROOD_PATH_HANDOFF, BROOD_PATH_LEASE };

static struct brood *begin_seen(void)
{
	struct brood_options options = {
		.size = sizeof options, .workers = 1, .flags = BROOD_NO_CORE, .log = see
	};

	return pool_start(&options);
}

static struct brood_verdict run(
	struct brood *brood, brood_fn *fn, const char *name, enum brood_path path)
{
	struct brood_job_options options = { .size = sizeof options, .dispatch = path };
	struct brood_verdict v;

	memset(&seen, 0, sizeof seen);
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	brood_call_named(brood, fn, name, "", 0, NULL, 0, &options, &v);
	return v;
}

static bool line_has(struct brood *brood, const char *part)
{
	return WAIT_UNTIL((brood_dispatch(brood), strstr(seen.lines, part) != NULL), 10000);
}

/* The function and the job are named on both paths. */
static void deaths(void)
{
	struct brood *brood = begin_seen();

	for (size_t i = 0; i < 2; i++) {
		struct brood_verdict v = run(brood, crashes_here, "crashes_here", paths[i]);
		char part[128];

		CHECK_EQ(v.outcome, BROOD_CRASHED);
		snprintf(part, sizeof part, "ended by SIGSEGV in crashes_here, job %llu",
			(unsigned long long)v.id);
		CHECK_MSG(line_has(brood, part), "%s: %s", part, seen.lines);
		CHECK_EQ(seen.job, v.id);
		v = run(brood, exits_72, "exits_72", paths[i]);
		CHECK_EQ(v.outcome, BROOD_EXITED); /* its own: it is said */
		CHECK_EQ(v.code, 72);
		CHECK(line_has(brood, "exit code 72 in exits_72"));
	}
	pool_stop(brood);
}
Test(blame, deaths_name_function_and_job) { case_run(deaths, 40000); }

/*
 * When the library ends a process for its own reasons, the log says so in words, and not by an exit
 * code.
 */
static void own_codes(void)
{
	struct brood *brood = begin_seen();

	for (size_t i = 0; i < 2; i++) {
		struct brood_verdict v = run(brood, closes_all, "closes_all", paths[i]);

		CHECK_NE(v.code, 72);
		CHECK_MSG(
			line_has(brood, "a job closed or replaced descriptors of the library's") ||
				strstr(seen.lines, "channel"),
			"%s", seen.lines);
		CHECK_MSG(!strstr(seen.lines, "exit code"), "%s", seen.lines);
	}
	pool_stop(brood);
}
Test(blame, own_exit_codes_are_not_shown) { case_run(own_codes, 60000); }

static void replaced(void)
{
	struct brood *brood = begin_seen();

	for (size_t i = 0; i < 2; i++) {
		run(brood, opens_one, "opens_one", paths[i]);
		CHECK_MSG(line_has(brood, "a job left behind: open files"), "%s", seen.lines);
		if (paths[i] == BROOD_PATH_HANDOFF)
			CHECK_CONTAINS(seen.lines, "is replaced after opens_one, job ");
	}
	pool_stop(brood);
}
Test(blame, replaced_for_the_true_reason) { case_run(replaced, 40000); }

static int init_fails(void *context)
{
	(void)context;
	return 3;
}
static void births(void)
{
	struct brood_options options = {
		.size = sizeof options, .workers = 1, .worker_init = init_fails, .log = see
	};
	struct brood *brood;

	CHECK_EQ(brood_start(&options, &brood), 0);
	CHECK_MSG(line_has(brood, "ended itself before it was ready: worker_init did not succeed"),
		"%s", seen.lines);
	CHECK(!strstr(seen.lines, "exit code"));
	brood_stop(brood);
}
Test(blame, births_that_fail) { case_run(births, 40000); }
