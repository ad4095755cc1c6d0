/* SPDX-License-Identifier: MIT */
/*
 * last_lines.c - the last lines that a worker wrote on stderr stand in its death report, and all of
 * them on the program's stderr, whatever the worker, its children or the reader do.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

TestSuite(last_lines, .timeout = 180);

#define BIG (10u << 20)

static struct brood *brood;
static char last_line[600];

static void keep_line(void *context, const struct brood_log *log)
{
	note_log(context, log);
	if (log->event == BROOD_EVENT_REPORT)
		snprintf(last_line, sizeof last_line, "%s", log->text);
}

struct counted {
	size_t bytes, lines, torn, at;
	char line[128];
};

/* Counts lines of 63 bytes that begin with "line ", and those of another length. */
static void count(struct counted *c, const char *bytes, size_t size)
{
	c->bytes += size;
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != '\n') {
			if (c->at < sizeof c->line)
				c->line[c->at++] = bytes[i];
			continue;
		}
		if (c->at > 5 && memcmp(c->line, "line ", 5) == 0) {
			c->lines++;
			c->torn += c->at != 63;
		}
		c->at = 0;
	}
}

/* The program's stderr becomes a pipe; returns its other end, which does not block. */
static int stderr_pipe(void)
{
	int p[2];

	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(dup2(p[1], STDERR_FILENO), STDERR_FILENO);
	close(p[1]);
	CHECK_EQ(fcntl(p[0], F_SETFL, O_NONBLOCK), 0);
	return p[0];
}

static size_t count_from(int fd, struct counted *c)
{
	static char bytes[65536];
	size_t sum = 0;
	ssize_t n;

	while ((n = read(fd, bytes, sizeof bytes)) > 0) {
		count(c, bytes, (size_t)n);
		sum += (size_t)n;
	}
	return sum;
}

static struct brood_report report_of(uint64_t id)
{
	struct brood_report report = { .size = sizeof report };
	int r = brood_report(brood, id, &report);

	CHECK_MSG(r == 0, "job %llu: %d: %s", (unsigned long long)id, r, brood_error());
	return report;
}

static void start(uint32_t spawn, uint32_t workers)
{
	struct brood_options options = {
		.workers = workers, .spawn = spawn, .log = keep_line, .stderr_lines = 20
	};

	brood = pool_start(&options);
}

static struct brood_verdict call_on(int path, brood_fn *fn, uint32_t run_ms)
{
	struct brood_job_options job = {
		.dispatch = (uint32_t)path, .run_ms = run_ms, .grace_ms = (uint32_t)test_scaled(300)
	};

	return pool_call_with(brood, fn, &job);
}

/* ---- jobs ---- */

static void say(const char *text)
{
	ssize_t n = write(STDERR_FILENO, text, strlen(text));

	(void)n;
}

static int crashes(struct brood_job *job)
{
	(void)job;
	for (int i = 1; i <= 30; i++)
		fprintf(stderr, "step %d\n", i);
	say("no newline");
	abort();
}
static int hangs(struct brood_job *job)
{
	say("waiting for the server\n");
	return job_sleep_forever(job);
}
static int odd_bytes(struct brood_job *job)
{
	(void)job;
	say("caf\xc3\xa9 \x1b[31m\xff\n");
	_exit(3);
}
static int writes_much(struct brood_job *job)
{
	char line[65];

	(void)job;
	for (unsigned i = 0; i < BIG / 64; i++) {
		snprintf(line, sizeof line, "line %058u\n", i);
		if (write(STDERR_FILENO, line, 64) != 64)
			return 1;
	}
	_exit(7);
}
static int quiet_crash(struct brood_job *job)
{
	(void)job;
	_exit(1);
}

/* ---- what is in a report ---- */

