/* SPDX-License-Identifier: MIT */
/*
 * submit_many.c - brood_submit_many(): an array of jobs. What costs time for each job of
 * brood_submit() is done once for many: the clock, the check of options that jobs share, the
 * queue's lock, and the wake-up of a worker.
 *
 * The lock is held for some jobs at a time, not for all: another thread may have to dispatch, and
 * workers that sleep need not wait for the end of a long array.
 */
#include "deliver.h"
#include "given.h"
#include "loan.h"
#include "engine_root.h"
#include "queue.h"
#include "ring_in.h"
#include "submit.h"

#include "../base/options.h"

#define HELD_JOBS  256u         /* so many jobs are given before the lock is let go */
#define HELD_BYTES (256u << 10) /* or jobs with so many bytes */

struct batch {
	struct brood *b;
	const struct engine_job *job; /* the call's function and options */
	uint64_t now;                 /* when the call began: all its jobs were given then */
	size_t stride;                /* from one entry of the array to the next */
	/* The queue whose lock is held; NULL: none. */
	struct queue *locked;
	uint32_t news; /* what queue.results.news was then */
	uint32_t held_jobs;
	uint64_t held_bytes;
	bool more; /* the last job that was given has BROOD_JOB_MORE */
	/* For which function and options `given` was checked, if it was. */
	bool checked;
	struct engine_job last;
	void *context;             /* that of these options */
	bool last_more;            /* these options have BROOD_JOB_MORE */
	struct queue *queue, *own; /* that of `given`; the brood's own, if a job needed it */
	struct given given;
	struct iovec request;
};

static void leave(struct batch *m)
{
	struct queue *l = m->locked;

	if (!l)
		return;
	m->locked = NULL;
	submit_poke(l, m->news);
	if (m->more || deliver_here(l))
		queue_unlock(l);
	else
		ring_in_leave(l);
}

static void enter(struct batch *m, struct queue *l)
{
	if (m->locked == l && m->held_jobs < HELD_JOBS && m->held_bytes < HELD_BYTES)
		return;
	leave(m);
	queue_lock(l);
	m->locked = l;
	m->news = l->results.news;
	m->held_jobs = 0;
	m->held_bytes = 0;
}

/*
 * Checks one entry of the array. An entry of an older or newer header is copied to *copy. NULL: the
 * entry is wrong.
 */
static const struct brood_submission *look_at(const struct batch *m,
	const struct brood_submission *entry, size_t index, struct brood_submission *copy)
{
	bool good = entry->size == m->stride && m->stride % _Alignof(struct brood_submission) == 0;

	if (good && entry->size != sizeof *copy) {
		good = options_copy(copy, sizeof *copy, entry, sizeof *copy) == 0;
		entry = copy;
	}
	for (size_t i = 0; good && i < ARRAY_SIZE(entry->reserved); i++)
		good = entry->reserved[i] == 0;
	if (good)
		return entry;
	fail_with(-EINVAL,
		"brood_submit_many: jobs[%zu]: size is wrong, or not that of jobs[0], or reserved "
		"is not zero, or a newer header's member is set: use { .size = sizeof *jobs }",
		index);
	return NULL;
}

static const struct brood_job_options *options_of(
	const struct batch *m, const struct brood_submission *s)
{
	return s->options ? s->options : m->job->options;
}

static int find_queue(struct batch *m)
{
	const struct brood_job_options *o = &m->given.options;

	if (o->lease || o->queue) {
		m->queue = submit_queue(m->b, &m->given);
		return 0;
	}
	if (!m->own) {
		leave(m); /* the own queue's birth takes locks that stand before a queue's */
		m->own = submit_queue(m->b, &m->given);
	}
	m->queue = m->own;
	return m->own ? 0 : -errno;
}

static bool is_checked(const struct batch *m, const struct brood_submission *s)
{
	return m->checked && m->last.options == options_of(m, s) &&
		m->last.fn == (s->fn ? s->fn : m->job->fn);
}

