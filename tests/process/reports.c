/* SPDX-License-Identifier: MIT */
/*
 * reports.c - death reports: who, why, where the code was, and what it waited for. The planted
 * faults of tests/tools/faults.c prove which function is named; here is the rest.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(reports, .timeout = 180);

#ifdef __clang__
#define GUILTY __attribute__((noinline))
#else
#define GUILTY __attribute__((noinline, noclone))
#endif

static struct brood *brood;
static volatile unsigned sink;
static int *volatile nowhere;
static char last_line[600];
static int lines, slow_lines;

static void keep_line(void *context, const struct brood_log *log)
{
	note_log(context, log);
	slow_lines += log->event == BROOD_EVENT_SLOW_JOB;
	if (log->event != BROOD_EVENT_REPORT)
		return;
	snprintf(last_line, sizeof last_line, "%s", log->text);
	lines++;
}

static void start(uint32_t workers)
{
	struct brood_options options = { .workers = workers, .log = keep_line };

	brood = pool_start(&options);
	lines = 0;
}

static struct brood_report report_of(uint64_t id)
{
	struct brood_report report = { .size = sizeof report };
	int r = brood_report(brood, id, &report);

	CHECK_MSG(r == 0, "job %llu: %d: %s", (unsigned long long)id, r, brood_error());
	return report;
}

static struct brood_verdict call_on(int path, brood_fn *fn, uint32_t run_ms)
{
	struct brood_job_options job = { .dispatch = (uint32_t)path,
		.run_ms = run_ms,
		.grace_ms = (uint32_t)test_scaled(300),
		.tag = "GET /index" };

	return pool_call_with(brood, fn, &job);
}

/* Log lines are read by calls. */
static bool heard(int count)
{
	(void)POOL_CALL(brood, job_nothing);
	return lines == count;
}

/* ---- who, why and where ---- */

static GUILTY void guilty(void) { sink = (unsigned)*nowhere + 1; }
static int crashes(struct brood_job *job)
{
	brood_job_progress(job, "page 7\n", 7);
	guilty();
	return (int)sink;
}
static int exits(struct brood_job *job)
{
	(void)job;
	_exit(33);
}
static int is_killed(struct brood_job *job)
{
	(void)job;
	kill(getpid(), SIGKILL);
	return 1;
}
static int aborts(struct brood_job *job)
{
	(void)job;
	abort();
}

static void what_is_said(void)
{
	start(1);
	for (int path = BROOD_PATH_HANDOFF; path <= BROOD_PATH_LEASE; path++) {
		struct brood_verdict v = call_on(path, crashes, 0);
		struct brood_report r = report_of(v.id);

		CHECK_EQ(v.signal, SIGSEGV);
		CHECK_EQ(r.id, v.id);
		CHECK_EQ(r.cause, BROOD_REPORT_CRASHED);
		CHECK_EQ(r.slot, v.slot);
		CHECK_EQ(r.generation, v.generation);
		CHECK_EQ(r.pid, v.pid);
		CHECK_EQ(r.tid, v.pid);
		CHECK_EQ(r.signal, SIGSEGV);
		CHECK_EQ(r.code, SEGV_MAPERR);
		CHECK_EQ(r.address, 0);
		CHECK_EQ(r.syscall, -1);
		CHECK_EQ(r.exit_code, 0);
		CHECK_GT(r.peak_kb, 0);
		CHECK_STR(r.tag, "GET /index");
		CHECK_STR(r.progress, "page 7\n");
		CHECK_STR(r.waits, "");
		CHECK_STR(r.frames[0].function, "guilty");
		CHECK_STR(r.frames[0].module, "process-reports");
		CHECK_STR(r.frames[1].function, "crashes");
		CHECK_EQ(r.frames_count, 2);
		CHECK(WAIT_UNTIL(heard(path - BROOD_PATH_HANDOFF + 1), 10000));
		CHECK_CONTAINS(last_line, "[GET /index], worker 0 (pid ");
		CHECK_CONTAINS(last_line, "crashed, SIGSEGV (not mapped) at 0x0; in guilty+0x");
		CHECK_CONTAINS(last_line, "(process-reports); progress: page 7?");
	}
	pool_stop(brood);
}
Test(reports, what_is_said) { case_run(what_is_said, 60000); }