static void in_reports(uint32_t spawn)
{
	struct brood_report r;
	char text[600];

	start(spawn, 1);
	for (int path = BROOD_PATH_HANDOFF; path <= BROOD_PATH_LEASE; path++) {
		struct brood_verdict v = call_on(path, crashes, 0);

		CHECK_EQ(v.signal, SIGABRT);
		r = report_of(v.id);
		CHECK_MSG(
			strncmp(r.stderr_text, "step 12\nstep 13\n", 16) == 0, "%s", r.stderr_text);
		CHECK_CONTAINS(r.stderr_text, "\nstep 30\nno newline");
		brood_report_format(&r, text, sizeof text);
		CHECK_CONTAINS(text, "; stderr: no newline");
		CHECK(WAIT_UNTIL(
			brood_dispatch(brood) >= 0 && strstr(last_line, "; stderr: no newline"),
			10000));
		last_line[0] = '\0';
		r = report_of(call_on(path, hangs, 100).id);
		CHECK_EQ(r.cause, BROOD_REPORT_TIMED_OUT);
		CHECK_STR(r.stderr_text, "waiting for the server");
		r = report_of(call_on(path, odd_bytes, 0).id);
		CHECK_STR(r.stderr_text, "caf\xc3\xa9 \\x1b[31m\\xff");
		/* lines are those of one process, not of the one before it in the slot */
		r = report_of(call_on(path, quiet_crash, 0).id);
		CHECK_STR(r.stderr_text, "");
		/* an older program's struct, and one that cuts the text */
		(void)call_on(path, hangs, 100);
		memset(&r, 'x', sizeof r);
		r.size = offsetof(struct brood_report, stderr_text);
		CHECK_EQ(brood_report(brood, 0, &r), 0);
		CHECK_EQ(r.stderr_text[0], 'x');
		brood_report_format(&r, text, sizeof text);
		CHECK(!strstr(text, "stderr"));
		r.size = offsetof(struct brood_report, stderr_text) + 8;
		CHECK_EQ(brood_report(brood, 0, &r), 0);
		CHECK_EQ(memcmp(r.stderr_text, "waiting", 8), 0);
	}
	pool_stop(brood);
}
static void by_the_supervisor(void) { in_reports(BROOD_SPAWN_FORK); }
static void by_a_spawner(void) { in_reports(BROOD_SPAWN_CLONE3); }
Test(last_lines, of_workers_that_the_supervisor_made) { case_run(by_the_supervisor, 60000); }
Test(last_lines, of_workers_that_a_spawner_made) { case_run(by_a_spawner, 60000); }

static int fails_at_birth(void *context)
{
	(void)context;
	say("the model is not there\n");
	return 1;
}

static void at_birth(void)
{
	struct brood_options options = { .size = sizeof options,
		.workers = 1,
		.worker_init = fails_at_birth,
		.backoff_min_ms = 10000,
		.backoff_max_ms = 10000,
		.log = keep_line,
		.stderr_lines = 1 };
	struct brood_report r = { .size = sizeof r };

	CHECK_EQ(brood_start(&options, &brood), 0);
	CHECK(WAIT_UNTIL(brood_report(brood, 0, &r) == 0, 10000));
	CHECK_EQ(r.cause, BROOD_REPORT_EXITED);
	CHECK_STR(r.stderr_text, "the model is not there");
	CHECK_EQ(brood_stop(brood), 0);
}
Test(last_lines, of_a_worker_that_was_never_ready) { case_run(at_birth, 60000); }

/* Without the option there is no pipe, and the report has no lines. */
static int same_stderr(struct brood_job *job)
{
	char path[64] = "";

	CHECK_GT(readlink("/proc/self/fd/2", path, sizeof path - 1), 0);
	return brood_job_reply(job, path, sizeof path) == sizeof path ? 0 : 1;
}
static void without(void)
{
	char here[64] = "", there[64] = "";
	struct brood_report r;

	brood = pool_start_workers(1);
	CHECK_GT(readlink("/proc/self/fd/2", here, sizeof here - 1), 0);
	CHECK_EQ(brood_call(brood, same_stderr, NULL, 0, there, sizeof there, NULL, NULL),
		sizeof there);
	CHECK_STR(there, here);
	r = report_of(call_on(BROOD_PATH_HANDOFF, hangs, 100).id);
	CHECK_STR(r.stderr_text, "");
	pool_stop(brood);
}
Test(last_lines, none_without_the_option) { case_run(without, 60000); }

/* ---- what is on stderr ---- */

static struct brood_handle *open_job(brood_fn *fn)
{
	struct brood_handle *h;
	int fd;

	CHECK_EQ(brood_open(brood, fn, NULL, &fd, &h), 0);
	close(fd);
	return h;
}

static struct brood_verdict end_of(struct brood_handle *h)
{
	struct brood_verdict v = { .size = sizeof v };

	CHECK_EQ(brood_wait(h, test_scaled(60000), &v), 0);
	brood_release(h);
	return v;
}

static void is_of_much(const struct brood_verdict *v)
{
	CHECK_EQ(v->outcome, BROOD_EXITED);
	CHECK_EQ(v->code, 7);
	CHECK_CONTAINS(report_of(v->id).stderr_text, "163838\nline 0");
	CHECK_CONTAINS(report_of(v->id).stderr_text, "163839");
}

/* All lines of two writers are in the file, each of them whole. */
static void much(void)
{
	int file = memfd_create("stderr", 0);
	struct brood_handle *h[2];
	struct counted c = { 0 };

	CHECK_EQ(dup2(file, STDERR_FILENO), STDERR_FILENO);
	start(0, 2);
	for (int i = 0; i < 2; i++)
		h[i] = open_job(writes_much);
	for (int i = 0; i < 2; i++) {
		struct brood_verdict v = end_of(h[i]);

		is_of_much(&v);
	}
	pool_stop(brood);
	CHECK_EQ(lseek(file, 0, SEEK_SET), 0);
	count_from(file, &c);
	CHECK_EQ(c.lines, 2 * (BIG / 64));
	CHECK_EQ(c.torn, 0);
	close(file);
}
Test(last_lines, of_two_that_write_ten_megabytes) { case_run(much, 120000); }

