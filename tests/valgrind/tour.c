/* SPDX-License-Identifier: MIT */
/*
 * tour.c - a plain program that goes once through everything that a Brood does: jobs of all kinds,
 * every end that a job can have, workers and the guard killed, cancel, init data, logs, stop. Run
 * under valgrind by tests/valgrind/run, which reads what valgrind says of each process. Exit status
 * 0: all came out as it should.
 */
#include <brood.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXPECT(e)                                                                   \
	do {                                                                        \
		if (!(e)) {                                                         \
			fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #e, \
				brood_error());                                     \
			exit(1);                                                    \
		}                                                                   \
	} while (0)
#define WAIT_MS 120000u

static struct brood *brood;
static unsigned lines;

static void on_log(void *context, const struct brood_log *log)
{
	(void)context;
	lines += log->text[0] != '\0';
}

/* ---- jobs ---- */

static int echo(struct brood_job *job)
{
	char buffer[4096];
	ssize_t n;

	while ((n = brood_job_read(job, buffer, sizeof buffer)) > 0)
		if (brood_job_write(job, buffer, (size_t)n) != n)
			return 1;
	return (int)n;
}
static int fails(struct brood_job *job) { return (int)brood_job_attempt(job) + 6; }
static int __attribute__((noreturn)) exits(struct brood_job *job)
{
	(void)job;
	exit(3);
}
static int __attribute__((noreturn)) aborts(struct brood_job *job)
{
	(void)job;
	abort();
}
static int kills_itself(struct brood_job *job)
{
	if (brood_job_attempt(job) < 3)
		raise(SIGKILL);
	return 0;
}
static int __attribute__((noreturn)) hangs(struct brood_job *job)
{
	(void)job;
	for (;;)
		pause();
}
static int until_cancelled(struct brood_job *job)
{
	struct pollfd p = { .fd = brood_job_cancel_fd(job), .events = POLLIN };

	while (!brood_job_cancelled(job))
		poll(&p, 1, (int)WAIT_MS);
	return 42;
}
static int leaves_much(struct brood_job *job)
{
	sigset_t all;
	size_t size;

	brood_job_arg(job, &size);
	sigfillset(&all);
	if (sigprocmask(SIG_SETMASK, &all, NULL) < 0 || chdir("/") < 0 || dup(0) < 0)
		return 1;
	return brood_job_log(job, BROOD_NOTICE, "left: %zu", size);
}
static int forks(struct brood_job *job)
{
	pid_t pid = fork();
	int status;

	(void)job;
	if (pid == 0)
		_exit(5);
	return waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 5 ? 0 : 1;
}
static int tells_data(struct brood_job *job)
{
	struct brood_init_data data;

	if (brood_get_init_data(&data) < 0 || data.version == 0)
		return 0;
	return brood_job_reply(job, data.data, data.data_size) == (ssize_t)data.data_size &&
			data.fds_count == 1
		? (int)data.version
		: -1;
}

static int init(void *context) { return context == &brood ? 0 : 1; }
static void fini(void *context)
{
	if (context != &brood)
		abort();
}

/* ---- the tour ---- */

static struct brood_verdict end_of(brood_fn *fn, const struct brood_job_options *options)
{
	struct brood_verdict v;
	char reply[64], line[256];

	memset(&v, 0, sizeof v);
	brood_call(brood, fn, "request", 7, reply, sizeof reply, options, &v);
	EXPECT(brood_verdict_format(&v, line, sizeof line) > 0);
	return v;
}

static void ends(void)
{
	struct brood_job_options o = {
		.size = sizeof o, .arg = "argument", .arg_size = 8, .retries = 3
	};
	struct brood_verdict v;

	EXPECT(end_of(echo, NULL).outcome == BROOD_DONE);
	EXPECT(end_of(fails, &o).code == 7);
	EXPECT(end_of(exits, NULL).code == 3);
	EXPECT(end_of(aborts, NULL).signal == SIGABRT);
	EXPECT(end_of(forks, NULL).outcome == BROOD_DONE);
	v = end_of(leaves_much, &o);
	EXPECT(v.outcome == BROOD_DONE && v.left & BROOD_LEFT_FDS && v.left & BROOD_LEFT_MASK);
	v = end_of(kills_itself, &o);
	EXPECT(v.outcome == BROOD_DONE && v.attempts == 3);
	o = (struct brood_job_options){ .size = sizeof o, .run_ms = 200 };
	EXPECT(end_of(hangs, &o).outcome == BROOD_TIMED_OUT);
	o.grace_ms = WAIT_MS;
	EXPECT(end_of(until_cancelled, &o).code == 42);
	EXPECT(end_of((brood_fn *)(uintptr_t)&lines, NULL).detail == BROOD_DETAIL_BAD_POINTER);
}

