/* SPDX-License-Identifier: MIT */
/*
 * submit.c - a closed loop over brood_submit(): a fixed number of jobs is out at any time, and each
 * finished job is checked and replaced. `out` counts the jobs of all threads. Each thread has its
 * share and a queue of its own. Rows with `epoll` use the brood's own queue instead, with a
 * callback, in an event loop that sleeps on brood_fd(). Rows with `many` give what is given at once
 * by one brood_submit_many().
 */
#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define TAKE_MAX  64
#define RESULT_MS 30000u

struct slot {
	uint64_t id, number;
	unsigned char *request; /* params.bytes long; the job must send the same back */
	struct queue *queue;
};
struct queue {
	const struct params *p;
	struct brood_queue *queue;
	uint32_t out, jobs;           /* out: jobs out at a time; jobs: jobs of the block */
	uint32_t submitted, finished; /* in the block so far */
	struct slot *slots;
	struct brood_submission *many; /* `out` entries; NULL: jobs are given one by one */
	uint32_t many_count;
	struct brood_job_options options;
	pthread_t thread;
};

static struct brood *brood;
static struct queue *queues;
static int epoll = -1;
static pthread_barrier_t begin, end;

/* Requests differ by a number, which stands at the front and at the end. */
static void slot_renew(struct slot *slot, size_t size)
{
	slot->number++;
	if (size >= sizeof slot->number) {
		memcpy(slot->request, &slot->number, sizeof slot->number);
		memcpy(slot->request + size - sizeof slot->number, &slot->number,
			sizeof slot->number);
	}
}

static void give_later(struct queue *queue, struct slot *slot)
{
	queue->many[queue->many_count++] = (struct brood_submission){ .size = sizeof *queue->many,
		.request = slot->request,
		.request_size = queue->p->bytes,
		.context = slot };
	queue->submitted++;
}

static void give_many(struct queue *queue)
{
	ssize_t given = brood_submit_many(
		brood, job_echo, queue->many, queue->many_count, &queue->options);

	if (given != (ssize_t)queue->many_count)
		station_fail("brood_submit_many: %zd: %s", given, brood_error());
	for (uint32_t i = 0; i < queue->many_count; i++)
		((struct slot *)queue->many[i].context)->id = queue->many[i].id;
	queue->many_count = 0;
}

static void give(struct queue *queue, struct slot *slot, bool more)
{
	int r;

	slot_renew(slot, queue->p->bytes);
	if (queue->many) {
		give_later(queue, slot);
		if (!more)
			give_many(queue);
		return;
	}
	queue->options.context = slot;
	queue->options.flags = more ? BROOD_JOB_MORE : 0;
	r = brood_submit(
		brood, job_echo, slot->request, queue->p->bytes, &queue->options, &slot->id);
	if (r)
		station_fail("brood_submit: %s", brood_error());
	queue->submitted++;
}

static struct slot *look_at(struct queue *queue, const struct brood_result *result)
{
	struct slot *slot = result->context;

	pool_check(&result->verdict, slot->id, queue->p->path);
	if (result->reply_size != queue->p->bytes ||
		(result->reply_size && memcmp(result->reply, slot->request, result->reply_size)))
		station_fail("job %llu came back with another reply", (unsigned long long)slot->id);
	queue->finished++;
	return slot;
}

static void give_first(struct queue *queue)
{
	uint32_t first = queue->jobs < queue->out ? queue->jobs : queue->out;

	queue->submitted = queue->finished = 0;
	for (uint32_t i = 0; i < first; i++)
		give(queue, &queue->slots[i], i + 1 < first);
}

/* Runs the share of one thread, in this thread. */
static void queue_run(struct queue *queue)
{
	const struct brood_result *results[TAKE_MAX];

	give_first(queue);
	while (queue->finished < queue->jobs) {
		int count = brood_take(queue->queue, results, TAKE_MAX);

		if (count < 0)
			station_fail("brood_take: %s", brood_error());
		if (!count && brood_queue_wait(queue->queue, RESULT_MS) <= 0)
			station_fail("brood_queue_wait: %s", brood_error());
		for (int i = 0; i < count; i++) {
			struct slot *slot = look_at(queue, results[i]);

			if (queue->submitted < queue->jobs)
				give(queue, slot,
					i + 1 < count && queue->submitted + 1 < queue->jobs);
		}
	}
}