/* While nobody reads stderr, the writer waits, and everybody else goes on. */
static void full(void)
{
	int fd = stderr_pipe();
	struct brood_handle *h;
	struct brood_verdict v;
	struct counted c = { 0 };

	start(0, 2);
	h = open_job(writes_much);
	CHECK(WAIT_UNTIL(
		poll(&(struct pollfd){ .fd = STDERR_FILENO, .events = POLLOUT }, 1, 0) == 0,
		10000));
	for (int i = 0; i < 50; i++)
		CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	/* what a worker has said is in its report, even if nobody has read it yet */
	v = call_on(BROOD_PATH_HANDOFF, odd_bytes, 0);
	CHECK_STR(report_of(v.id).stderr_text, "caf\xc3\xa9 \\x1b[31m\\xff");
	CHECK_EQ(brood_wait(h, 0, &v), -ETIMEDOUT);
	CHECK(WAIT_UNTIL(count_from(fd, &c) + 1 > 0 && brood_wait(h, 0, &v) == 0, 60000));
	brood_release(h);
	is_of_much(&v);
	CHECK(WAIT_UNTIL(count_from(fd, &c) + 1 > 0 && c.lines == BIG / 64, 10000));
	CHECK_EQ(c.torn, 0);
	pool_stop(brood);
	close(fd);
}
Test(last_lines, while_nobody_reads_stderr) { case_run(full, 120000); }

/* The reader has gone: what workers write is lost, and costs no job. */
static void no_reader(void)
{
	int fd = stderr_pipe();
	struct brood_verdict v;

	start(0, 1);
	close(fd);
	v = call_on(BROOD_PATH_HANDOFF, writes_much, 0);
	is_of_much(&v);
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	pool_stop(brood);
}
Test(last_lines, without_a_reader) { case_run(no_reader, 60000); }

/* ---- what holds the pipe ---- */

static int leaves_a_child(struct brood_job *job)
{
	(void)job;
	say("parent\n");
	if (fork() == 0) {
		setsid();
		signal(SIGPIPE, SIG_IGN);
		for (;;) {
			say("child\n");
			poll(NULL, 0, 1);
		}
	}
	_exit(9);
}
static int closes_stderr(struct brood_job *job)
{
	(void)job;
	close(STDERR_FILENO);
	return 0;
}

static void held(void)
{
	pid_t supervisor;
	int fds;

	CHECK_EQ(dup2(open("/dev/null", O_WRONLY), STDERR_FILENO), STDERR_FILENO);
	start(0, 2);
	supervisor = proc_supervisor();
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	fds = proc_fds(supervisor);
	for (int path = BROOD_PATH_HANDOFF; path <= BROOD_PATH_LEASE; path++) {
		struct brood_report r = report_of(call_on(path, leaves_a_child, 0).id);

		CHECK_EQ(r.exit_code, 9);
		CHECK_EQ(strncmp(r.stderr_text, "parent", 6), 0);
		CHECK(call_on(path, closes_stderr, 0).left & BROOD_LEFT_FDS);
	}
	CHECK(WAIT_UNTIL(brood_dispatch(brood) >= 0 && pool_full(brood) &&
			pool_stats(brood).leased == 0 && proc_fds(supervisor) == fds,
		20000));
	pool_stop(brood);
}
Test(last_lines, of_one_whose_child_holds_the_pipe) { case_run(held, 60000); }

/* ---- who may be told what ---- */

static void refused(void)
{
	struct brood_options options = { .size = sizeof options, .stderr_lines = 21 };

	REFUSES(brood_start(&options, &brood), -EINVAL,
		"options.stderr_lines is 21: at most 20, or 0 for none");
}
Test(last_lines, at_most_twenty) { case_run(refused, 20000); }

/* A pool's own value replaces the common one. */
static void of_one_pool(void)
{
	const struct brood_pool_options own = {
		.size = sizeof own, .name = "short", .workers = 1, .stderr_lines = 2
	};
	const struct brood_pool_options *const pools[] = { &own };
	struct brood_options options = {
		.workers = 1, .log = keep_line, .pools = pools, .pools_count = 1
	};
	struct brood_job_options job = { .size = sizeof job };

	brood = pool_start(&options);
	CHECK_STR(report_of(pool_call_with(brood, odd_bytes, &job).id).stderr_text, "");
	job.pool = brood_pool(brood, "short");
	CHECK_STR(report_of(pool_call_with(brood, crashes, &job).id).stderr_text,
		"step 30\nno newline");
	pool_stop(brood);
}
Test(last_lines, of_one_pool) { case_run(of_one_pool, 60000); }
