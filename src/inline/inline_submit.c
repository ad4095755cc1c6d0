/* SPDX-License-Identifier: MIT */
/*
 * inline_submit.c - inline mode: queues. A job has run when brood_submit() returns; what came of it
 * waits here until somebody dispatches or takes.
 *
 * A queue is a list of events (progress, then the result), in the order in which they came, and two
 * lists of results: those that may be taken, and those that were, whose memory lives until the next
 * call. One thread at a time delivers events, so that no result overtakes its own progress; what a
 * callback calls on its own queue delivers nothing.
 */
#define _GNU_SOURCE
#include "inline_internal.h"

#include "../base/options.h"

#include <stdlib.h>
#include <sys/eventfd.h>

#define QUEUE_JOBS_MAX 65536u

struct event {
	struct list link;
	/*
	 * set: this is a progress message, and result.reply its bytes; NULL: a job has ended
	 */
	brood_progress_fn *progress;
	brood_done_fn *done;
	struct brood_result result;
	char *bytes;
	int fds[BROOD_JOB_FDS_MAX];
};

struct inline_queue {
	struct inline_brood *brood;
	size_t jobs, out;
	int fd;       /* -1: the brood's */
	bool callers; /* of brood_queue_new(): not the library's */
	bool delivering;
	pthread_t deliverer;
	struct list events, ready, taken;
	size_t ready_count;
};

static struct inline_queue *mine_queue(struct brood_queue *q) { return (struct inline_queue *)q; }

static void event_free(struct event *e)
{
	for (size_t i = 0; i < e->result.fds_count; i++)
		close_fd(e->fds[i]); /* -1: the caller's now */
	free(e->bytes);
	free(e);
}

static void events_free(struct list *events)
{
	list_for_each_safe(link, next, events) {
		list_remove(link);
		event_free(container_of(link, struct event, link));
	}
}

struct inline_queue *queue_make(struct inline_brood *b, size_t jobs, int fd)
{
	struct inline_queue *q = calloc(1, sizeof *q);

	if (!q)
		return NULL;
	q->brood = b;
	q->jobs = jobs;
	q->fd = fd;
	list_init(&q->events);
	list_init(&q->ready);
	list_init(&q->taken);
	return q;
}

struct inline_queue *queue_destroy(struct inline_queue *q)
{
	if (!q)
		return NULL;
	pthread_mutex_lock(&q->brood->lock);
	q->brood->stats.dropped += q->out;
	pthread_mutex_unlock(&q->brood->lock);
	events_free(&q->events);
	events_free(&q->ready);
	events_free(&q->taken);
	close_fd(q->fd);
	free(q);
	return NULL;
}

/* ---- In ---- */

/* Under the lock, as the next ones. */
static int queue_fd(const struct inline_queue *q) { return q->fd < 0 ? q->brood->news_fd : q->fd; }

static void queue_append(struct inline_queue *q, struct event *e)
{
	list_append(&e->link, &q->events);
	eventfd_write(queue_fd(q), 1);
	pthread_cond_broadcast(&q->brood->changed);
}

static struct inline_queue *queue_of(const struct run *run)
{
	const struct brood_job_options *o = &run->options;

	return o->lease ? lease_queue(o->lease) : o->queue ? mine_queue(o->queue) : run->brood->own;
}

static void submit_progress(void *context, const void *data, size_t size)
{
	struct run *run = context;
	struct inline_queue *q = queue_of(run);
	struct event *e = calloc(1, sizeof *e);

	if (!e || !(e->bytes = malloc(size + 1))) {
		free(e);
		return; /* what may be dropped is */
	}
	if (size > 0)
		memcpy(e->bytes, data, size);
	e->progress = run->options.on_progress;
	e->result.context = run->options.context;
	e->result.reply = e->bytes;
	e->result.reply_size = size;
	e->result.verdict.id = run->verdict.id;
	pthread_mutex_lock(&q->brood->lock);
	queue_append(q, e);
	pthread_mutex_unlock(&q->brood->lock);
}

static int queue_reserve(struct inline_queue *q, const char *call)
{
	bool room;

	pthread_mutex_lock(&q->brood->lock);
	room = q->out < q->jobs;
	q->out += room;
	pthread_mutex_unlock(&q->brood->lock);
	return room ? 0
		    : inline_fail(-EAGAIN, call,
			      "as many jobs are out as the queue has room for: dispatch or take "
			      "results, then try again");
}