static void causes(void)
{
	struct brood_report r;

	start(1);
	for (int path = BROOD_PATH_HANDOFF; path <= BROOD_PATH_LEASE; path++) {
		r = report_of(call_on(path, exits, 0).id);
		CHECK_EQ(r.cause, BROOD_REPORT_EXITED);
		CHECK_EQ(r.exit_code, 33);
		CHECK_EQ(r.frames_count, 0);
		r = report_of(call_on(path, is_killed, 0).id);
		CHECK_EQ(r.cause, BROOD_REPORT_KILLED);
		CHECK_EQ(r.signal, SIGKILL);
		r = report_of(call_on(path, aborts, 0).id);
		CHECK_EQ(r.cause, BROOD_REPORT_CRASHED);
		CHECK_EQ(r.signal, SIGABRT);
		CHECK(r.frames_count >= 2 && strcmp(r.frames[1].function, "aborts") == 0);
		r = report_of(call_on(path, job_sleep_forever, 100).id);
		CHECK_EQ(r.cause, BROOD_REPORT_TIMED_OUT);
		CHECK_NE(r.waits[0], '\0');
	}
	pool_stop(brood);
}
Test(reports, causes) { case_run(causes, 60000); }

static void cancelled(void)
{
	struct brood_job_options options = { .size = sizeof options,
		.grace_ms = (uint32_t)test_scaled(100) };
	struct brood_handle *h;
	struct brood_verdict v;
	int fd;

	start(1);
	CHECK_EQ(brood_open(brood, job_sleep_forever, &options, &fd, &h), 0);
	CHECK(WAIT_UNTIL(pool_stats(brood).busy + pool_stats(brood).leased == 1, 10000));
	CHECK_EQ(brood_cancel(brood, brood_id(h)), 0);
	CHECK_EQ(brood_wait(h, 10000, &v), 0);
	CHECK_EQ(report_of(v.id).cause, BROOD_REPORT_CANCELLED);
	close(fd);
	brood_release(h);
	pool_stop(brood);
}
Test(reports, cancelled) { case_run(cancelled, 60000); }

/* ---- what there is not ---- */

static void none(void)
{
	struct brood_report r = { .size = sizeof r };
	struct brood_verdict v;

	start(1);
	REFUSES(brood_report(brood, 0, &r), -ENOENT, "no report");
	v = POOL_CALL(brood, job_nothing);
	REFUSES(brood_report(brood, v.id, &r), -ENOENT, "no report");
	REFUSES(brood_report(brood, 0, NULL), -EINVAL, "NULL");
	r.size = 8;
	REFUSES(brood_report(brood, 0, &r), -EINVAL, "size");
	/* a planned end has no report */
	pool_stop(brood);
	CHECK_EQ(lines, 0);
}
Test(reports, none) { case_run(none, 20000); }

static void the_last_ones_are_kept(void)
{
	uint64_t first = 0, last = 0;
	struct brood_report r = { .size = sizeof r };

	start(4);
	for (int i = 0; i < BROOD_REPORTS + 3; i++) {
		last = call_on(BROOD_PATH_HANDOFF, exits, 0).id;
		first = first ? first : last;
	}
	CHECK_EQ(report_of(last).id, last);
	CHECK_EQ(report_of(0).id, last);
	CHECK_EQ(brood_report(brood, first, &r), -ENOENT);
	pool_stop(brood);
}
Test(reports, the_last_ones_are_kept) { case_run(the_last_ones_are_kept, 60000); }

/* An older program's struct is shorter. */
static void a_shorter_struct(void)
{
	struct brood_report r;

	start(1);
	(void)call_on(BROOD_PATH_HANDOFF, crashes, 0);
	memset(&r, 'x', sizeof r);
	r.size = offsetof(struct brood_report, reserved);
	CHECK_EQ(brood_report(brood, 0, &r), 0);
	CHECK_EQ(r.size, offsetof(struct brood_report, reserved));
	CHECK_STR(r.frames[0].function, "guilty");
	CHECK_EQ(((const char *)r.reserved)[0], 'x');
	pool_stop(brood);
}
Test(reports, a_shorter_struct) { case_run(a_shorter_struct, 20000); }

