/* SPDX-License-Identifier: MIT */
/*
 * conformance_replies.c - replies that the caller of brood_call() reads in place
 * (options.ret_reply): of each size, of jobs that fail, crash and are tried again. And replies that
 * the job fills in place (brood_job_reply_memory()).
 */
#include "../helpers/conformance.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

TestSuite(conformance, .timeout = 1000);

#define MIB ((size_t)1 << 20)

static unsigned char byte_at(size_t i) { return (unsigned char)((i * 2654435761u) >> 11); }

struct wish {
	size_t size;
	int how; /* 0: done; 1: fails; 2: crashes; 3: crashes the first time */
};

static int replies(struct brood_job *job)
{
	static unsigned char piece[100000];
	struct wish wish = *(const struct wish *)brood_job_arg(job, NULL);

	for (size_t at = 0, n; at < wish.size; at += n) {
		n = wish.size - at < sizeof piece ? wish.size - at : sizeof piece;
		for (size_t i = 0; i < n; i++)
			piece[i] = byte_at(at + i);
		if (brood_job_write(job, piece, n) != (ssize_t)n)
			return 1;
	}
	if (wish.how == 2 || (wish.how == 3 && brood_job_attempt(job) == 1))
		raise(SIGKILL);
	return wish.how == 1 ? 42 : 0;
}

static ssize_t call(struct site *s, const struct wish *wish, const void *request, size_t size,
	struct brood_reply **ret_reply, struct brood_verdict *v)
{
	struct brood_job_options options = { .size = sizeof options,
		.arg = wish,
		.arg_size = sizeof *wish,
		.pool = site_pool(s),
		.ret_reply = ret_reply,
		.retries = wish->how == 3,
		.lease = site_is(s, WAY(RING_PINNED_CALL)) ? site_lease(s) : NULL,
		.dispatch = site_is(s, HANDOFF) ? BROOD_PATH_HANDOFF : BROOD_PATH_LEASE };

	return brood_call(s->brood, replies, request, size, NULL, 0, &options, v);
}

static void is_pattern(const struct brood_reply *reply, size_t size)
{
	const unsigned char *data;

	if (size == 0) {
		CHECK(!reply);
		return;
	}
	CHECK(reply);
	CHECK_EQ(reply->size, sizeof *reply);
	CHECK_EQ(reply->data_size, size);
	data = reply->data;
	for (size_t i = 0; i < size; i++)
		if (data[i] != byte_at(i))
			CHECK_MSG(false, "byte %zu of %zu is wrong", i, size);
}

static const size_t sizes[] = { 0, 1, 1000, 65536, 65537, 300000, 3 * MIB };
#define SIZES (sizeof sizes / sizeof sizes[0])

static void in_place_replies(struct site *s)
{
	struct brood_reply *kept[SIZES];
	struct brood_verdict v;
	char *request = calloc(1, 200000);

	for (size_t i = 0; i < 2 * SIZES; i++) {
		struct wish wish = { .size = sizes[i / 2], .how = (int)(i % 2) };

		if (i % 2 && kept[i / 2])
			kept[i / 2] = brood_reply_free(kept[i / 2]);
		CHECK_EQ(call(s, &wish, request, i % 3 ? 0 : 200000, &kept[i / 2], &v),
			(ssize_t)wish.size);
		CHECK_EQ(v.outcome, wish.how ? BROOD_FAILED : BROOD_DONE);
		CHECK_EQ(v.reply_size, wish.size);
		is_pattern(kept[i / 2], wish.size);
	}
	/* later jobs, and their end, change nothing */
	for (size_t i = 0; i < SIZES; i++) {
		is_pattern(kept[i], sizes[i]);
		CHECK(!brood_reply_free(kept[i]));
	}
	free(request);
	site_well(s);
}
CASE(in_place_replies, CALLS)

static void again_in_place(struct site *s)
{
	struct brood_reply *reply;
	struct brood_verdict v;

	for (size_t i = 0; i < SIZES; i++) {
		struct wish wish = { .size = sizes[i], .how = 3 };

		CHECK_EQ(call(s, &wish, NULL, 0, &reply, &v), (ssize_t)wish.size);
		CHECK_EQ(v.outcome, BROOD_DONE);
		CHECK_EQ(v.attempts, 2);
		is_pattern(reply, wish.size);
		brood_reply_free(reply);
	}
	site_well(s);
}
/* A pinned lease has no other worker. */
CASE(again_in_place, (WAY(HANDOFF_CALL) | WAY(RING_CALL)) | ALONE)