static void queue_unreserve(struct inline_queue *q)
{
	pthread_mutex_lock(&q->brood->lock);
	q->out--;
	pthread_mutex_unlock(&q->brood->lock);
}

static void event_fill(struct event *e, struct run *run, struct run_bytes *bytes)
{
	struct brood_result *r = &e->result;

	e->done = run->options.on_done;
	e->bytes = bytes->reply;
	memcpy(e->fds, run->back, run->back_count * sizeof *run->back);
	*r = (struct brood_result){ .size = sizeof *r,
		.context = run->options.context,
		.reply = e->bytes,
		.fds = e->fds,
		.fds_count = run->back_count };
	r->verdict = run->verdict;
	r->reply_size = MIN(run->verdict.reply_size, bytes->room);
	run->back_count = 0;
}

static int submit_run(struct run *run, struct event *e, struct run_bytes *bytes, uint64_t *ret_id)
{
	int r;

	if (run->options.on_progress) {
		run->progress = submit_progress;
		run->progress_context = run;
	}
	r = run_bytes(run, bytes, "brood_submit", ret_id);
	if (r < 0)
		return r;
	event_fill(e, run, bytes);
	run_finish(run);
	return 0;
}

static int submit_here(struct run *run, struct run_bytes *bytes, uint64_t *ret_id)
{
	struct inline_queue *q = queue_of(run);
	struct event *e = calloc(1, sizeof *e);
	int r;

	if (!e)
		return inline_fail(-ENOMEM, "brood_submit", "out of memory");
	r = queue_reserve(q, "brood_submit");
	if (r < 0) {
		free(e);
		return r;
	}
	r = submit_run(run, e, bytes, ret_id);
	if (r < 0) {
		queue_unreserve(q);
		free(e);
		return r;
	}
	pthread_mutex_lock(&q->brood->lock);
	queue_append(q, e);
	pthread_mutex_unlock(&q->brood->lock);
	return 0;
}

int inline_submit(struct brood *b, const struct engine_job *job, const struct iovec *request,
	size_t count, uint64_t *ret_id)
{
	NO_CANCELLATION;
	struct run_bytes bytes = { .request = request, .request_count = count, .grow = true };
	struct run *run;
	int r = run_new(mine(b), job, "brood_submit", false, &run);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		bytes.request_size += request[i].iov_len;
	r = submit_here(run, &bytes, ret_id);
	run_free(run);
	return r;
}

/* ---- Out ---- */

/* Under the lock: what poll() says is what there is to do. */
static void queue_settle(struct inline_queue *q)
{
	struct inline_brood *b = q->brood;
	eventfd_t value;

	if (list_empty(&q->events) && (q->fd >= 0 || b->news == 0))
		eventfd_read(queue_fd(q), &value);
}

/* Under the lock, which is given up for a callback. 1: it was a result. */
static int deliver_one(struct inline_queue *q, struct event *e)
{
	struct inline_brood *b = q->brood;
	int results = e->progress ? 0 : 1;

	list_remove(&e->link);
	if (!e->progress && !e->done) {
		list_append(&e->link, &q->ready);
		q->ready_count++;
		return results;
	}
	q->out -= (size_t)results;
	pthread_mutex_unlock(&b->lock);
	if (e->progress)
		e->progress(e->result.context, e->result.verdict.id, e->result.reply,
			e->result.reply_size);
	else
		e->done(e->result.context, &e->result);
	event_free(e);
	pthread_mutex_lock(&b->lock);
	return results;
}

static size_t events_count(const struct list *events)
{
	size_t count = 0;

	for (const struct list *link = events->next; link != events; link = link->next)
		count++;
	return count;
}

/* Under the lock. As many as there are now: a callback that submits does not keep it here. */
static int deliver(struct inline_queue *q)
{
	int results = 0;

	if (q->delivering)
		return 0;
	q->delivering = true;
	q->deliverer = pthread_self();
	for (size_t count = events_count(&q->events); count > 0 && !list_empty(&q->events); count--)
		results += deliver_one(q, container_of(list_first(&q->events), struct event, link));
	q->delivering = false;
	queue_settle(q);
	pthread_cond_broadcast(&q->brood->changed);
	return results;
}