/* ---- the program's own handler wins ---- */

static void own_handler(int sig) { _exit(sig); }
static int has_a_handler(struct brood_job *job)
{
	(void)job;
	signal(SIGSEGV, own_handler);
	guilty();
	return 0;
}
static int has_a_handler_and_hangs(struct brood_job *job)
{
	(void)job;
	signal(SIGSEGV, own_handler);
	while (!nowhere)
		sink++;
	return 0;
}

static void handlers(void)
{
	struct brood_report r;

	start(1);
	r = report_of(call_on(BROOD_PATH_HANDOFF, has_a_handler, 0).id);
	CHECK_EQ(r.cause, BROOD_REPORT_EXITED);
	CHECK_EQ(r.exit_code, SIGSEGV);
	CHECK_EQ(r.frames_count, 0);
	/* a walk could fault into that handler */
	r = report_of(call_on(BROOD_PATH_HANDOFF, has_a_handler_and_hangs, 100).id);
	CHECK_EQ(r.cause, BROOD_REPORT_TIMED_OUT);
	CHECK_EQ(r.frames_count, 0);
	CHECK_STR(r.waits, "runs");
	pool_stop(brood);
}
Test(reports, own_handler_wins) { case_run(handlers, 60000); }

/* ---- a crash of which the library's handler hears nothing ---- */

/* Goes on for as long as its argument says, which is for ever. */
static GUILTY int deeper(volatile char *goes_on)
{
	volatile char room[4096];

	room[0] = *goes_on;
	return *goes_on ? deeper(room) + room[1] : 0;
}
static void *overflows(void *goes_on) { return deeper(goes_on) ? NULL : goes_on; }
static int thread_overflows(struct brood_job *job)
{
	pthread_t thread;
	char byte = 1;

	(void)job;
	return pthread_create(&thread, NULL, overflows, &byte) || pthread_join(thread, NULL);
}

static void silent(void)
{
	struct brood_report r;
	char text[500];

	start(1);
	r = report_of(call_on(BROOD_PATH_HANDOFF, thread_overflows, 0).id);
	CHECK_EQ(r.cause, BROOD_REPORT_CRASHED);
	CHECK_EQ(r.signal, SIGSEGV);
	CHECK(WAIT_UNTIL(heard(1), 10000));
	brood_report_format(&r, text, sizeof text);
#ifndef __SANITIZE_ADDRESS__ /* it gives each thread an alternate stack, so there are frames */
	CHECK_EQ(r.frames_count, 0);
	CHECK_MSG(strstr(text, "SIGSEGV; no frames: the library's handler did not run") != NULL,
		"%s", text);
	CHECK_MSG(strstr(last_line, "A thread's stack overflow") != NULL, "%s", last_line);
#endif
	pool_stop(brood);
}
Test(reports, a_thread_that_overflows_its_stack) { case_run(silent, 60000); }

/* ---- the soft step costs a job that ends nothing ---- */

static int floats(struct brood_job *job)
{
	volatile double x = 1.0, sum = 0;

	while (!brood_job_cancelled(job))
		for (int i = 0; i < 1000; i++)
			sum = sum + x / (x + 1.0) - 0.5;
	errno = 0;
	return sum == 0.0 ? 42 : 1;
}

static void soft(void)
{
	struct brood_verdict v;

	start(1);
	for (int i = 0; i < 20; i++) {
		v = call_on(BROOD_PATH_HANDOFF, floats, 20);
		CHECK_EQ(v.outcome, BROOD_FAILED);
		CHECK_EQ(v.code, 42);
	}
	CHECK_EQ(pool_stats(brood).died, 0);
	CHECK_EQ(lines, 0);
	pool_stop(brood);
}
Test(reports, a_job_that_ends_after_the_soft_step) { case_run(soft, 60000); }

/* What the soft step noted of one job is not said of the next one. */
static void not_of_the_job_before(void)
{
	struct brood_report r;

	start(1);
	(void)call_on(BROOD_PATH_HANDOFF, floats, 20);
	r = report_of(call_on(BROOD_PATH_HANDOFF, is_killed, 0).id);
	CHECK_EQ(r.frames_count, 0);
	CHECK_STR(r.progress, "");
	pool_stop(brood);
}
Test(reports, not_of_the_job_before) { case_run(not_of_the_job_before, 60000); }

