/* SPDX-License-Identifier: MIT */
/*
 * conformance_large.c - large requests and replies of jobs that do not reach their end, or want a
 * part only. Bytes that were written before a death are there, another attempt gets the whole
 * request again, and a cancel does not wait for bytes that nobody reads.
 */
#include "../helpers/conformance.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

TestSuite(conformance, .timeout = 1000);

#define MIB ((size_t)1 << 20)

static unsigned char byte_at(size_t i) { return (unsigned char)((i * 2654435761u) >> 11); }

static unsigned char *pattern(size_t size)
{
	unsigned char *p = malloc(size);

	CHECK(p);
	for (size_t i = 0; i < size; i++)
		p[i] = byte_at(i);
	return p;
}

/* Writes `number` bytes of the pattern. */
static int writes(struct brood_job *job)
{
	static unsigned char piece[100000];
	size_t size = (size_t)said(job)->number;

	for (size_t at = 0, n; at < size; at += n) {
		n = size - at < sizeof piece ? size - at : sizeof piece;
		for (size_t i = 0; i < n; i++)
			piece[i] = byte_at(at + i);
		if (brood_job_write(job, piece, n) != (ssize_t)n)
			return 1;
	}
	return 0;
}
static int writes_and_dies(struct brood_job *job)
{
	if (writes(job) == 0)
		abort();
	return 1;
}

static void so_far(struct site *s)
{
	static const size_t sizes[] = { 1000, 70000, 2 * MIB };
	unsigned char *whole = pattern(2 * MIB);

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct given *g = RUN(
			s, writes_and_dies, .number = (long)sizes[i], .room = 2 * MIB);

		expect(g, BROOD_CRASHED, BROOD_DETAIL_NONE);
		CHECK_EQ(g->v.reply_size, sizes[i]);
		CHECK_MEM(g->reply, whole, sizes[i]);
		/* A large request, too. */
		g = RUN(s, writes_and_dies, .request = whole, .size = MIB, .number = (long)sizes[i],
			.room = 2 * MIB);
		expect(g, BROOD_CRASHED, BROOD_DETAIL_NONE);
		CHECK_EQ(g->v.reply_size, sizes[i]);
		CHECK_MEM(g->reply, whole, sizes[i]);
	}
	free(whole);
	site_well(s);
}
CASE(so_far, CALLS | ALONE)

/* The first attempt reads a part, writes a part, and is killed. The next sends the request back. */
static int dies_once(struct brood_job *job)
{
	static unsigned char data[3 * MIB];
	size_t size = brood_job_request_size(job);

	if (brood_job_attempt(job) == 1) {
		if (brood_job_read_all(job, data, size / 2) != (ssize_t)(size / 2) ||
			brood_job_write(job, data, size / 2) != (ssize_t)(size / 2))
			return 1;
		raise(SIGKILL);
	}
	if (brood_job_read_all(job, data, sizeof data) != (ssize_t)size)
		return 2;
	return brood_job_reply(job, data, size) == (ssize_t)size ? 0 : 3;
}

static void attempts(struct site *s)
{
	static const size_t sizes[] = { 1000, 300000, 3 * MIB };
	unsigned char *whole = pattern(3 * MIB);

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct given *g = RUN(s, dies_once, .request = whole, .size = sizes[i],
			.room = 3 * MIB, .options.retries = 1);

		CHECK_EQ(g->v.outcome, BROOD_DONE);
		CHECK_EQ(g->v.attempts, 2);
		CHECK_EQ(g->v.reply_size, sizes[i]);
		CHECK_MEM(g->reply, whole, sizes[i]);
	}
	free(whole);
	site_well(s);
}
/* A pinned lease has no other worker. */
CASE(attempts, WAY(HANDOFF_CALL) | WAY(RING_CALL) | ALONE)

static int reads_nothing(struct brood_job *job)
{
	atomic_fetch_add(&said(job)->stage->entered, 1);
	while (!brood_job_cancelled(job))
		usleep(1000);
	return 42;
}

static void unread(struct site *s)
{
	unsigned char *whole = pattern(3 * MIB);
	unsigned before = atomic_load(&s->stage->entered);
	struct given *g = GIVE(s, reads_nothing, .request = whole, .size = 3 * MIB,
		.options = { .run_ms = BROOD_FOREVER, .grace_ms = BROOD_FOREVER });

	CHECK(stage_entered(s, before + 1));
	CHECK_EQ(brood_cancel(s->brood, given_id(g)), 0);
	finish(g);
	CHECK_EQ(g->v.outcome, BROOD_FAILED);
	CHECK_EQ(g->v.code, 42);
	free(whole);
	site_well(s);
}
CASE(unread, CALLS | ALONE)

/* A job that closes fds that are not its own loses its reply. No other job loses any. */
static int closes_all(struct brood_job *job)
{
	static unsigned char data[MIB];

	for (int fd = 3; fd < 1000; fd++)
		close(fd);
	return brood_job_reply(job, data, sizeof data) == (ssize_t)sizeof data ? 0 : 1;
}

static void closed(struct site *s)
{
	unsigned char *whole = pattern(MIB);
	struct given *g;

	for (int i = 0; i < 2; i++) {
		g = RUN(s, closes_all, .request = whole, .size = i ? MIB : 10, .room = MIB);
		CHECK_NE(g->v.outcome, BROOD_DONE);
		CHECK_NE(g->v.outcome, BROOD_TIMED_OUT);
		CHECK_LT(g->n, 0);
		site_well(s);
	}
	free(whole);
}
CASE(closed, CALLS | ALONE)

/* More threads than workers: the thread that looks moves the bytes of all. */
static int sends_back(struct brood_job *job)
{
	static unsigned char data[2 * MIB];
	ssize_t n = brood_job_read_all(job, data, sizeof data);

	return n >= 0 && brood_job_reply(job, data, (size_t)n) == n ? 0 : 1;
}

static void shared_workers(struct site *s)
{
	unsigned char *whole = pattern(2 * MIB);

	for (size_t size = 100000; size <= 2 * MIB; size *= 3) {
		struct given *g = RUN(s, sends_back, .request = whole, .size = size, .room = size,
			.options.queue_ms = 60000);

		expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_EQ(g->reply_size, size);
		CHECK_MEM(g->reply, whole, size);
	}
	free(whole);
}
CASE(shared_workers, BYTES, .workers = 2)
