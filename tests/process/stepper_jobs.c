/* SPDX-License-Identifier: MIT */
/*
 * stepper_jobs.c - tiny jobs, given in each way.
 *
 * Most of them nap. The worker looks for residue behind a job depending on how long the job ran,
 * and a traced job without a nap would seem short at one time and long at another.
 */
#define _GNU_SOURCE
#include "stepper.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define REQUEST "abc"
#define REPLY   "defgh"
#define JOB_MS  30000

const struct way ways[] = {
	{ "handoff, open", KIND_OPEN, BROOD_PATH_HANDOFF, true },
	{ "handoff, call", KIND_CALL, BROOD_PATH_HANDOFF, true },
	{ "side socket, open", KIND_OPEN, BROOD_PATH_LEASE, true },
	{ "ring, call", KIND_CALL, BROOD_PATH_LEASE, false },
	{ "ring, submit", KIND_SUBMIT, BROOD_PATH_LEASE, false },
	{ "ring, call, a job that makes system calls", KIND_CALL, BROOD_PATH_LEASE, true },
	{ "a whole lease", KIND_LEASE, BROOD_PATH_LEASE, false },
};
const unsigned ways_count = sizeof ways / sizeof ways[0];

/* ---- in a worker ---- */

static int tiny(struct brood_job *job)
{
	const struct timespec nap = { 0, 300 * 1000 };
	const bool *naps = brood_job_arg(job, NULL);
	char request[8];
	int code = 0;

	atomic_fetch_add(&stage()->entered, 1);
	if (brood_job_request_size(job) != BROOD_SIZE_UNKNOWN &&
		brood_job_read_all(job, request, sizeof request) != strlen(REQUEST))
		code = 1;
	if (*naps)
		nanosleep(&nap, NULL);
	if (brood_job_write(job, REPLY, strlen(REPLY)) != strlen(REPLY))
		code = 2;
	atomic_fetch_add(&stage()->left, 1);
	return code;
}

/*
 * In the worker's session, but in a group of its own, and it ignores all signals that can be
 * ignored.
 */
static void start_child(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		signal(SIGTERM, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
		for (;;)
			pause();
	}
	atomic_store(&stage()->child, pid);
}

static int __attribute__((noreturn)) holds(struct brood_job *job)
{
	(void)job;
	start_child();
	for (;;)
		pause();
}

int job_leaves_child(struct brood_job *job)
{
	(void)job;
	start_child();
	return 0;
}

static int on_birth(void *context)
{
	unsigned n = atomic_fetch_add(&stage()->births, 1);

	(void)context;
	atomic_store(&stage()->born[n % BORN_MAX], getpid());
	return 0;
}

/* ---- in the engine ---- */

const char *jobs_text(const struct brood_verdict *verdict)
{
	static char line[512];

	brood_verdict_format(verdict, line, sizeof line);
	return line;
}

static void quiet(void *context, const struct brood_log *log)
{
	(void)context;
	(void)log;
}

struct brood *jobs_start(uint32_t leases)
{
	struct brood_options options = { .size = sizeof options,
		/* the worker that is stepped serves one pinned lease after another */
		.flags = BROOD_LEASE_REUSE,
		.workers = 2,
		.worker_init = on_birth,
		.leases = leases,
		.lease_idle_ms = 600000,
		.grace_ms = 20,
		.log = quiet };
	struct brood *brood = NULL;
	int r = brood_start(&options, &brood);

	CHECK_MSG(r == 0, "%d: %s", r, brood_error());
	r = brood_wait_ready(brood, (uint32_t)test_scaled(POOL_READY_MS));
	CHECK_MSG(r == 0 || r == -ENOTCONN, "%d: %s", r, brood_error());
	return r == 0 ? brood : NULL;
}

static void check_reply(const struct brood_verdict *v, const char *reply, ssize_t n)
{
	if (v->outcome != BROOD_DONE)
		return;
	CHECK_MSG(n == (ssize_t)strlen(REPLY), "%zd bytes: %s", n, jobs_text(v));
	CHECK_MEM(reply, REPLY, strlen(REPLY));
}

/*
 * A job that was opened on a lease needs an engine that dispatches: the library has a copy of its
 * socket, for another attempt. On handoff the supervisor does the same by itself.
 */
static void wait_readable(struct brood *brood, const struct brood_job_options *options, int fd)
{
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN },
		{ .fd = brood_fd(brood), .events = POLLIN } };

	while (options->dispatch == BROOD_PATH_LEASE && p[0].revents == 0) {
		CHECK_MSG(poll(p, 2, test_scaled(JOB_MS)) > 0, "neither bytes nor an end");
		if (p[1].revents)
			brood_dispatch(brood);
	}
}