int queue_deliver(struct inline_queue *q)
{
	int results;

	pthread_mutex_lock(&q->brood->lock);
	events_free(&q->taken);
	results = deliver(q);
	pthread_mutex_unlock(&q->brood->lock);
	return results;
}

/* ---- The calls ---- */

int inline_queue_new(
	struct brood *brood, const struct brood_queue_options *options, struct brood_queue **ret)
{
	struct inline_brood *b = mine(brood);
	struct brood_queue_options o;
	struct inline_queue *q;
	int fd, r = inline_check_open(b, "brood_queue_new");

	if (r < 0)
		return r;
	if (options_copy(&o, sizeof o, options, sizeof o) < 0)
		return inline_fail(-EINVAL, "brood_queue_new",
			"options.size is wrong: set it, { .size = sizeof options }");
	if (!inline_all_zero(o.reserved, ARRAY_SIZE(o.reserved)))
		return inline_fail(-EINVAL, "brood_queue_new", "options.reserved is not zero");
	if (o.jobs > QUEUE_JOBS_MAX)
		return inline_fail(-EINVAL, "brood_queue_new", "options.jobs is more than 65536");
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return inline_fail(-errno, "brood_queue_new", "no eventfd could be made");
	q = queue_make(b, o.jobs ? o.jobs : QUEUE_JOBS, fd);
	if (!q) {
		close_fd(fd);
		return inline_fail(-ENOMEM, "brood_queue_new", "out of memory");
	}
	q->callers = true;
	*ret = (struct brood_queue *)q;
	return 0;
}

void inline_queue_free(struct brood_queue *queue)
{
	struct inline_queue *q = mine_queue(queue);

	if (q->callers)
		queue_destroy(q);
}

struct brood_queue *inline_own_queue(struct brood *b) { return (struct brood_queue *)mine(b)->own; }

int inline_queue_fd(struct brood_queue *queue)
{
	struct inline_queue *q = mine_queue(queue);
	int fd;

	pthread_mutex_lock(&q->brood->lock);
	fd = queue_fd(q);
	pthread_mutex_unlock(&q->brood->lock);
	return fd < 0 ? inline_fail(-ESHUTDOWN, "brood_queue_fd", "brood_stop() was called before")
		      : fd;
}

int inline_queue_dispatch(struct brood_queue *q) { return queue_deliver(mine_queue(q)); }

int inline_queue_wait(struct brood_queue *queue, uint32_t timeout_ms)
{
	NO_CANCELLATION;
	struct inline_queue *q = mine_queue(queue);
	struct inline_brood *b = q->brood;
	struct timespec end = inline_deadline(timeout_ms);
	int results, waited = 0;

	pthread_mutex_lock(&b->lock);
	events_free(&q->taken);
	for (;;) {
		bool mine = q->delivering && pthread_equal(q->deliverer, pthread_self());

		results = deliver(q);
		results = MAX(results, (int)q->ready_count);
		if (results > 0 || q->out == 0 || mine || waited != 0)
			break;
		waited = timeout_ms == BROOD_FOREVER
			? pthread_cond_wait(&b->changed, &b->lock)
			: pthread_cond_timedwait(&b->changed, &b->lock, &end);
	}
	if (results == 0 && q->out > 0)
		results = -ETIMEDOUT;
	pthread_mutex_unlock(&b->lock);
	return results >= 0 ? results
			    : inline_fail(results, "brood_queue_wait", "no result in that time");
}

int inline_take(struct brood_queue *queue, const struct brood_result **ret, size_t room)
{
	struct inline_queue *q = mine_queue(queue);
	struct event *e;
	int count = 0;

	pthread_mutex_lock(&q->brood->lock);
	events_free(&q->taken);
	deliver(q);
	for (; (size_t)count < room && !list_empty(&q->ready); count++) {
		e = container_of(list_first(&q->ready), struct event, link);
		list_remove(&e->link);
		list_append(&e->link, &q->taken);
		ret[count] = &e->result;
		q->ready_count--;
		q->out--;
	}
	pthread_mutex_unlock(&q->brood->lock);
	return count;
}

size_t inline_queue_out(struct brood_queue *queue)
{
	struct inline_queue *q = mine_queue(queue);
	size_t out;

	pthread_mutex_lock(&q->brood->lock);
	out = q->out;
	pthread_mutex_unlock(&q->brood->lock);
	return out;
}
