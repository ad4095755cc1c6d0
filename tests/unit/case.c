/* SPDX-License-Identifier: MIT */
/* case.c - the harness can fail: it notices what tests/helpers/case.h promises to notice. */
#include "case.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(case_harness, .timeout = 60);

static struct case_result result;

static void try(void (*body)(void))
{
	struct case_options options = { .body = body, .timeout_ms = 5000, .settle_ms = 50 };

	case_try(&options, &result);
}

static void clean(void)
{
	CHECK_EQ(proc_own_fds(), 3);
	CHECK_EQ(proc_threads(getpid()), 1);
	CHECK_EQ(proc_group(getpid()), getpid());
}
Test(case_harness, clean) { case_run(clean, 5000); }

static void exits_with_5(void)
{
	case_done();
	exit(5);
}
Test(case_harness, status) { cr_assert_eq(case_status(exits_with_5, 5000), 5 << 8); }

static void fails(void) { CHECK_EQ(1, 2); }
Test(case_harness, failure)
{
	try(fails);
	cr_assert_eq(result.failures, 1);
	cr_assert_eq(result.done, 0);
	cr_assert(strstr(result.text, "1 == 2: 1, 2"), "%s", result.text);
	cr_assert_eq(result.status, 99 << 8);
}

static void child_fails(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		FAIL("said by a %s", "child");
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 99 << 8);
}
Test(case_harness, failure_in_a_child)
{
	try(child_fails);
	cr_assert_eq(result.failures, 1);
	cr_assert_eq(result.done, 1);
	cr_assert(strstr(result.text, "said by a child"));
}

static void hangs(void)
{
	for (;;)
		pause();
}
Test(case_harness, expiry)
{
	struct case_options options = { .body = hangs, .timeout_ms = 20 };

	case_try(&options, &result);
	cr_assert(result.expired);
	cr_assert(strstr(result.text, "the time was up"));
}

static void ends_early(void) { _exit(0); }
static void says_it_twice(void) { case_done(); }
Test(case_harness, last_word)
{
	try(ends_early);
	cr_assert_eq(result.done, 0);
	try(says_it_twice);
	cr_assert_eq(result.done, 2);
}

static void leaves_a_daemon(void)
{
	if (fork() != 0)
		return;
	setsid();
	hangs();
}
Test(case_harness, what_is_left)
{
	try(leaves_a_daemon);
	cr_assert_eq(result.left, 1);
	cr_assert_eq(result.adopted, 1);
	cr_assert(strstr(result.text, "left: pid"), "%s", result.text);
}

/* It ended before its parent, which did not reap it. */
static void leaves_a_zombie(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	CHECK(WAIT_UNTIL(proc_state(pid) == 'Z', 5000));
}
Test(case_harness, zombies)
{
	try(leaves_a_zombie);
	cr_assert_eq(result.left, 0);
	cr_assert_eq(result.adopted, 1);
}

static void has_a_child(void)
{
	case_done();
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		atomic_store((_Atomic int *)case_shared(), 1);
		hangs();
	}
	hangs();
}
static void kills_it(pid_t pid)
{
	CHECK(WAIT_UNTIL(atomic_load((_Atomic int *)case_shared()) == 1, 5000));
	kill(pid, SIGKILL);
}
static void finds_fault(pid_t pid) { CHECK_EQ(pid, 0); }
Test(case_harness, from_outside)
{
	struct case_options options = {
		.body = has_a_child, .timeout_ms = 5000, .outside = kills_it
	};

	cr_assert_eq(case_orphaned(&options), SIGKILL);
	options.timeout_ms = 50;
	options.outside = finds_fault;
	case_try(&options, &result);
	cr_assert_eq(result.failures, 1);
}

static void execs(void)
{
	static const char *const argv[] = { "/bin/sh", "-c", "exit 7", NULL };

	case_done();
	case_exec(argv);
}
Test(case_harness, exec) { cr_assert_eq(case_status(execs, 5000), 7 << 8); }
