/* SPDX-License-Identifier: MIT */
/*
 * open.c - one job at a time, with a fresh socket for each (brood_open()) or with none
 * (brood_call()), through the supervisor or on a lease. An open has two times: until the reply is
 * read, and until the verdict is there and the socket is closed. The request is the job's argument.
 * It goes in the message that carries the fd, as in the floors; the reply comes over the socket.
 */
#include "bench.h"

#include <string.h>
#include <unistd.h>

#define VERDICT_MS 30000u

static struct brood *brood;

static void open_pool(const struct params *p) { brood = pool_start(p, NULL); }

static void read_all(int fd, unsigned char *got, size_t size)
{
	for (size_t have = 0; have < size;) {
		ssize_t n = read(fd, got + have, size - have);

		if (n <= 0)
			station_fail("the job's socket ended early");
		have += (size_t)n;
	}
}

/* Does one open. Adds the ns until the reply, and until the end, to the two results. */
static void one(const struct params *p, uint32_t number, uint64_t *ret_reply, uint64_t *ret_verdict)
{
	unsigned char sent[MESSAGE_SIZE], got[MESSAGE_SIZE];
	const struct brood_job_options options = {
		.size = sizeof options, .arg = sent, .arg_size = sizeof sent
	};
	struct brood_handle *handle;
	struct brood_verdict verdict;
	uint64_t began = now_ns();
	int fd;

	message_fill(sent, number);
	if (brood_open(brood, job_answer, &options, &fd, &handle))
		station_fail("brood_open: %s", brood_error());
	read_all(fd, got, sizeof got);
	message_check(got, sent);
	*ret_reply += now_ns() - began;
	if (brood_wait(handle, VERDICT_MS, &verdict))
		station_fail("brood_wait: %s", brood_error());
	pool_check(&verdict, brood_id(handle), p->path);
	brood_release(handle);
	close(fd);
	*ret_verdict += now_ns() - began;
}

/*
 * Makes sure that a worker is on lease, if jobs go by lease. Without this, a program that sleeps in
 * its own read() would not notice a lease that was granted.
 */
static void have_worker(void)
{
	struct brood_handle *handle;
	int fd;

	if (brood_open(brood, job_answer, NULL, &fd, &handle) ||
		brood_wait(handle, VERDICT_MS, NULL))
		station_fail("brood_open: %s", brood_error());
	brood_release(handle);
	close(fd);
}

static void open_block(const struct params *p, uint32_t jobs, double *values)
{
	uint64_t reply = 0, verdict = 0;

	have_worker();
	for (uint32_t i = 0; i < jobs; i++)
		one(p, i, &reply, &verdict);
	values[0] = us_each(reply, jobs);
	values[1] = us_each(verdict, jobs);
}

static void call_block(const struct params *p, uint32_t jobs, double *values)
{
	unsigned char sent[MESSAGE_SIZE], got[MESSAGE_SIZE];
	struct brood_verdict verdict;
	uint64_t began = now_ns();

	for (uint32_t i = 0; i < jobs; i++) {
		message_fill(sent, i);
		if (brood_call(brood, job_echo, sent, sizeof sent, got, sizeof got, NULL,
			    &verdict) != (ssize_t)sizeof got)
			station_fail("brood_call: %s", brood_error());
		message_check(got, sent);
		pool_check(&verdict, verdict.id, p->path);
	}
	values[0] = us_each(now_ns() - began, jobs);
}

const struct kind bench_open = { open_pool, open_block, NULL };
const struct kind bench_call = { open_pool, call_block, NULL };
