/* SPDX-License-Identifier: MIT */
/*
 * logs.c - log lines: to the callback, to stderr, from jobs; folded; never blocking; and none at
 * all in a normal life.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(logs, .timeout = 120);

struct seen {
	unsigned count, by_event[32], inside;
	pid_t pid;
	uint64_t job;
	enum brood_level level;
	char text[600];
};
static struct seen seen;

static void see(void *context, const struct brood_log *log)
{
	struct seen *s = context;

	CHECK_EQ(s->inside++, 0); /* one at a time */
	CHECK_EQ(log->size, sizeof *log);
	CHECK(!strchr(log->text, '\n'));
	s->count++;
	if ((unsigned)log->event < 32)
		s->by_event[log->event]++;
	if (log->event != BROOD_EVENT_REPEATED) {
		s->pid = log->pid;
		s->job = log->job;
		s->level = log->level;
		strncpy(s->text, log->text, sizeof s->text - 1);
	}
	note("log: %s", log->text);
	s->inside--;
}

static int logs(struct brood_job *job)
{
	return brood_job_log(job, BROOD_NOTICE, "seen %d of %s", 3, "these");
}
static int logs_long(struct brood_job *job)
{
	char text[2000];

	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	return brood_job_log(job, BROOD_INFO, "%s", text);
}
static int logs_much(struct brood_job *job)
{
	for (int i = 0; i < 20000; i++)
		brood_job_log(job, BROOD_INFO, "line %d", i);
	return 0;
}

static void by_callback(void)
{
	struct brood_options options = { .workers = 1, .log = see, .log_context = &seen };
	struct brood *brood = pool_start(&options);
	struct brood_verdict v = POOL_CALL(brood, logs);

	CHECK_EQ(v.code, 0);
	CHECK(WAIT_UNTIL(brood_dispatch(brood) >= 0 && seen.count == 1, 5000));
	CHECK_STR(seen.text, "seen 3 of these");
	CHECK_EQ(seen.by_event[BROOD_EVENT_JOB_LOG], 1);
	CHECK_EQ(seen.level, BROOD_NOTICE);
	CHECK_EQ(seen.pid, v.pid);
	CHECK_EQ(seen.job, v.id);
	POOL_CALL(brood, logs_long);
	CHECK(WAIT_UNTIL(brood_dispatch(brood) >= 0 && seen.count == 2, 5000));
	CHECK_GE(strlen(seen.text), 390);
	CHECK_EQ(POOL_CALL(brood, logs_much).outcome, BROOD_DONE); /* nobody waits for a reader */
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	pool_stop(brood);
	CHECK_EQ(seen.by_event[BROOD_EVENT_WORKER_DIED], 0);
}
Test(logs, callback) { case_run(by_callback, 30000); }

/* A normal life logs nothing, in neither way. */
static int stderr_pipe(void)
{
	int p[2];

	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(dup2(p[1], 2), 2);
	close(p[1]);
	return p[0];
}

static size_t gather(int fd, char *text, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t used = 0;

	while (used < size - 1 && poll(&p, 1, 0) > 0) {
		ssize_t n = read(fd, text + used, size - 1 - used);

		if (n <= 0)
			break;
		used += (size_t)n;
	}
	text[used] = '\0';
	return used;
}

static void silent(void)
{
	int fd = stderr_pipe();
	struct brood *brood = pool_start_workers(3);
	char text[4096];

	for (int i = 0; i < 50; i++)
		CHECK_EQ(POOL_CALL(brood, job_echo).outcome, BROOD_DONE);
	pool_stop(brood);
	CHECK_EQ(gather(fd, text, sizeof text), 0);
}
Test(logs, silence) { case_run(silent, 30000); }

static int exits_4(struct brood_job *job)
{
	(void)job;
	_exit(4);
}

static int leaves(struct brood_job *job)
{
	(void)job;
	_exit(5);
}

