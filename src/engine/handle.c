/* SPDX-License-Identifier: MIT */
/*
 * handle.c - one job as its owner sees it: its id, its verdict, the wish to end it, and giving the
 * handle back.
 */
#include "cancelling.h"
#include "channel.h"
#include "job_message.h"
#include "lease_state.h"
#include "queues.h"
#include "engine_root.h"
#include "sleep.h"
#include "stream.h"
#include "queue_jobs.h"
#include "wait.h"

#include <stdlib.h>

uint64_t engine_id(const struct brood_handle *h) { return h->public_id; }
const char *engine_tag(const struct brood_handle *h) { return h->tag ? h->tag : ""; }

static int not_yet(const struct brood_handle *h)
{
	return fail_with(-EAGAIN,
		"job %llu %s has no verdict yet: call brood_dispatch() first, or brood_wait()",
		(unsigned long long)h->public_id, h->name);
}

static bool is_closed(const struct brood_handle *h)
{
	return atomic_load_explicit(&h->closed, memory_order_acquire);
}

int engine_fetch(struct brood_handle *h, struct brood_verdict *ret)
{
	VISIT(h->brood);

	if (!is_closed(h))
		return not_yet(h);
	if (ret)
		*ret = h->verdict;
	return 0;
}

static bool wait_done(const struct wait *wait) { return wait->handle->closed; }

/* Waits for a message of the job. Under brood.lock. */
static void wait_for_message(struct brood_handle *h, uint64_t until)
{
	struct wait wait = { .brood = h->brood, .handle = h, .done = wait_done, .until = until };

	channel_ours(h->brood);
	wait_until(&wait);
}

static void wait_on_queue(struct brood_handle *h, uint64_t until)
{
	struct queue *l = h->on.queue;

	if (is_closed(h))
		return;
	queue_lock(l);
	while (!is_closed(h)) {
		if (until != TIME_NEVER && now_ns() >= until) {
			sleep_look(l);
			break;
		}
		sleep_until(l, &h->on.sleepers, until);
	}
	if (is_closed(h) && h->on.round == l->results.handle_round && l->results.handle_news > 0)
		/* this call tells of the verdict, so no dispatch has to count it */
		l->results.handle_news--;
	sleep_tell(l);
	queue_unlock(l);
}

/* Waits for the verdict. Under brood.lock, which is free meanwhile. */
static int wait_for(struct brood_handle *h, uint32_t timeout_ms)
{
	uint64_t until = time_after_ms(now_ns(), timeout_ms);

	if (h->waited)
		return fail_with(-EBUSY,
			"another thread waits for job %llu %s: one at a time per handle",
			(unsigned long long)h->public_id, h->name);
	h->waited = true;
	if (h->on.queue) {
		engine_unlock(h->brood);
		wait_on_queue(h, until);
		engine_lock(h->brood);
	} else {
		wait_for_message(h, until);
	}
	h->waited = false;
	return is_closed(h) ? 0
			    : fail_with(-ETIMEDOUT, "job %llu %s has no verdict after %u ms",
				      (unsigned long long)h->public_id, h->name, timeout_ms);
}

int engine_wait(struct brood_handle *h, uint32_t timeout_ms, struct brood_verdict *ret)
{
	VISIT(h->brood);
	int r;

	engine_lock(h->brood);
	r = wait_for(h, timeout_ms);
	if (r == 0 && ret)
		*ret = h->verdict;
	engine_unlock(h->brood);
	return r;
}

static void release_on_queue(struct brood_handle *h)
{
	struct queue *l = h->on.queue;

	if (!is_closed(h)) {
		queue_lock(l);
		if (h->on.job) {
			/* the verdict will be dropped, and counted */
			h->on.job->handle = NULL;
			if (h->on.job->state == JOB_RINGED)
				LEASE_UNWAIT(h->on.job->lease, h->on.job->sequence);
		}
		queue_unlock(l);
	}
	queues_put(l);
}

void engine_release(struct brood_handle *h)
{
	if (!h)
		return;
	/*
	 * In a forked child the handle is a copy, and the lock may be held by a thread that the
	 * child does not have.
	 */
	VISIT_VOID(h->brood);
	struct brood *b = h->brood;
	struct record *record;

	if (h->on.queue)
		release_on_queue(h);
	engine_lock(b);
	record = is_closed(h) || h->on.queue ? NULL : job_record_find(b, h->id);
	if (record && record->handle == h)
		job_record_release(b, record);
	progress_free(&h->progress);
	engine_unlock(b);
	for (size_t i = 0; i < h->reply_fds_count; i++)
		closing_fd(h->reply_fds[i]);
	free(h);
}

struct wish {
	uint64_t id;
	bool found;
};

static void cancel_in(struct queue *l, void *context)
{
	struct wish *wish = context;
	struct queue_job *job = wish->found ? NULL : queue_jobs_find(l, wish->id);

	if (!job || !cancelling_may(job))
		return;
	wish->found = true;
	cancelling_job(l, job);
	sleep_tell(l);
}

/* The caller may know the call by the id of its first attempt. */
static struct brood_handle *find_call(struct brood *b, uint64_t id)
{
	list_for_each_safe(link, tmp, &b->calls) {
		struct brood_handle *h = container_of(link, struct brood_handle, calls);

		if (id && h->public_id == id)
			return h;
	}
	return NULL;
}

static int cancel(struct brood *b, uint64_t id)
{
	struct brood_handle *call = find_call(b, id);
	struct record *record = job_record_find(b, call ? call->id : id);
	int r;

	if (b->state != ENGINE_RUNNING)
		return fail_stopped();
	if (call)
		call->cancelled = true;
	if (!record && !call)
		return fail_with(-ENOENT,
			"brood_cancel: no job %llu is out: it has its verdict, or never was",
			(unsigned long long)id);
	r = record ? job_message_cancel(b, record) : 0;
	if (r > 0)
		wait_for_room(b);
	return MIN(r, 0);
}

int engine_cancel(struct brood *b, uint64_t id)
{
	VISIT(b);
	struct wish wish = { .id = id };
	int r;

	if (atomic_load(&b->refusing))
		return fail_stopped();
	queues_each(b, cancel_in, &wish);
	if (wish.found)
		return 0;
	engine_lock(b);
	r = cancel(b, id);
	engine_unlock(b);
	return r;
}

int engine_queue_cancel(struct brood_queue *q)
{
	struct queue *l = (struct queue *)q;
	VISIT(l->brood);
	int count = 0;

	if (atomic_load(&l->brood->refusing))
		return fail_stopped();
	if (atomic_load(&l->brood->queues_ended))
		return fail_gone();
	queue_lock(l);
	for (size_t i = 0; i < l->jobs.room; i++) {
		struct queue_job *job = l->jobs.table[i];

		if (!job || !cancelling_may(job) || job->call || job->socket_job)
			continue;
		cancelling_job(l, job);
		count++;
	}
	sleep_tell(l);
	queue_unlock(l);
	return count;
}