/* ---- in an event loop ---- */

static void on_done(void *context, const struct brood_result *result)
{
	struct slot *slot = context;
	struct queue *queue = slot->queue;

	look_at(queue, result);
	if (queue->submitted < queue->jobs)
		give(queue, slot, false);
}

static void loop_run(struct queue *queue)
{
	struct epoll_event event;

	give_first(queue);
	while (queue->finished < queue->jobs) {
		int n = epoll_wait(epoll, &event, 1, (int)RESULT_MS);

		if (n < 0 && errno == EINTR)
			continue;
		if (n != 1)
			station_fail("no result came");
		if (brood_dispatch(brood) < 0)
			station_fail("brood_dispatch: %s", brood_error());
	}
}

static void loop_open(struct queue *queue)
{
	struct epoll_event event = { .events = EPOLLIN };

	epoll = epoll_create1(EPOLL_CLOEXEC);
	station_need(
		epoll >= 0 && !epoll_ctl(epoll, EPOLL_CTL_ADD, brood_fd(brood), &event), "epoll");
	queue->options.on_done = on_done;
}

/* ---- threads ---- */

static void *thread_run(void *context)
{
	for (;;) {
		pthread_barrier_wait(&begin);
		queue_run(context);
		pthread_barrier_wait(&end);
	}
	return NULL;
}

static void threads_open(const struct params *p)
{
	station_need(!pthread_barrier_init(&begin, NULL, p->threads + 1) &&
			!pthread_barrier_init(&end, NULL, p->threads + 1),
		"pthread_barrier_init");
	for (uint32_t t = 0; t < p->threads; t++) {
		errno = pthread_create(&queues[t].thread, NULL, thread_run, &queues[t]);
		station_need(!errno, "pthread_create");
	}
}

static void queue_open(struct queue *queue, const struct params *p)
{
	queue->p = p;
	queue->out = p->out / p->threads ? p->out / p->threads : 1;
	queue->slots = calloc(queue->out, sizeof *queue->slots);
	station_need(queue->slots != NULL, "calloc");
	for (uint32_t i = 0; i < queue->out; i++) {
		queue->slots[i].queue = queue;
		queue->slots[i].request = malloc(p->bytes ? p->bytes : 1);
		station_need(queue->slots[i].request != NULL, "malloc");
		memset(queue->slots[i].request, 'a' + (int)(i % 26), p->bytes);
	}
	if (p->many) {
		queue->many = calloc(queue->out, sizeof *queue->many);
		station_need(queue->many != NULL, "calloc");
	}
	if (!p->epoll && brood_queue_new(brood, NULL, &queue->queue))
		station_fail("brood_queue_new: %s", brood_error());
	queue->options = (struct brood_job_options){ .size = sizeof queue->options,
		.queue = queue->queue };
}

static void submit_open(const struct params *p)
{
	brood = pool_start(p, NULL);
	queues = calloc(p->threads, sizeof *queues);
	station_need(queues != NULL, "calloc");
	for (uint32_t t = 0; t < p->threads; t++)
		queue_open(&queues[t], p);
	if (p->epoll)
		loop_open(&queues[0]);
	else if (p->threads > 1)
		threads_open(p);
}

static void submit_block(const struct params *p, uint32_t jobs, double *values)
{
	uint32_t each = jobs / p->threads ? jobs / p->threads : 1;
	uint64_t began = now_ns();

	for (uint32_t t = 0; t < p->threads; t++)
		queues[t].jobs = each;
	if (p->epoll) {
		loop_run(&queues[0]);
	} else if (p->threads == 1) {
		queue_run(&queues[0]);
	} else {
		pthread_barrier_wait(&begin);
		pthread_barrier_wait(&end);
	}
	values[0] = us_each(now_ns() - began, each * p->threads);
}

const struct kind bench_submit = { submit_open, submit_block, NULL };