/* ---- the default action is as before ---- */

/* A job's child has no handler of the library's. */
static int child_crashes(struct brood_job *job)
{
	int status;
	pid_t pid = fork();

	(void)job;
	if (pid == 0)
		guilty();
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV ? 0 : 1;
}

static int all_signals(struct brood_job *job)
{
	kill(getpid(), *(const int *)brood_job_arg(job, NULL));
	return 0;
}

static void as_before(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS };
	struct brood_verdict v;

	start(1);
	v = POOL_CALL(brood, child_crashes);
	verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(lines, 0);
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		struct brood_job_options job = { .arg = &signals[i],
			.arg_size = sizeof signals[i] };

		v = pool_call_with(brood, all_signals, &job);
		CHECK_EQ(v.outcome, BROOD_CRASHED);
		CHECK_EQ(v.signal, signals[i]);
		CHECK_EQ(report_of(v.id).code, SI_USER);
	}
	pool_stop(brood);
}
Test(reports, the_signal_has_its_default_action) { case_run(as_before, 60000); }

/* ---- the soft line ---- */

static int waits_for_a_while(struct brood_job *job)
{
	uint64_t until = test_now_ms() + 600;

	(void)job;
	while (test_now_ms() < until)
		poll(NULL, 0, 600);
	return 0;
}

static GUILTY void guilty_of_time(void)
{
	uint64_t until = test_now_ms() + 600;

	while (test_now_ms() < until)
		sink++;
}
static int loops_for_a_while(struct brood_job *job)
{
	(void)job;
	guilty_of_time();
	return 0;
}

static bool has_frame(const struct brood_report *r, const char *function)
{
	for (uint32_t i = 0; i < r->frames_count; i++)
		if (strcmp(r->frames[i].function, function) == 0)
			return true;
	return false;
}

static void is_slow(int path, brood_fn *fn, const char *function, const char *waits)
{
	struct brood_verdict v = call_on(path, fn, 0);
	struct brood_report r = report_of(v.id);

	verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(r.cause, BROOD_REPORT_SLOW);
	CHECK_EQ(r.pid, v.pid);
	CHECK_EQ(r.signal, 0);
	CHECK_STR(r.tag, "GET /index");
	CHECK_STR(r.waits, waits);
	CHECK_MSG(has_frame(&r, function), "%s, first %s", function, r.frames[0].function);
}

static void slow(void)
{
	const struct brood_pool_options own = {
		.size = sizeof own, .name = "main", .slow_ms = 100
	};
	const struct brood_pool_options *const pools[] = { &own };
	struct brood_options options = {
		.workers = 1, .log = keep_line, .pools = pools, .pools_count = 1
	};
	struct brood_report r = { .size = sizeof r };

	brood = pool_start(&options);
	for (int path = BROOD_PATH_HANDOFF; path <= BROOD_PATH_LEASE; path++) {
		struct brood_verdict v = call_on(path, job_nothing, 0);

		CHECK_EQ(brood_report(brood, v.id, &r), -ENOENT);
		is_slow(path, waits_for_a_while, "waits_for_a_while", "poll");
		is_slow(path, loops_for_a_while, "guilty_of_time", "runs");
		/* killed later: then its death has a report of its own */
		v = call_on(path, job_sleep_forever, 300);
		r = report_of(v.id);
		CHECK_EQ(r.cause, BROOD_REPORT_TIMED_OUT);
		CHECK_NE(r.waits[0], '\0');
	}
	pool_stop(brood);
	CHECK_EQ(slow_lines, 6);
}
Test(reports, slow_jobs) { case_run(slow, 60000); }

/* ---- a stop at once ---- */

static void stop_at_once(void)
{
	start(1);
	(void)call_on(BROOD_PATH_HANDOFF, crashes, 0);
	pool_stop(brood);
	CHECK_EQ(lines, 1);
	CHECK_CONTAINS(last_line, "in guilty+0x");
}
Test(reports, a_stop_at_once_waits_for_the_names) { case_run(stop_at_once, 60000); }
