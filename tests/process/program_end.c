/* SPDX-License-Identifier: MIT */
/*
 * program_end.c - the program ends without brood_stop(), and what brood_stop() says. Accepted jobs
 * are done by exit(). When an engine ends without a word its lost jobs are counted. One log line
 * tells what a stop dropped.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(program_end, .timeout = 120);

struct shared_page {
	atomic_int ran, handler_saw, lines, called_back;
	atomic_int jobs;
	char line[512];
};
#define SHARED ((struct shared_page *)case_shared())

static struct brood *brood;

static int works(struct brood_job *job)
{
	(void)job;
	usleep(20000);
	atomic_fetch_add(&SHARED->ran, 1);
	return 0;
}

static void start(uint32_t drain_ms)
{
	struct brood_options options = { .workers = 2, .drain_ms = drain_ms, .stop_ms = 300 };

	brood = pool_start(&options);
}

static void submit(brood_fn *fn, uint32_t path, int count)
{
	struct brood_job_options o = { .size = sizeof o, .dispatch = path, .tag = "GET /\x1b" };

	for (int i = 0; i < count; i++)
		CHECK_EQ(brood_submit_named(brood, fn, "some_job", NULL, 0, &o, NULL), 0);
}

/* ---- exit() ---- */

static void exits(void *context)
{
	uint32_t path = *(uint32_t *)context;

	start(20000);
	submit(works, path, 12);
	case_done();
	exit(0);
}

Test(program_end, accepted_jobs_are_done)
{
	for (uint32_t path = BROOD_PATH_AUTO; path <= BROOD_PATH_LEASE; path++) {
		struct case_options options = {
			.body_with = exits, .context = &path, .timeout_ms = 40000
		};
		struct case_result r;

		case_try(&options, &r);
		cr_assert(!r.expired && r.status == 0 && r.left == 0 && r.failures == 0,
			"path %u: %s", path, r.text);
		cr_assert_eq(atomic_load(&SHARED->ran), 12, "path %u: %d ran", path,
			atomic_load(&SHARED->ran));
		atomic_store(&SHARED->ran, 0);
	}
}

/*
 * A handler that was registered before the start runs after the drain; one that was registered
 * later runs before.
 */
static void handler_before(void) { atomic_store(&SHARED->handler_saw, atomic_load(&SHARED->ran)); }
static void handler_after(void) { submit(works, BROOD_PATH_LEASE, 1); }
static void logs(void *context, const struct brood_log *line)
{
	(void)context;
	(void)line;
}
static void calls_back(void *context, const struct brood_result *result)
{
	(void)context;
	(void)result;
	atomic_fetch_add(&SHARED->called_back, 1);
}

static void in_order(void)
{
	struct brood_options options = { .workers = 2, .drain_ms = 20000, .log = logs };
	struct brood_job_options o = { .size = sizeof o, .on_done = calls_back };

	atexit(handler_before);
	brood = pool_start(&options);
	atexit(handler_after);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(brood_submit(brood, works, NULL, 0, &o, NULL), 0);
	case_done();
	exit(0);
}

Test(program_end, in_the_order_of_handlers)
{
	case_run(in_order, 40000);
	cr_assert_eq(atomic_load(&SHARED->ran), 6);
	cr_assert_eq(atomic_load(&SHARED->handler_saw), 6);
	cr_assert_eq(atomic_load(&SHARED->called_back), 0);
}

/* Neither a child of the engine waits for anything, nor a program that has stopped its pool. */
static void others(void)
{
	uint64_t began;
	int status;
	pid_t pid;

	start(20000);
	submit(job_sleep_forever, BROOD_PATH_LEASE, 3);
	began = test_now_ms();
	pid = fork();
	if (pid == 0)
		exit(3);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WEXITSTATUS(status), 3);
	CHECK_LT(test_now_ms() - began, (uint64_t)test_scaled(5000));
	case_done();
	_exit(0);
}

static void stopped_before(void)
{
	start(100);
	submit(job_sleep_forever, BROOD_PATH_LEASE, 3);
	CHECK_EQ(brood_stop(brood), 0);
	case_done();
	exit(0);
}

/* A job that needs longer than drain_ms does not hold up the exit. */
static void bounded(void)
{
	start(300);
	submit(job_sleep_forever, BROOD_PATH_AUTO, 20);
	case_done();
	exit(0);
}

static void in_a_callback(void *context, const struct brood_result *result)
{
	(void)context;
	(void)result;
	exit(0);
}

static void from_a_callback(void)
{
	struct brood_job_options o = { .size = sizeof o, .on_done = in_a_callback };

	start(20000);
	CHECK_EQ(brood_submit(brood, job_nothing, NULL, 0, &o, NULL), 0);
	submit(works, BROOD_PATH_AUTO, 6);
	case_done();
	brood_queue_wait(brood_own_queue(brood), 20000);
	pause();
}

Test(program_end, waits_for_nothing_else)
{
	cr_assert_eq(case_status(others, 60000), 0);
	case_run(stopped_before, 20000);
	case_run(bounded, 20000);
	case_run(from_a_callback, 20000);
	cr_assert_eq(atomic_load(&SHARED->ran), 6);
}