/* What the job had written is there, unless that was large and the job was on a lease. */
static void crash_in_place(struct site *s)
{
	struct brood_reply *reply;
	struct brood_verdict v;

	for (size_t i = 0; i < SIZES; i++) {
		struct wish wish = { .size = sizes[i], .how = 2 };

		CHECK_EQ(call(s, &wish, NULL, 0, &reply, &v), -EREMOTEIO);
		CHECK_EQ(v.outcome, BROOD_CRASHED);
		if (wish.size <= 65536 || site_is(s, HANDOFF))
			is_pattern(reply, wish.size);
		else
			CHECK(!reply);
		brood_reply_free(reply);
	}
	site_well(s);
}
CASE(crash_in_place, CALLS | ALONE)

/* ---- the job fills its reply in place ---- */

struct fill {
	size_t size;
	int code;
};

static int fills(struct brood_job *job)
{
	struct fill fill = *(const struct fill *)brood_job_arg(job, NULL);
	unsigned char *memory = brood_job_reply_memory(job, fill.size);

	if (!memory)
		return 100;
	for (size_t i = 0; i < fill.size; i++) {
		if (memory[i] != 0)
			return 101;
		if (i % 7 != 3)
			memory[i] = byte_at(i);
	}
	if (brood_job_write(job, "x", 1) != -EPIPE || brood_job_reply(job, "x", 1) != -EPIPE)
		return 102;
	errno = 0;
	if (brood_job_reply_memory(job, 1) || errno != EPIPE)
		return 103;
	return fill.code;
}

static void filled_is(const struct given *g, size_t size)
{
	CHECK_EQ(g->v.reply_size, size);
	CHECK_EQ(g->reply_size, size);
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)g->reply[i] != (i % 7 != 3 ? byte_at(i) : 0))
			CHECK_MSG(false, "byte %zu of %zu is wrong", i, size);
}

static void filled(struct site *s)
{
	for (size_t i = 1; i < SIZES; i++)
		for (int code = 0; code < 2; code++) {
			struct fill fill = { .size = sizes[i], .code = code };
			struct given *g = RUN(s, fills, .room = 3 * MIB, .options.arg = &fill,
				.options.arg_size = sizeof fill);

			expect(g, code ? BROOD_FAILED : BROOD_DONE, BROOD_DETAIL_NONE);
			CHECK_EQ(g->v.code, code);
			CHECK_EQ(g->v.left, 0);
			filled_is(g, sizes[i]);
		}
	site_well(s);
}
CASE(filled, BYTES)

static int fills_wrongly(struct brood_job *job)
{
	errno = 0;
	if (brood_job_reply_memory(job, 0) || errno != EINVAL)
		return 1;
	errno = 0;
	if (brood_job_reply_memory(job, SIZE_MAX / 2) || (errno != ENOMEM && errno != EFBIG))
		return 2;
	return brood_job_reply(job, "well", 4) == 4 ? 0 : 3;
}

static int fills_and_dies(struct brood_job *job)
{
	unsigned char *memory = brood_job_reply_memory(job, MIB);

	if (memory)
		memory[0] = 1;
	raise(SIGKILL);
	return 1;
}

/* A child of the job has no part in the reply, and does not keep it from being sealed. */
static int fills_beside_a_child(struct brood_job *job)
{
	unsigned char *memory = brood_job_reply_memory(job, MIB);
	pid_t child = memory ? fork() : -1;

	if (child == 0)
		pause();
	if (child < 0)
		return 1;
	memory[MIB - 1] = 9;
	return 0;
}

static void filled_oddly(struct site *s)
{
	struct given *g = RUN(s, fills_wrongly);

	expect(g, BROOD_DONE, BROOD_DETAIL_NONE);
	CHECK_EQ(g->reply_size, 4);
	g = RUN(s, fills_and_dies);
	CHECK_EQ(g->v.outcome, BROOD_CRASHED);
	CHECK_EQ(g->v.reply_size, 0);
	g = RUN(s, fills_beside_a_child, .room = MIB);
	CHECK_EQ(g->v.outcome, BROOD_DONE);
	CHECK_EQ(g->v.left, BROOD_LEFT_CHILDREN);
	CHECK_EQ(g->reply_size, MIB);
	CHECK_EQ(g->reply[MIB - 1], 9);
	site_well(s);
}
CASE(filled_oddly, BYTES | ALONE)

static void wrong_place(struct site *s)
{
	struct brood_reply *reply = (struct brood_reply *)s;
	struct brood_job_options options = { .size = sizeof options, .ret_reply = &reply };
	struct wish wish = { .size = 10 };
	char room[10];

	options.arg = &wish;
	options.arg_size = sizeof wish;
	CHECK_EQ(
		brood_call(s->brood, replies, NULL, 0, room, sizeof room, &options, NULL), -EINVAL);
	CHECK(!reply);
	CHECK_CONTAINS(brood_error(), "ret_reply");
	CHECK(!brood_reply_free(NULL));
}
CASE(wrong_place, CALLS | ALONE)
