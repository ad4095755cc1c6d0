/* SPDX-License-Identifier: MIT */
/*
 * case.h - a case: code that starts a Brood, in processes of its own, under the eyes of a Criterion
 * test.
 *
 * 	// Runs in a forked child with one thread. brood_start() makes the child the supervisor, and
 * 	// the rest of the body runs in the engine.
 * 	static void echo(void)
 * 	{
 * 		struct brood *brood = start(4);
 * 		...
 * 		CHECK_EQ(brood_stop(brood), 0);
 * 	}
 * 	Test(calls, echo, .timeout = 60) { case_run(echo, 10000); }
 *
 * Why: Criterion's tests have two threads, and a process other than Criterion's own that asserts or
 * returns from a test hangs its runner. So the test makes itself a subreaper, forks the case (own
 * process group, PDEATHSIG, fds 0-2 only, signals at their defaults), waits with a bound, and
 * judges. Whatever the case started is a descendant of the test, and orphans come to it: when
 * waitpid() says ECHILD nothing is left, wherever it had hidden.
 *
 * Inside: CHECK() (report.h), never cr_assert(). Outside, in the test's own process, both work.
 */
#ifndef BROOD_TESTS_CASE_H
#define BROOD_TESTS_CASE_H

#include "proc.h"
#include "report.h"

#include <stdbool.h>
#include <sys/types.h>

struct case_options {
	void (*body)(void); /* either body or body_with */
	void (*body_with)(void *context);
	void *context;
	int timeout_ms; /* multiplied by BROOD_TEST_SCALE, see proc.h; 0: 20000 */
	/*
	 * after the case's end: how long its other processes may take to end by themselves; 0: 5000
	 */
	int settle_ms;
	/*
	 * Runs in the test's process while the case runs, for what only another process can do,
	 * such as killing the supervisor. A failed CHECK() ends this function and fails the case.
	 */
	void (*outside)(pid_t case_pid);
};

struct case_result {
	bool expired; /* the time was up, and all processes were killed */
	/* of the case's process, as from waitpid(): the supervisor, which ends as the engine did */
	int status;
	unsigned done, failures;
	/* processes that became the test's children as orphans; 0 after an orderly stop */
	int adopted;
	/* processes that had to be killed after the settle time */
	int left;
	/* from the end of the case's process to the end of the last process that it left */
	int end_ms;
	char text[REPORT_TEXT]; /* failures, notes, and the names of processes that were left */
};

/* Runs a case and judges nothing. */
void case_try(const struct case_options *options, struct case_result *ret);

/*
 * Runs a case and fails the test, with the report's text, unless all is well: case_done() was
 * called once, no check failed, exit status 0, in time, no orphan, no process left.
 */
void case_run(void (*body)(void), int timeout_ms);
void case_run_with(void (*body)(void *context), void *context, int timeout_ms);
/* As case_run(), but does not judge the exit status and returns it. */
int case_status(void (*body)(void), int timeout_ms);
/*
 * As case_status(), for cases whose supervisor is killed: orphans are allowed, because the kernel
 * and the guard end them. Processes that are left are not.
 */
int case_orphaned(const struct case_options *options);

/*
 * Executes a program that was built beside the tests, as the rest of the case: argv[0] is its path.
 * The program calls report_attach(). Call this inside a body.
 */
void case_exec(const char *const argv[]) __attribute__((noreturn));

#endif