/* ---- without a word ---- */

/*
 * stderr of all processes of the case. The supervisor's lines about jobs are copied for the test.
 */
static int heard[2];

static void listen_first(void)
{
	CHECK_EQ(pipe2(heard, O_CLOEXEC), 0);
	CHECK_EQ(dup2(heard[1], 2), 2);
}

static int waits(struct brood_job *job)
{
	atomic_fetch_add(&SHARED->jobs, 1);
	return job_sleep_forever(job);
}

static int is_killed(struct brood_job *job)
{
	(void)job;
	return raise(SIGKILL);
}

/* A job that pauses before its second attempt. */
static void submit_pausing(void)
{
	struct brood_job_options o = { .size = sizeof o,
		.dispatch = BROOD_PATH_LEASE,
		.retries = 1,
		.retry_on = BROOD_RETRY_OUTSIDE,
		.retry_pause_ms = 600000 };

	CHECK_EQ(brood_submit(brood, is_killed, NULL, 0, &o, NULL), 0);
	CHECK(WAIT_UNTIL((brood_dispatch(brood), pool_stats(brood).retried == 1), 10000));
}

static void killed(void)
{
	listen_first();
	if (fork() == 0) { /* reads on when the case has ended */
		char bytes[4096];
		ssize_t n;

		close(heard[1]);
		close(2);
		while ((n = read(heard[0], bytes, sizeof bytes - 1)) > 0) {
			bytes[n] = '\0';
			if (strstr(bytes, "8 jobs that the engine had accepted"))
				atomic_fetch_add(&SHARED->lines, 1);
		}
		_exit(0);
	}
	close(heard[0]);
	start(300);
	submit_pausing();
	submit(waits, BROOD_PATH_AUTO, 9);
	CHECK(WAIT_UNTIL((brood_dispatch(brood), atomic_load(&SHARED->jobs) == 2), 10000));
	case_done();
	raise(SIGKILL);
}

Test(program_end, an_engine_that_was_killed)
{
	struct case_options options = { .body = killed, .timeout_ms = 20000 };
	struct case_result r;

	case_try(&options, &r);
	cr_assert(WAIT_UNTIL(atomic_load(&SHARED->lines) == 1, 5000), "%d lines: %s",
		atomic_load(&SHARED->lines), r.text);
}

/* ---- brood_stop() ---- */

static void dropped_line(void *context, const struct brood_log *line)
{
	(void)context;
	if (line->event != BROOD_EVENT_JOBS_DROPPED)
		return;
	atomic_fetch_add(&SHARED->lines, 1);
	strncpy(SHARED->line, line->text, sizeof SHARED->line - 1);
}

static void drops(void)
{
	struct brood_options options = {
		.workers = 2, .drain_ms = 200, .stop_ms = 300, .log = dropped_line
	};

	brood = pool_start(&options);
	submit(waits, BROOD_PATH_AUTO, 2);
	CHECK(WAIT_UNTIL((brood_dispatch(brood), atomic_load(&SHARED->jobs) == 2), 10000));
	submit(waits, BROOD_PATH_AUTO, 5);
	submit(waits, BROOD_PATH_HANDOFF, 4);
	CHECK_EQ(brood_stop(brood), 0);
	CHECK_EQ(atomic_load(&SHARED->lines), 1);
	CHECK_CONTAINS(SHARED->line, "dropped 9 jobs");
	CHECK_CONTAINS(SHARED->line, "some_job [GET /?]");
	CHECK_EQ(pool_stats(brood).stop_dropped, 9);
}
Test(program_end, what_a_stop_dropped_is_one_line) { case_run(drops, 20000); }

/* The first job that is dropped is in the line with its tag, wherever it waits. */
static void drops_one(void *context)
{
	struct brood_options options = {
		.workers = 1, .drain_ms = 100, .stop_ms = 300, .log = dropped_line
	};

	atomic_store(&SHARED->jobs, 0);
	atomic_store(&SHARED->lines, 0);
	brood = pool_start(&options);
	submit(waits, BROOD_PATH_AUTO, 1);
	CHECK(WAIT_UNTIL((brood_dispatch(brood), atomic_load(&SHARED->jobs) == 1), 10000));
	submit(works, *(uint32_t *)context, 1);
	CHECK_EQ(brood_stop(brood), 0);
	CHECK_EQ(atomic_load(&SHARED->lines), 1);
	CHECK_CONTAINS(SHARED->line, "dropped 1 job;");
	CHECK_CONTAINS(SHARED->line, "some_job [GET /?]");
}
Test(program_end, what_a_stop_dropped_has_its_tag)
{
	for (uint32_t path = BROOD_PATH_AUTO; path <= BROOD_PATH_LEASE; path++) {
		struct case_options options = {
			.body_with = drops_one, .context = &path, .timeout_ms = 20000
		};
		struct case_result r;

		case_try(&options, &r);
		cr_assert(!r.expired && r.status == 0 && r.left == 0 && r.failures == 0,
			"path %u: %s", path, r.text);
	}
}
