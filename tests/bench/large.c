/* SPDX-License-Identifier: MIT */
/*
 * large.c - calls with a large request or a large reply. The buffers are made once, so that only
 * the transport of the bytes is measured. The job sums one byte of each page, because a reader
 * would touch every page.
 */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct brood *brood;
static char *room; /* in the engine */

/* In a worker: its first job makes the memory. */
static char *memory(size_t size)
{
	static char *made;

	if (!made && (made = malloc(size)))
		memset(made, 7, size);
	return made;
}

static int job_replies(struct brood_job *job)
{
	size_t size;

	if (brood_job_read_all(job, &size, sizeof size) != (ssize_t)sizeof size || !memory(size))
		return 1;
	return brood_job_reply(job, memory(size), size) == (ssize_t)size ? 0 : 2;
}

static int job_reads(struct brood_job *job)
{
	static char piece[65536];
	size_t all = 0;
	ssize_t n;

	while ((n = brood_job_read(job, piece, sizeof piece)) > 0)
		all += (size_t)n;
	return n == 0 && brood_job_reply(job, &all, sizeof all) == (ssize_t)sizeof all ? 0 : 1;
}

static void large_open(const struct params *p)
{
	brood = pool_start(p, NULL);
	room = malloc(p->bytes);
	station_need(room, "malloc");
	memset(room, 7, p->bytes);
}

static void check_call(ssize_t n, size_t expected, const struct brood_verdict *v, uint32_t path)
{
	if (n != (ssize_t)expected)
		station_fail("brood_call: %zd instead of %zu: %s", n, expected, brood_error());
	pool_check(v, v->id, path);
}

static void reply_block(const struct params *p, uint32_t jobs, double *values)
{
	size_t size = p->bytes;
	struct brood_verdict v;
	uint64_t began = now_ns();

	for (uint32_t i = 0; i < jobs; i++) {
		room[size - 1] = 0;
		check_call(brood_call(brood, job_replies, &size, sizeof size, room, size, NULL, &v),
			size, &v, p->path);
		if (room[size - 1] != 7)
			station_fail("the reply is not what was sent");
	}
	values[0] = us_each(now_ns() - began, jobs);
}

static void request_block(const struct params *p, uint32_t jobs, double *values)
{
	size_t size = p->bytes, got = 0;
	struct brood_verdict v;
	uint64_t began = now_ns();

	for (uint32_t i = 0; i < jobs; i++) {
		check_call(brood_call(brood, job_reads, room, size, &got, sizeof got, NULL, &v),
			sizeof got, &v, p->path);
		if (got != size)
			station_fail("the job read %zu bytes of %zu", got, size);
	}
	values[0] = us_each(now_ns() - began, jobs);
}

const struct kind bench_reply = { large_open, reply_block, NULL };
const struct kind bench_request = { large_open, request_block, NULL };
