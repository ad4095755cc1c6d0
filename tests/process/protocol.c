/* SPDX-License-Identifier: MIT */
/*
 * protocol.c - law 5: a worker that sends nonsense is killed and replaced, and costs the job that
 * it runs. Here the job itself writes to the worker's channel, as a stray pointer or a wrong fd
 * number might make it: bytes, frames that lie about themselves, messages that its state does not
 * allow, fds that nobody expects. On a lease it writes to the side socket, which the engine reads.
 * The next job runs, and the supervisor has as many fds open as
 * before.
 */
#define _GNU_SOURCE
#include "../helpers/pool.h"
#include "../../src/wire/frame.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(protocol, .timeout = 180);

struct nonsense {
	const char *what;
	void (*send)(int channel, struct brood_job *job);
};

/*
 * Finds a SEQPACKET socket of a worker by who made it: the supervisor made the channel, the engine
 * the side socket.
 */
static int socket_of_worker(bool of_engine)
{
	for (int fd = 3; fd < 256; fd++) {
		int type = 0;
		struct ucred maker;
		socklen_t size = sizeof type, maker_size = sizeof maker;

		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
			type == SOCK_SEQPACKET &&
			getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &maker, &maker_size) == 0 &&
			(maker.pid == getppid()) == !of_engine)
			return fd;
	}
	return -1;
}

static void bytes(int channel, size_t size)
{
	static unsigned char data[60000];

	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)(i * 73 + 11);
	CHECK_EQ(send(channel, data, size, MSG_NOSIGNAL), (ssize_t)size);
}
static void one_byte(int channel, struct brood_job *job)
{
	(void)job;
	bytes(channel, 1);
}
static void many_bytes(int channel, struct brood_job *job)
{
	(void)job;
	bytes(channel, 60000);
}

static void message(int channel, struct frame *f) { CHECK_EQ(frame_send(channel, f), 0); }

static void another_version(int channel, struct brood_job *job)
{
	struct frame f;

	(void)job;
	frame_begin(&f, MESSAGE_JOB_LOG)->header.version++;
	message(channel, &f);
}

static void a_lie_about_its_size(int channel, struct brood_job *job)
{
	struct frame f;

	(void)job;
	frame_begin(&f, MESSAGE_FINISHED);
	CHECK(send(channel, &f, f.header.size - 4, MSG_NOSIGNAL) > 0);
}

static void text_without_an_end(int channel, struct brood_job *job)
{
	struct frame f;

	(void)job;
	frame_begin(&f, MESSAGE_JOB_LOG);
	memset(f.job_log.text, 'x', sizeof f.job_log.text);
	CHECK(send(channel, &f, f.header.size, MSG_NOSIGNAL) > 0);
}

static void somebody_elses_words(int channel, struct brood_job *job)
{
	struct frame f;

	(void)job;
	message(channel, frame_begin(&f, MESSAGE_RUN));
}

static void ready_twice(int channel, struct brood_job *job)
{
	struct frame f;

	(void)job;
	frame_begin(&f, MESSAGE_READY)->birth.ready.pid = getpid();
	message(channel, &f);
}

static void another_jobs_end(int channel, struct brood_job *job)
{
	struct frame f;

	frame_begin(&f, MESSAGE_FINISHED)->finished.id = brood_job_id(job) + 1;
	message(channel, &f);
}

static void another_jobs_escape(int channel, struct brood_job *job)
{
	struct frame f;

	frame_begin(&f, MESSAGE_ESCAPED)->escaped.id = brood_job_id(job) + 1;
	f.escaped.how = ESCAPED_LONGJMP;
	message(channel, &f);
}

static void fds_for_nobody(int channel, struct brood_job *job)
{
	struct frame f;

	(void)job;
	frame_begin(&f, MESSAGE_READY);
	for (f.fds_count = 0; f.fds_count < 3; f.fds_count++)
		f.fds[f.fds_count] = STDERR_FILENO;
	frame_send(channel, &f);
}