static void handles(void)
{
	struct brood_job_options o = { .size = sizeof o, .grace_ms = WAIT_MS };
	struct brood_handle *h;
	struct brood_verdict v;
	int fd, pair[2];
	char c;

	EXPECT(brood_open(brood, echo, NULL, &fd, &h) == 0);
	EXPECT(write(fd, "x", 1) == 1 && read(fd, &c, 1) == 1 && c == 'x');
	close(fd);
	EXPECT(brood_wait(h, WAIT_MS, &v) == 0 && v.outcome == BROOD_DONE);
	brood_release(h);
	EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	EXPECT(brood_give(brood, echo, pair[1], NULL, &h) == 0);
	EXPECT(write(pair[0], "y", 1) == 1 && read(pair[0], &c, 1) == 1 && c == 'y');
	close(pair[0]);
	EXPECT(brood_wait(h, WAIT_MS, &v) == 0 && v.outcome == BROOD_DONE);
	brood_release(h);
	EXPECT(brood_open(brood, until_cancelled, &o, &fd, &h) == 0);
	EXPECT(brood_cancel(brood, brood_id(h)) == 0);
	EXPECT(brood_wait(h, WAIT_MS, &v) == 0 && (v.outcome == BROOD_CANCELLED || v.code == 42));
	brood_release(h);
	close(fd);
}

static void data(void)
{
	int fds[] = { 2 }, version = brood_set_init_data(brood, "some data", 9, fds, 1);
	char reply[64] = "";
	struct brood_verdict v;

	EXPECT(version == 1);
	do { /* until a worker born after it answers */
		end_of(exits, NULL);
		brood_call(brood, tells_data, NULL, 0, reply, sizeof reply, NULL, &v);
	} while (v.outcome == BROOD_DONE);
	EXPECT(v.code == version && memcmp(reply, "some data", 9) == 0);
}

static void *caller(void *arg)
{
	char request[3000], reply[3000];

	memset(request, *(const char *)arg, sizeof request);
	for (int i = 0; i < 15; i++) {
		EXPECT(brood_call(brood, echo, request, sizeof request, reply, sizeof reply, NULL,
			       NULL) == sizeof reply);
		EXPECT(memcmp(request, reply, sizeof reply) == 0);
	}
	return NULL;
}

static void threads(void)
{
	static const char names[] = "abcd";
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		EXPECT(pthread_create(&t[i], NULL, caller, (void *)(uintptr_t)&names[i]) == 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

/* Replies with a descriptor. The first item is late, so that the others wait for it. */
static int late_first(struct brood_job *job)
{
	size_t size;
	const void *request = brood_job_request(job, &size);
	int fd = 2;

	if (size == 1)
		usleep(100000);
	if (size == 20)
		abort();
	return brood_job_reply_fds(job, &fd, 1) == 0 &&
			brood_job_reply(job, request, size) == (ssize_t)size
		? 0
		: 1;
}

static int on_item(void *context, size_t index, const struct brood_result *result)
{
	size_t *last = context;

	EXPECT(result->verdict.outcome == (index == 19 ? BROOD_CRASHED : BROOD_DONE));
	EXPECT(index == 19 || (result->reply_size == index + 1 && result->fds_count == 1));
	return index == *last;
}

/* To the end, and to an end in the middle: what waits for its turn then is dropped. */
static void maps(void)
{
	struct brood_map_options o = { .size = sizeof o, .flags = BROOD_MAP_ORDERED };
	struct iovec items[40];
	char bytes[40] = { 0 };

	for (size_t i = 0; i < 40; i++)
		items[i] = (struct iovec){ bytes, i + 1 };
	for (size_t last = 40; last > 2; last /= 10)
		EXPECT(brood_map(brood, late_first, items, 40, &o, on_item, &last) ==
			(last < 40 ? (ssize_t)last + 1 : 40));
	items[0].iov_len = 0;
	EXPECT(brood_map(brood, late_first, items, 1, NULL, NULL, NULL) == -EINVAL);
}

int main(int argc, char **argv)
{
	struct brood_options options = {
		.size = sizeof options,
		.workers = 3,
		.spawn = argc > 1 ? (uint32_t)atoi(argv[1]) : 0,
		.flags = BROOD_NO_CORE,
		.init_ms = WAIT_MS,
		.queue_ms = WAIT_MS,
		.run_ms = WAIT_MS,
		.drain_ms = WAIT_MS,
		.stop_ms = WAIT_MS,
		.worker_init = init,
		.worker_exit = fini,
		.hook_context = &brood,
		.log = on_log,
		.worker_memory = 1 << 28,
	};
	struct brood_stats stats;

	EXPECT(brood_start(&options, &brood) == 0);
	EXPECT(brood_fd(brood) >= 0 && brood_wait_ready(brood, WAIT_MS) == 0);
	ends();
	handles();
	data();
	threads();
	maps();
	EXPECT(brood_dispatch(brood) >= 0 && brood_rearm() == 0 && brood_notify_ready(brood) == 0);
	EXPECT(brood_stats(brood, &stats) == 0 && stats.died >= 4 && stats.spawned > 4);
	EXPECT(brood_wait_ready(brood, WAIT_MS) == 0);
	EXPECT(brood_stop(brood) == 0);
	EXPECT(lines > 0);
	puts("the tour is over");
	return 0;
}
