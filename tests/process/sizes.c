/* SPDX-License-Identifier: MIT */
/*
 * sizes.c - large requests and replies that one side does not want, or not yet; sockets that are
 * closed in one direction, or at any moment. Every call ends, and says the truth about its bytes.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(sizes, .timeout = 240);

#define MIB ((size_t)1 << 20)

static struct brood *brood;
/* 64 MiB each: the engine makes them, workers know nothing of them */
static unsigned char *big, *back;
static int fds_at_most; /* when all is over; -1: not checked, because leases keep some */

static unsigned char byte_at(size_t i) { return (unsigned char)((i * 2654435761u) >> 13); }

static void start(enum brood_path path)
{
	struct brood_options options = { .workers = 2,
		.queue_ms = 120000,
		.run_ms = 120000,
		.dispatch = path,
		.log = note_log };

	brood = pool_start(&options);
	fds_at_most = path == BROOD_PATH_HANDOFF ? proc_own_fds() : -1;
	big = malloc(64 * MIB);
	back = malloc(64 * MIB);
	CHECK(big && back);
	for (size_t i = 0; i < 64 * MIB; i++)
		big[i] = byte_at(i);
}

static void well_and_stop(uint64_t died)
{
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	for (int i = 0; i < 4; i++)
		CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	CHECK_EQ(pool_stats(brood).died, died);
	if (fds_at_most >= 0)
		CHECK_LE(proc_own_fds(), fds_at_most);
	pool_stop(brood);
}

/* ---- a request that is not read ---- */

static int reads_nothing(struct brood_job *job)
{
	return brood_job_request_size(job) == 64 * MIB ? 0 : 1;
}
static int reads_one(struct brood_job *job)
{
	char c;

	return brood_job_read(job, &c, 1) == 1 && brood_job_write(job, &c, 1) == 1 ? 0 : 1;
}
static int replies_and_reads_nothing(struct brood_job *job)
{
	return brood_job_reply(job, "enough", 6) == 6 ? 0 : 1;
}
static int closes_at_once(struct brood_job *job) { return close(brood_job_fd(job)); }
static int ends_reading(struct brood_job *job)
{
	return shutdown(brood_job_fd(job), SHUT_RD) < 0 || brood_job_write(job, "x", 1) != 1;
}
static int dies_in_between(struct brood_job *job)
{
	char text[5000];

	if (brood_job_read_all(job, text, sizeof text) == sizeof text &&
		brood_job_write(job, text, sizeof text) == sizeof text)
		abort();
	return 1;
}

static void unread(void)
{
	struct brood_job_options short_time = {
		.size = sizeof short_time, .run_ms = 100, .grace_ms = 10
	};
	struct brood_verdict v;

	start(BROOD_PATH_HANDOFF); /* jobs that do things to their socket */
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(brood_call(brood, reads_nothing, big, 64 * MIB, NULL, 0, NULL, &v), 0);
		verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_EQ(brood_call(brood, reads_one, big, 64 * MIB, back, 10, NULL, &v), 1);
		CHECK_EQ(back[0], big[0]);
		CHECK_EQ(brood_call(brood, replies_and_reads_nothing, big, 64 * MIB, back, 10, NULL,
				 &v),
			6);
		CHECK_EQ(brood_call(brood, closes_at_once, big, 64 * MIB, back, 10, NULL, &v), 0);
		verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_EQ(brood_call(brood, ends_reading, big, 64 * MIB, back, 10, NULL, &v), 1);
		verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
	}
	CHECK_EQ(brood_call(
			 brood, job_sleep_forever, big, 64 * MIB, back, 64 * MIB, &short_time, &v),
		-ETIMEDOUT);
	verdict_is(&v, BROOD_TIMED_OUT, BROOD_DETAIL_NONE);
	CHECK_EQ(brood_call(brood, dies_in_between, big, 64 * MIB, back, 64 * MIB, NULL, &v),
		-EREMOTEIO);
	verdict_is(&v, BROOD_CRASHED, BROOD_DETAIL_NONE);
	CHECK_EQ(v.reply_size, 5000);
	CHECK_MEM(back, big, 5000);
	well_and_stop(2);
}
Test(sizes, request_that_is_not_read) { case_run(unread, 120000); }

/* ---- a reply for which there is no room ---- */

static int replies_64(struct brood_job *job)
{
	unsigned char block[65536];

	for (size_t i = 0; i < 64 * MIB; i += sizeof block) {
		for (size_t k = 0; k < sizeof block; k++)
			block[k] = byte_at(i + k);
		if (brood_job_write(job, block, sizeof block) != (ssize_t)sizeof block)
			return 1;
	}
	return 0;
}

static void no_room(enum brood_path path)
{
	static const size_t rooms[] = { 0, 1, 65536, MIB + 1, 64 * MIB - 1 };
	struct brood_verdict v;

	start(path);
	for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
		memset(back, 0xee, 64 * MIB);
		CHECK_EQ(brood_call(brood, replies_64, NULL, 0, rooms[i] ? back : NULL, rooms[i],
				 NULL, &v),
			-EMSGSIZE);
		verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_EQ(v.reply_size, 64 * MIB);
		CHECK_MEM(back, big, rooms[i]);
		CHECK_EQ(back[rooms[i]], 0xee); /* not a byte more */
		CHECK_CONTAINS(brood_error(), "67108864");
	}
	/* with a request that it does not read */
	CHECK_EQ(brood_call(brood, replies_64, big, 64 * MIB, back, 64 * MIB, NULL, &v), 64 * MIB);
	CHECK_MEM(back, big, 64 * MIB);
	well_and_stop(0);
}
static void no_room_handed_off(void) { no_room(BROOD_PATH_HANDOFF); }
static void no_room_on_lease(void) { no_room(BROOD_PATH_LEASE); }
Test(sizes, reply_without_room)
{
	case_run(no_room_handed_off, 120000);
	case_run(no_room_on_lease, 120000);
}