static const struct nonsense kinds[] = {
	{ "one byte", one_byte },
	{ "60000 bytes", many_bytes },
	{ "another version", another_version },
	{ "a lie about its size", a_lie_about_its_size },
	{ "text without an end", text_without_an_end },
	{ "the supervisor's words", somebody_elses_words },
	{ "ready twice", ready_twice },
	{ "another job's end", another_jobs_end },
	{ "another job's escape", another_jobs_escape },
	{ "fds for nobody", fds_for_nobody },
};
#define KINDS (sizeof kinds / sizeof kinds[0])

struct talk {
	unsigned kind;
	uint32_t path;
};

static int job_talks(struct brood_job *job)
{
	const struct talk *talk = brood_job_arg(job, NULL);

	kinds[talk->kind].send(socket_of_worker(talk->path == BROOD_PATH_LEASE), job);
	return job_sleep_forever(job);
}

static unsigned protocol_lines;

static void log_line(void *context, const struct brood_log *log)
{
	(void)context;
	note("log: %s", log->text);
	protocol_lines += log->event == BROOD_EVENT_PROTOCOL;
}

static void costs_its_worker(struct brood *brood, unsigned kind, uint32_t path)
{
	struct talk talk = { kind, path };
	const struct brood_job_options options = { .size = sizeof options,
		.run_ms = 60000,
		.dispatch = path,
		.arg = &talk,
		.arg_size = sizeof talk };
	struct brood_verdict v;
	uint64_t died = pool_stats(brood).died;

	v = pool_call_with(brood, job_talks, &options);
	CHECK_MSG(v.outcome == BROOD_CRASHED && v.detail == BROOD_DETAIL_PROTOCOL, "%s: %s, %s",
		kinds[kind].what, brood_outcome_name(v.outcome), brood_detail_name(v.detail));
	CHECK(v.started && v.pid > 0);
	CHECK(WAIT_UNTIL(pool_stats(brood).died == died + 1 && pool_full(brood), 10000));
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
}

static void every_kind(void)
{
	/* More equal lines than these would be folded. */
	const struct brood_options options = {
		.size = sizeof options, .workers = 2, .flags = BROOD_NO_CORE, .log = log_line
	};
	struct brood *brood = pool_start(&options);
	int fds = proc_fds(proc_supervisor());

	for (unsigned kind = 0; kind < KINDS; kind++) {
		costs_its_worker(brood, kind, BROOD_PATH_HANDOFF);
		costs_its_worker(brood, kind, BROOD_PATH_LEASE);
	}
	CHECK(WAIT_UNTIL(proc_fds(proc_supervisor()) == fds, 10000));
	CHECK_GT(protocol_lines, 0);
	pool_stop(brood);
}

Test(protocol, nonsense_costs_its_worker) { case_run(every_kind, 120000); }

/* ---- a line past brood_job_log() ---- */

static int job_forges(struct brood_job *job)
{
	struct frame f;

	frame_begin(&f, MESSAGE_JOB_LOG);
	f.job_log.level = BROOD_WARNING;
	f.job_log.id = brood_job_id(job);
	strcpy(f.job_log.text, "said\nforged: a line\t\x1b[2J\n");
	message(socket_of_worker(false), &f);
	return 0;
}

static char heard[512];

static void hear_line(void *context, const struct brood_log *log)
{
	(void)context;
	if (log->event == BROOD_EVENT_JOB_LOG)
		strncpy(heard, log->text, sizeof heard - 1);
}

static void forged(void)
{
	const struct brood_options options = {
		.size = sizeof options, .workers = 1, .log = hear_line
	};
	struct brood *brood = pool_start(&options);
	struct brood_verdict v = POOL_CALL(brood, job_forges);

	verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK(WAIT_UNTIL((brood_dispatch(brood), heard[0] != '\0'), 10000));
	CHECK_STR(heard, "said forged: a line  [2J");
	pool_stop(brood);
}

Test(protocol, a_job_writes_one_line_at_a_time) { case_run(forged, 20000); }
