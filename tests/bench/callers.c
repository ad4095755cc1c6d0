/* SPDX-License-Identifier: MIT */
/*
 * callers.c - many threads call few workers. The floor is a program that a C programmer would write
 * in an hour: forked workers block on one shared SEQPACKET socket, and each thread has a socket
 * pair for its answers. This floor has no verdict, no deadline and no supervision.
 *
 * There are two figures: the time of a call as a share of the whole (the rate), and the 99th
 * percentile of single calls.
 */
#include "peers.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct caller {
	uint32_t number, calls;
	uint64_t *took;
	size_t room;
	pthread_t thread;
};
static struct caller *callers;
static pthread_barrier_t begin, end;
static void (*one)(uint32_t number);
static struct brood *brood;
static int jobs_fd[2], (*answers)[2];

/* ---- one call ---- */

static void call_brood(uint32_t number)
{
	unsigned char sent[MESSAGE_SIZE], got[MESSAGE_SIZE];
	struct brood_verdict verdict;

	message_fill(sent, number);
	if (brood_call(brood, job_echo, sent, sizeof sent, got, sizeof got, NULL, &verdict) !=
		(ssize_t)sizeof got)
		station_fail("brood_call: %s", brood_error());
	message_check(got, sent);
	if (verdict.outcome != BROOD_DONE)
		station_fail("a verdict that is not: done");
}

/* The message names its thread. */
static void call_pool(uint32_t number)
{
	uint32_t sent[MESSAGE_SIZE / sizeof(uint32_t)] = { number },
				     got[MESSAGE_SIZE / sizeof(uint32_t)];

	if (send(jobs_fd[0], sent, sizeof sent, 0) != (ssize_t)sizeof sent ||
		recv(answers[number][0], got, sizeof got, 0) != (ssize_t)sizeof got)
		station_fail("the plain pool: %s", strerror(errno));
	if (got[0] != number)
		station_fail("the plain pool: another one's answer");
}

static void serve(void *context)
{
	uint32_t message[MESSAGE_SIZE / sizeof(uint32_t)];

	(void)context;
	while (recv(jobs_fd[1], message, sizeof message, 0) == (ssize_t)sizeof message)
		if (send(answers[message[0]][1], message, sizeof message, 0) < 0)
			return;
}

/* ---- many ---- */

static void *run(void *context)
{
	struct caller *c = context;

	for (;;) {
		pthread_barrier_wait(&begin);
		for (uint32_t i = 0; i < c->calls; i++) {
			uint64_t began = now_ns();

			one(c->number);
			c->took[i] = now_ns() - began;
		}
		pthread_barrier_wait(&end);
	}
	return NULL;
}

static void open_threads(const struct params *p)
{
	callers = calloc(p->threads, sizeof *callers);
	station_need(callers && !pthread_barrier_init(&begin, NULL, p->threads + 1) &&
			!pthread_barrier_init(&end, NULL, p->threads + 1),
		"threads");
	for (uint32_t i = 0; i < p->threads; i++) {
		callers[i].number = i;
		errno = pthread_create(&callers[i].thread, NULL, run, &callers[i]);
		station_need(!errno, "pthread_create");
	}
}

void callers_open_by(const struct params *p, void (*call)(uint32_t thread))
{
	one = call;
	open_threads(p);
}

static void callers_open(const struct params *p)
{
	brood = pool_start(p, NULL);
	callers_open_by(p, call_brood);
}

static void pool_open(const struct params *p)
{
	answers = calloc(p->threads, sizeof *answers);
	station_need(answers && !socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, jobs_fd),
		"socketpair");
	for (uint32_t i = 0; i < p->threads; i++)
		station_need(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, answers[i]),
			"socketpair");
	for (uint32_t i = 0; i < p->workers; i++)
		station_partner(serve, NULL);
	callers_open_by(p, call_pool);
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The 99th percentile, and the longest. */
static void tail(uint32_t threads, uint32_t each, double *ret_p99, double *ret_longest)
{
	uint64_t *all = malloc(sizeof *all * threads * each);

	station_need(all != NULL, "malloc");
	for (uint32_t i = 0; i < threads; i++)
		memcpy(all + (size_t)i * each, callers[i].took, each * sizeof *all);
	qsort(all, (size_t)threads * each, sizeof *all, by_size);
	*ret_p99 = (double)all[(size_t)threads * each * 99 / 100] / 1000;
	*ret_longest = (double)all[(size_t)threads * each - 1] / 1000;
	free(all);
}

void callers_block(const struct params *p, uint32_t jobs, double *values)
{
	uint32_t each = jobs / p->threads ? jobs / p->threads : 1;
	uint64_t began;

	for (uint32_t i = 0; i < p->threads; i++) {
		struct caller *c = &callers[i];

		c->calls = each;
		if (c->room >= each)
			continue;
		free(c->took);
		c->took = calloc(each, sizeof *c->took);
		station_need(c->took != NULL, "calloc");
		c->room = each;
	}
	began = now_ns();
	pthread_barrier_wait(&begin);
	pthread_barrier_wait(&end);
	values[0] = us_each(now_ns() - began, each * p->threads);
	tail(p->threads, each, &values[1], &values[2]);
}

const struct kind bench_callers = { callers_open, callers_block, NULL };
const struct kind floor_pool = { pool_open, callers_block, NULL };