/* ---- first 10 MiB out, then 10 MiB in ---- */

static int writes_before_it_reads(struct brood_job *job)
{
	unsigned char block[65536];
	size_t got = 0;
	ssize_t n;

	for (size_t i = 0; i < 10 * MIB; i += sizeof block) {
		for (size_t k = 0; k < sizeof block; k++)
			block[k] = byte_at(i + k);
		if (brood_job_write(job, block, sizeof block) != (ssize_t)sizeof block)
			return 1;
	}
	while ((n = brood_job_read(job, block, sizeof block)) > 0)
		for (ssize_t k = 0; k < n; k++)
			if (block[k] != byte_at(got++))
				return 2;
	return n == 0 && got == 10 * MIB ? 0 : 3;
}

static void *both_ways(void *arg)
{
	unsigned char *mine = malloc(10 * MIB);
	struct brood_verdict v;

	(void)arg;
	CHECK(mine);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(brood_call(brood, writes_before_it_reads, big, 10 * MIB, mine, 10 * MIB,
				 NULL, &v),
			10 * MIB);
		verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
		CHECK_MEM(mine, big, 10 * MIB);
	}
	free(mine);
	return NULL;
}

static void reply_first(enum brood_path path)
{
	pthread_t threads[3];

	start(path);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, both_ways, NULL), 0);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	if (fds_at_most >= 0)
		fds_at_most += 2; /* the engine keeps the eventfds that woke them for the next */
	well_and_stop(0);
}
static void reply_first_handed_off(void) { reply_first(BROOD_PATH_HANDOFF); }
static void reply_first_on_lease(void) { reply_first(BROOD_PATH_LEASE); }
Test(sizes, reply_before_the_request_is_read)
{
	case_run(reply_first_handed_off, 120000);
	case_run(reply_first_on_lease, 120000);
}

/* ---- half-closed conversations ---- */

static int answers_after_the_end(struct brood_job *job)
{
	char text[64];
	ssize_t n = brood_job_read_all(job, text, sizeof text);

	return n >= 0 && brood_job_write(job, text, (size_t)n) == n ? 0 : 1;
}
static int ends_first(struct brood_job *job)
{
	char text[64];

	if (brood_job_reply(job, "first", 5) != 5)
		return 1;
	return brood_job_read_all(job, text, sizeof text) == 4 && memcmp(text, "then", 4) == 0 ? 0
											       : 2;
}
static int writes_to_nobody(struct brood_job *job)
{
	static char block[65536];
	ssize_t n;

	while ((n = brood_job_write(job, block, sizeof block)) > 0)
		;
	return n == -EPIPE ? 33 : 1;
}

static struct brood_verdict verdict_of(struct brood_handle *h)
{
	struct brood_verdict v;

	CHECK_EQ(brood_wait(h, 20000, &v), 0);
	brood_release(h);
	return v;
}

static void half_closed(enum brood_path path)
{
	struct brood_job_options short_time = {
		.size = sizeof short_time, .run_ms = 100, .grace_ms = 10
	};
	struct brood_handle *h;
	struct brood_verdict v;
	char text[64];
	int fd;

	start(path);
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(brood_open(brood, answers_after_the_end, NULL, &fd, &h), 0);
		CHECK_EQ(write(fd, "abc", 3), 3);
		CHECK_EQ(shutdown(fd, SHUT_WR), 0);
		CHECK_EQ(recv(fd, text, sizeof text, MSG_WAITALL), 3);
		v = verdict_of(h);
		verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
		close(fd);
		CHECK_EQ(brood_open(brood, ends_first, NULL, &fd, &h), 0);
		/* EOF comes before fn returns */
		CHECK_EQ(recv(fd, text, sizeof text, MSG_WAITALL), 5);
		CHECK_EQ(write(fd, "then", 4), 4);
		CHECK_EQ(shutdown(fd, SHUT_WR), 0);
		v = verdict_of(h);
		verdict_is(&v, BROOD_DONE, BROOD_DETAIL_NONE);
		close(fd);
		CHECK_EQ(brood_open(brood, writes_to_nobody, NULL, &fd, &h), 0);
		close(fd);
		v = verdict_of(h);
		verdict_is(&v, BROOD_FAILED, BROOD_DETAIL_NONE);
		CHECK_EQ(v.code, 33);
		CHECK_EQ(brood_open(brood, writes_to_nobody, NULL, &fd, &h), 0);
		CHECK_EQ(shutdown(fd, SHUT_RD), 0);
		v = verdict_of(h);
		CHECK_EQ(v.code, 33);
		close(fd);
	}
	/* a reader that never reads: the deadline ends it */
	CHECK_EQ(brood_open(brood, writes_to_nobody, &short_time, &fd, &h), 0);
	v = verdict_of(h);
	verdict_is(&v, BROOD_TIMED_OUT, BROOD_DETAIL_NONE);
	close(fd);
	well_and_stop(1);
}
static void half_closed_handed_off(void) { half_closed(BROOD_PATH_HANDOFF); }
static void half_closed_on_lease(void) { half_closed(BROOD_PATH_LEASE); }
Test(sizes, half_closed)
{
	case_run(half_closed_handed_off, 60000);
	case_run(half_closed_on_lease, 60000);
}
