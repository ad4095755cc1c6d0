/* SPDX-License-Identifier: MIT */
/*
 * latency_pool.c - the control under an open load: what a C programmer would write in an hour.
 * Forked workers block on one shared SEQPACKET socket. Each thread has a socket pair for its
 * answers; one thread in an event loop has one for all. There is no verdict, no deadline and no
 * supervision.
 */
#include "latency.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct message {
	uint32_t sender, pad;
	struct latency_job job;
};
static int jobs_fd[2], (*answers)[2];

static void serve(void *context)
{
	struct message message;

	(void)context;
	while (recv(jobs_fd[1], &message, sizeof message, 0) == (ssize_t)sizeof message) {
		latency_work(&message.job);
		if (send(answers[message.sender][1], &message, sizeof message, 0) < 0)
			return;
	}
}

static void pair(int fds[2])
{
	station_need(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), "socketpair");
}

static void pool_open(const struct params *p)
{
	answers = calloc(p->threads, sizeof *answers);
	station_need(answers != NULL, "calloc");
	pair(jobs_fd);
	for (uint32_t i = 0; i < p->threads; i++)
		pair(answers[i]);
	for (uint32_t i = 0; i < p->workers; i++)
		station_partner(serve, NULL);
	latency_open(p);
}

static void give(const struct latency_job *job, uint32_t sender)
{
	const struct message message = { .sender = sender, .job = *job };

	if (send(jobs_fd[0], &message, sizeof message, 0) != (ssize_t)sizeof message)
		station_fail("the plain pool: %s", strerror(errno));
}

static void one(const struct latency_job *job, uint32_t thread)
{
	struct message got;

	give(job, thread);
	if (recv(answers[thread][0], &got, sizeof got, 0) != (ssize_t)sizeof got)
		station_fail("the plain pool: %s", strerror(errno));
	if (got.job.number != job->number)
		station_fail("the plain pool: another one's answer");
}

static void give_alone(const struct latency_job *job) { give(job, 0); }

static void collect(void)
{
	struct message got;
	ssize_t n;

	while ((n = recv(answers[0][0], &got, sizeof got, MSG_DONTWAIT)) == (ssize_t)sizeof got)
		latency_over(got.job.number);
	if (n >= 0 || errno != EAGAIN)
		station_fail("the plain pool: %s", strerror(errno));
}

static void pool_block(const struct params *p, uint32_t jobs, double *values)
{
	const struct latency_loop loop = {
		.fd = answers[0][0], .give = give_alone, .collect = collect
	};

	(void)jobs;
	if (p->threads > 1)
		latency_run_threads(p, one, values);
	else
		latency_run_loop(p, &loop, values);
}

const struct kind floor_latency = { pool_open, pool_block, NULL };
