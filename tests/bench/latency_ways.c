/* SPDX-License-Identifier: MIT */
/*
 * latency_ways.c - the library under an open load. Calls come from many threads; submitted jobs and
 * conversations from one thread in an event loop of the program. An answer counts when the program
 * has it: of a call when it returns, of a submitted job in its callback, of a conversation when its
 * reply was read from its socket.
 */
#include "latency.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 64

static struct brood *brood;

static int job_reply(struct brood_job *job)
{
	size_t size = 0;
	const struct latency_job *what = brood_job_request(job, &size);

	if (!what || size != sizeof *what)
		return 1;
	latency_work(what);
	return brood_job_reply(job, what, size) == (ssize_t)size ? 0 : 2;
}

static int job_talk(struct brood_job *job)
{
	size_t size = 0;
	const struct latency_job *what = brood_job_arg(job, &size);

	if (!what || size != sizeof *what)
		return 1;
	latency_work(what);
	return brood_job_write(job, what, size) == (ssize_t)size ? 0 : 2;
}

static void way_open(const struct params *p)
{
	/* No job is refused, however late the workers are. */
	const struct brood_options options = { .backlog = p->fixed };

	brood = pool_start(p, &options);
	latency_open(p);
}

/* ---- brood_call() ---- */

static void call_one(const struct latency_job *job, uint32_t thread)
{
	struct latency_job got;
	struct brood_verdict verdict;

	(void)thread;
	if (brood_call(brood, job_reply, job, sizeof *job, &got, sizeof got, NULL, &verdict) !=
		(ssize_t)sizeof got)
		station_fail("brood_call: %s", brood_error());
	if (got.number != job->number)
		station_fail("brood_call: another one's answer");
	pool_check(&verdict, verdict.id, 0);
}

static void call_block(const struct params *p, uint32_t jobs, double *values)
{
	(void)jobs;
	latency_run_threads(p, call_one, values);
}

/* ---- brood_submit() ---- */

static void on_done(void *context, const struct brood_result *result)
{
	const struct latency_job *got = result->reply;

	(void)context;
	pool_check(&result->verdict, result->verdict.id, 0);
	if (result->reply_size != sizeof *got)
		station_fail("a reply of %zu bytes", result->reply_size);
	latency_over(got->number);
}

static void submit_one(const struct latency_job *job)
{
	static const struct brood_job_options options = { .size = sizeof options,
		.on_done = on_done };

	if (brood_submit(brood, job_reply, job, sizeof *job, &options, NULL))
		station_fail("brood_submit: %s", brood_error());
}

static void dispatch(void)
{
	if (brood_dispatch(brood) < 0)
		station_fail("brood_dispatch: %s", brood_error());
}

static void submit_block(const struct params *p, uint32_t jobs, double *values)
{
	const struct latency_loop loop = {
		.fd = brood_fd(brood), .give = submit_one, .collect = dispatch
	};

	(void)jobs;
	latency_run_loop(p, &loop, values);
}

/* ---- brood_open() ---- */

struct talk {
	struct talk *next;
	struct brood_handle *handle;
	int fd;
};
static struct {
	struct talk *talks, *spare, *ending; /* ending: without a verdict yet */
	int epoll;
} talks;

static void watch(int fd, struct talk *talk)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = talk };

	station_need(!epoll_ctl(talks.epoll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

static void talk_open(const struct params *p)
{
	way_open(p);
	talks.epoll = epoll_create1(EPOLL_CLOEXEC);
	station_need(talks.epoll >= 0, "epoll_create1");
	watch(brood_fd(brood), NULL);
}

static void talk_one(const struct latency_job *job)
{
	const struct brood_job_options options = {
		.size = sizeof options, .arg = job, .arg_size = sizeof *job
	};
	struct talk *talk = talks.spare;

	if (talk)
		talks.spare = talk->next;
	else
		talk = malloc(sizeof *talk);
	station_need(talk != NULL, "malloc");
	if (brood_open(brood, job_talk, &options, &talk->fd, &talk->handle))
		station_fail("brood_open: %s", brood_error());
	watch(talk->fd, talk);
}

static void talk_over(struct talk *talk)
{
	struct latency_job got;

	if (recv(talk->fd, &got, sizeof got, MSG_DONTWAIT) != (ssize_t)sizeof got)
		station_fail("the job's socket ended early");
	latency_over(got.number);
	close(talk->fd);
	talk->next = talks.ending;
	talks.ending = talk;
}

static void fetch_verdicts(void)
{
	for (struct talk **at = &talks.ending, *talk; (talk = *at);) {
		struct brood_verdict verdict;

		if (brood_fetch(talk->handle, &verdict)) {
			at = &talk->next;
			continue;
		}
		pool_check(&verdict, brood_id(talk->handle), 0);
		brood_release(talk->handle);
		*at = talk->next;
		talk->next = talks.spare;
		talks.spare = talk;
	}
}

static void talk_collect(void)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(talks.epoll, events, EVENTS, 0);

	for (int i = 0; i < n; i++) {
		if (events[i].data.ptr) {
			talk_over(events[i].data.ptr);
			continue;
		}
		dispatch();
		fetch_verdicts();
	}
}

static void talk_block(const struct params *p, uint32_t jobs, double *values)
{
	const struct latency_loop loop = {
		.fd = talks.epoll, .give = talk_one, .collect = talk_collect
	};

	(void)jobs;
	latency_run_loop(p, &loop, values);
}

const struct kind latency_call = { way_open, call_block, NULL };
const struct kind latency_submit = { way_open, submit_block, NULL };
const struct kind latency_talk = { talk_open, talk_block, NULL };