static ssize_t read_to_end(struct brood *brood, const struct brood_job_options *options, int fd,
	char *data, size_t size)
{
	size_t have = 0;
	ssize_t n;

	do {
		wait_readable(brood, options, fd);
		n = read(fd, data + have, size - have);
		have += n > 0 ? (size_t)n : 0;
	} while (n > 0 && have < size);
	return (ssize_t)have;
}

static bool give_open(
	struct brood *brood, const struct brood_job_options *options, struct brood_verdict *v)
{
	struct brood_handle *handle;
	char reply[64];
	ssize_t n;
	int fd, r = brood_open(brood, tiny, options, &fd, &handle);

	if (r == -ENOTCONN)
		return false;
	CHECK_MSG(r == 0, "%d: %s", r, brood_error());
	n = read_to_end(brood, options, fd, reply, sizeof reply);
	r = brood_wait(handle, (uint32_t)test_scaled(JOB_MS), v);
	CHECK_MSG(r == 0, "%d: %s", r, brood_error());
	check_reply(v, reply, n);
	close(fd);
	brood_release(handle);
	return true;
}

static bool give_call(
	struct brood *brood, const struct brood_job_options *options, struct brood_verdict *v)
{
	char reply[64];
	ssize_t n = brood_call(
		brood, tiny, REQUEST, strlen(REQUEST), reply, sizeof reply, options, v);

	if (n == -ENOTCONN)
		return false;
	CHECK_MSG(n >= 0 || n == -EREMOTEIO, "%zd: %s", n, brood_error());
	check_reply(v, reply, n);
	return true;
}

static bool give_submit(
	struct brood *brood, const struct brood_job_options *options, struct brood_verdict *v)
{
	static struct brood_queue *queue;
	struct brood_job_options in = *options;
	const struct brood_result *result;
	int r = queue ? 0 : brood_queue_new(brood, NULL, &queue);

	in.queue = queue;
	if (r == 0)
		r = brood_submit(brood, tiny, REQUEST, strlen(REQUEST), &in, NULL);
	if (r == -ENOTCONN)
		return false;
	CHECK_MSG(r == 0, "%d: %s", r, brood_error());
	r = brood_queue_wait(queue, (uint32_t)test_scaled(JOB_MS));
	CHECK_MSG(r == 1 || r == -ENOTCONN, "%d: %s", r, brood_error());
	CHECK_EQ(brood_take(queue, &result, 1), 1);
	*v = result->verdict;
	check_reply(v, result->reply, (ssize_t)result->reply_size);
	CHECK_EQ(brood_queue_out(queue), 0);
	return true;
}

/*
 * A job that came too late for a lease, because its worker had died, is like one that was refused.
 */
static bool give_lease(
	struct brood *brood, struct brood_job_options *options, struct brood_verdict *v)
{
	char reply[64];
	ssize_t n;
	int r = brood_lease(brood, NULL, &options->lease);

	if (r == -ENOTCONN)
		return false;
	CHECK_MSG(r == 0, "%d: %s", r, brood_error());
	n = brood_call(brood, tiny, REQUEST, strlen(REQUEST), reply, sizeof reply, options, v);
	if (n == -ESTALE)
		*v = (struct brood_verdict){ .outcome = BROOD_REFUSED,
			.detail = BROOD_DETAIL_LEASE_OVER };
	else if (n != -ENOTCONN)
		CHECK_MSG(n >= 0 || n == -EREMOTEIO || n == -EAGAIN, "%zd: %s", n, brood_error());
	check_reply(v, reply, n);
	brood_lease_end(options->lease);
	return n != -ENOTCONN;
}

bool jobs_give(struct brood *brood, const struct way *way, struct brood_verdict *ret_verdict)
{
	struct brood_job_options options = { .size = sizeof options,
		.dispatch = way->dispatch,
		.arg = &way->naps,
		.arg_size = sizeof way->naps };
	bool given = way->kind == KIND_OPEN ? give_open(brood, &options, ret_verdict)
		: way->kind == KIND_CALL    ? give_call(brood, &options, ret_verdict)
		: way->kind == KIND_SUBMIT  ? give_submit(brood, &options, ret_verdict)
					    : give_lease(brood, &options, ret_verdict);

	return given && ret_verdict->outcome != BROOD_LOST;
}

bool jobs_hold(
	struct brood *brood, const struct way *way, struct brood_handle **ret_handle, int *ret_fd)
{
	struct brood_job_options options = { .size = sizeof options, .dispatch = way->dispatch };
	int r = brood_open(brood, holds, &options, ret_fd, ret_handle);

	CHECK_MSG(r == 0 || r == -ENOTCONN, "%d: %s", r, brood_error());
	return r == 0;
}