static void to_stderr(void)
{
	int fd = stderr_pipe();
	struct brood_options options = { .workers = 1, .title = "printer" };
	struct brood *brood = pool_start(&options);
	char text[16384], *at;
	unsigned lines = 0;

	for (int i = 0; i < 40; i++)
		CHECK_EQ(POOL_CALL(brood, exits_4).outcome, BROOD_EXITED);
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	pool_stop(brood);
	gather(fd, text, sizeof text);
	CHECK_CONTAINS(text, "printer: worker 0 (pid ");
	CHECK_CONTAINS(text, "exit code 4 in exits_4, job ");
	CHECK(strstr(text, ", by handoff\n") || strstr(text, ", on lease\n"));
	for (at = text; (at = strchr(at, '\n')); at++)
		lines++;
	/* forty deaths are folded */
	CHECK_MSG(lines >= 1 && lines <= 12, "%u lines: %s", lines, text);
}
Test(logs, to_stderr_and_folded) { case_run(to_stderr, 30000); }

static void jobs_on_stderr(void)
{
	int fd = stderr_pipe();
	struct brood_options options = { .workers = 1, .title = "printer" };
	struct brood *brood = pool_start(&options);
	const struct brood_job_options job = { .size = sizeof job, .tag = "GET /a" };
	char text[4096], line[160];
	struct brood_verdict v = { .size = sizeof v };

	CHECK_EQ(brood_call(brood, logs, NULL, 0, NULL, 0, &job, &v), 0);
	snprintf(line, sizeof line, "printer: worker %u, job %llu logs: [GET /a] seen 3 of these\n",
		v.slot, (unsigned long long)v.id);
	CHECK(WAIT_UNTIL(gather(fd, text, sizeof text) > 0, 5000));
	CHECK_STR(text, line);
	pool_stop(brood);
	close(fd);
}
Test(logs, stderr_names_the_job) { case_run(jobs_on_stderr, 30000); }

struct named {
	char function[BROOD_NAME_MAX], tag[BROOD_TAG_MAX];
	int with;
};

static void see_names(void *context, const struct brood_log *log)
{
	struct named *n = context;

	if (!log->function)
		return;
	snprintf(n->function, sizeof n->function, "%s", log->function);
	snprintf(n->tag, sizeof n->tag, "%s", log->tag ? log->tag : "none");
	n->with++;
}

static void named_lines(void)
{
	struct named n = { .with = 0 };
	struct brood_options options = { .workers = 1, .log = see_names, .log_context = &n };
	struct brood *brood = pool_start(&options);
	const struct brood_job_options job = { .size = sizeof job, .tag = "GET /a" };

	CHECK_EQ(brood_call(brood, logs, NULL, 0, NULL, 0, &job, NULL), 0);
	CHECK(WAIT_UNTIL(brood_dispatch(brood) >= 0 && n.with == 1, 5000));
	CHECK_STR(n.function, "logs");
	CHECK_STR(n.tag, "GET /a");
	POOL_CALL(brood, exits_4);
	CHECK(WAIT_UNTIL(brood_dispatch(brood) >= 0 && n.with >= 2, 5000));
	CHECK_STR(n.function, "exits_4");
	CHECK_STR(n.tag, "none");
	pool_stop(brood);
}
Test(logs, lines_name_the_job) { case_run(named_lines, 30000); }

/* Nobody reads stderr and it is full: the pool goes on. */
static void full_stderr(void)
{
	int fd = stderr_pipe();
	struct brood_options options = { .workers = 1 };
	struct brood *brood;
	char junk[4096], text[4096];
	int flags = fcntl(2, F_GETFL);

	fcntl(2, F_SETFL, flags | O_NONBLOCK);
	memset(junk, 'j', sizeof junk);
	while (write(2, junk, sizeof junk) > 0)
		;
	while (write(2, junk, 1) > 0)
		;
	fcntl(2, F_SETFL, flags);
	brood = pool_start(&options);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(POOL_CALL(brood, exits_4).outcome, BROOD_EXITED);
	CHECK(WAIT_UNTIL(pool_stats(brood).logs_dropped > 0, 5000));
	/* O_NONBLOCK, which all copies share, was left alone */
	CHECK_EQ(fcntl(2, F_GETFL) & O_NONBLOCK, 0);
	/* the first line for which there is room says how many had none */
	while (gather(fd, text, sizeof text) > 0)
		;
	CHECK_EQ(POOL_CALL(brood, leaves).outcome, BROOD_EXITED);
	CHECK(WAIT_UNTIL(gather(fd, text, sizeof text) > 0, 5000));
	CHECK_MSG(strstr(text, " had no room and ") != NULL, "%s", text);
	pool_stop(brood);
	close(fd);
}
Test(logs, full_stderr_blocks_nobody) { case_run(full_stderr, 30000); }
