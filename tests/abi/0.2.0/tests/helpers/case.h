/*
 * case.h - a case: code that starts a Brood, in processes of its own, under the eyes of a Criterion test.
 *
 *	static void echo(void)                       // runs in a forked child with one thread; brood_start() makes it the supervisor,
 *	{                                            // and the rest of the body runs in the engine
 *		struct brood *brood = start(4);
 *		...
 *		CHECK_EQ(brood_stop(brood), 0);
 *	}
 *	Test(calls, echo, .timeout = 60) { case_run(echo, 10000); }
 *
 * Why: Criterion's tests have two threads, and a process other than Criterion's own that asserts or returns from a test hangs its runner. So the test makes itself a subreaper, forks the case
 * (own process group, PDEATHSIG, fds 0-2 only, signals at their defaults), waits with a bound, and judges. Whatever the case started is a descendant of the test, and orphans come to it: when waitpid() says ECHILD
 * nothing is left, wherever it had hidden.
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
	void (*body)(void);               /* one of the two */
	void (*body_with)(void *context);
	void *context;
	int timeout_ms;                   /* scaled, see proc.h; 0: 20000 */
	int settle_ms;                    /* how long what is left after the case's end may take to end by itself; 0: 5000 */
	/* Runs in the test's process while the case runs: for what must be done from outside (kill the supervisor). CHECK() ends the hook and fails the case. */
	void (*outside)(pid_t case_pid);
};

struct case_result {
	bool expired;                     /* the time was up, and all was killed */
	int status;                       /* the case process's, as from waitpid(): the supervisor's, so the engine's */
	unsigned done, failures;
	int adopted;                      /* processes that came to the test as orphans. 0 after an orderly stop */
	int left;                         /* processes that had to be killed after the settle time */
	int end_ms;                       /* from the case's end to the end of the last of them */
	char text[REPORT_TEXT];           /* failures, notes, and what was left, by name */
};

/* Judges nothing. */
void case_try(const struct case_options *options, struct case_result *ret);

/* All well: done said once, no failure, exit status 0, in time, no orphan, nothing left. Else the test fails and shows the text. */
void case_run(void (*body)(void), int timeout_ms);
void case_run_with(void (*body)(void *context), void *context, int timeout_ms);
/* The same but for the exit status, which it returns. */
int case_status(void (*body)(void), int timeout_ms);
/* For cases whose supervisor is killed: orphans are fine (the kernel and the guard end them), what is left is not. Returns the status. */
int case_orphaned(const struct case_options *options);

/* Runs a program (built beside the tests; a path) as a case of its own: argv[0] is the path. report_attach() in it. Call inside a body. */
void case_exec(const char *const argv[]) __attribute__((noreturn));

#endif