/* Checks function and options. The locks taken here may be taken while a queue's lock is held. */
static int check(struct batch *m, const struct brood_submission *s)
{
	int r;

	m->checked = false;
	m->last = s->fn ? engine_job_of(s->fn, s->name, options_of(m, s)) : *m->job;
	m->last.options = options_of(m, s);
	r = given_check_at(m->b, &m->last, true, m->now, &m->given);
	if (r < 0)
		return r;
	if (m->given.options.ret_id)
		return fail_with(-EINVAL,
			"brood_submit_many: ret_id of the options is set: the ids of the jobs are "
			"in their entries");
	m->context = m->given.options.context;
	m->last_more = m->given.options.flags & BROOD_JOB_MORE;
	m->given.options.flags |= BROOD_JOB_MORE;
	r = find_queue(m);
	m->checked = r == 0;
	return r;
}

static int take_request(struct batch *m, const struct brood_submission *s)
{
	size_t size;
	int r;

	if (s->pieces_count > 0 && s->request_size > 0)
		return fail_with(-EINVAL,
			"brood_submit_many: request and pieces are set: set one of the two");
	m->request = (struct iovec){ .iov_base = (void *)(uintptr_t)s->request,
		.iov_len = s->request_size };
	m->given.request = s->pieces_count > 0 ? s->pieces : &m->request;
	m->given.request_count = s->pieces_count > 0 ? s->pieces_count : s->request_size > 0;
	r = given_pieces("brood_submit_many", m->given.request, m->given.request_count, &size);
	m->given.request_size = size;
	return r == 0 && m->given.options.request ? loan_check(m->b, &m->given) : r;
}

static int give(struct batch *m, struct brood_submission *entry, size_t index)
{
	struct brood_submission copy;
	const struct brood_submission *s = look_at(m, entry, index, &copy);
	int r;

	if (!s)
		return -EINVAL;
	if ((!is_checked(m, s) && (r = check(m, s)) < 0) || (r = take_request(m, s)) < 0)
		return r;
	if (atomic_load_explicit(&m->b->refusing, memory_order_relaxed))
		return fail_stopped();
	m->given.options.context = s->context ? s->context : m->context;
	m->given.options.ret_id = &entry->id;
	enter(m, m->queue);
	r = submit_job(m->queue, &m->given, NULL);
	if (r < 0)
		return r;
	m->more = m->last_more;
	m->held_jobs++;
	m->held_bytes += m->given.request_size;
	return 0;
}

ssize_t engine_submit_many(
	struct brood *b, const struct engine_job *job, struct brood_submission *jobs, size_t count)
{
	if (!ENGINE_IS_HERE(b))
		return fail_not_engine(b);
	CANCELLATION_OFF_IF_THREADS; /* as engine_submit() */
	struct batch m;
	size_t given = 0;
	int r = 0;

	m.b = b;
	m.job = job;
	m.now = now_ns();
	m.stride = count > 0 ? jobs->size : 0;
	m.locked = m.own = NULL;
	m.more = m.checked = false;
	m.given.pool = NULL;
	while (given < count) {
		r = give(&m, (void *)((char *)jobs + given * m.stride), given);
		if (r < 0)
			break;
		given++;
	}
	m.more &= r == 0; /* after an error nobody knows whether a job follows */
	leave(&m);
	if (given > 0)
		return (ssize_t)given; /* the call for the rest finds the error, and counts it */
	return r < 0 && m.given.pool ? outcome_refused(m.given.pool, r) : r;
}

ssize_t brood_submit_many_named(struct brood *brood, brood_fn *fn, const char *name,
	struct brood_submission *jobs, size_t count, const struct brood_job_options *options)
{
	struct engine_job job = { .options = options };
	int r = ENGINE_ROLE("brood_submit_many", brood);

	if (r < 0)
		return r;
	if (count > 0 && !jobs)
		return fail_with(
			-EINVAL, "brood_submit_many: jobs is NULL, but count is %zu", count);
	if (fn)
		job = engine_job_of(fn, name, options);
	return engine_submit_many(brood, &job, jobs, count);
}
