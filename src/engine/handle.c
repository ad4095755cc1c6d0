/* SPDX-License-Identifier: MIT */
/*
 * handle.c - one job as its owner sees it: its id, its verdict, the wish to end it, and giving it
 * back.
 */
#include "internal.h"

#include "../os/closing.h"
#include <stdlib.h>

uint64_t engine_id(const struct brood_handle *h) { return h->public_id; }

static int not_yet(const struct brood_handle *h)
{
	return engine_fail(-EAGAIN,
		"job %llu %s has no verdict yet: call brood_dispatch() first, or brood_wait()",
		(unsigned long long)h->public_id, h->name);
}

int engine_fetch(struct brood_handle *h, struct brood_verdict *ret)
{
	VISIT(visit);
	int r = visit_begin(&visit, h->brood);

	if (r < 0)
		return r;
	if (h->lane) {
		if (!atomic_load_explicit(&h->lane_closed, memory_order_acquire))
			return not_yet(h);
		if (ret)
			*ret = h->verdict;
		return 0;
	}
	engine_lock(h->brood);
	if (!h->closed)
		r = not_yet(h);
	else if (ret)
		*ret = h->verdict;
	engine_unlock(h->brood);
	return r;
}

static bool wait_done(const struct wait *wait) { return wait->handle->closed; }

static int fail_busy(const struct brood_handle *h)
{
	return engine_fail(-EBUSY, "another thread waits for job %llu %s: one at a time per handle",
		(unsigned long long)h->public_id, h->name);
}

static int fail_late(const struct brood_handle *h, uint32_t timeout_ms)
{
	return engine_fail(-ETIMEDOUT, "job %llu %s has no verdict after %u ms",
		(unsigned long long)h->public_id, h->name, timeout_ms);
}

/* Under the lock. */
static int wait_for(struct brood_handle *h, uint32_t timeout_ms)
{
	struct wait wait = { .brood = h->brood,
		.handle = h,
		.done = wait_done,
		.until = time_after_ms(now_ns(), timeout_ms) };
	int r;

	if (h->waited)
		return fail_busy(h);
	h->waited = true;
	channel_ours(h->brood);
	r = wait_until(&wait);
	h->waited = false;
	return r < 0 ? fail_late(h, timeout_ms) : 0;
}

/* The lock is let go of meanwhile. */
static int wait_on_lane(struct brood_handle *h, uint32_t timeout_ms)
{
	struct brood *b = h->brood;
	int r;

	if (h->waited)
		return fail_busy(h);
	h->waited = true;
	engine_unlock(b);
	r = direct_wait(h, time_after_ms(now_ns(), timeout_ms));
	engine_lock(b);
	h->waited = false;
	return r < 0 ? fail_late(h, timeout_ms) : 0;
}

int engine_wait(struct brood_handle *h, uint32_t timeout_ms, struct brood_verdict *ret)
{
	VISIT(visit);
	int r = visit_begin(&visit, h->brood);

	if (r < 0)
		return r;
	engine_lock(h->brood);
	r = h->lane ? wait_on_lane(h, timeout_ms) : wait_for(h, timeout_ms);
	if (r == 0 && ret)
		*ret = h->verdict;
	engine_unlock(h->brood);
	return r;
}

void engine_release(struct brood_handle *h)
{
	VISIT(visit);
	struct brood *b = h ? h->brood : NULL;
	struct record *record;

	/*
	 * In a forked child the handle is a copy, and the lock may be held by a thread that is not
	 * here.
	 */
	if (!h || visit_begin(&visit, b) < 0)
		return;
	if (h->lane)
		direct_release(h);
	engine_lock(b);
	record = h->closed || h->lane ? NULL : record_find(b, h->id);
	if (record && record->handle == h)
		record->handle = NULL; /* its verdict will be dropped, and counted */
	progress_free(&h->progress);
	engine_unlock(b);
	for (size_t i = 0; i < h->reply_fds_count; i++)
		closing_fd(h->reply_fds[i]);
	free(h);
}

/* The id that its caller knows may be that of a call's first attempt. */
static struct brood_handle *find_call(struct brood *b, uint64_t id)
{
	list_for_each_safe(link, tmp, &b->calls) {
		struct brood_handle *h = container_of(link, struct brood_handle, calls);

		if (id && h->public_id == id)
			return h;
	}
	return NULL;
}

int handle_cancel(struct brood *b, struct record *record)
{
	struct frame f;
	int r;

	if (record->cancel_sent)
		return 0;
	frame_begin(&f, MESSAGE_CANCEL);
	f.cancel.id = record->id;
	r = out_send(b, &f, 0, 0);
	if (r < 0)
		return out_failed(b, r, "cancelling a job");
	record->cancel_sent = true;
	if (r == 1)
		out_patience(b);
	return 0;
}

static int cancel(struct brood *b, uint64_t id)
{
	struct brood_handle *call = find_call(b, id);
	struct record *record = record_find(b, call ? call->id : id);

	if (b->state != ENGINE_RUNNING)
		return engine_fail_stopped();
	if (call)
		call->cancelled = true;
	if (!record && !call)
		return engine_fail(-ENOENT,
			"brood_cancel: no job %llu is out: it has its verdict, or never was",
			(unsigned long long)id);
	return record ? handle_cancel(b, record) : 0;
}

int engine_cancel(struct brood *b, uint64_t id)
{
	VISIT(visit);
	int r = visit_begin(&visit, b);

	if (r < 0)
		return r;
	if (atomic_load(&b->refusing))
		return engine_fail_stopped();
	if (direct_cancel(b, id) == 0)
		return 0;
	engine_lock(b);
	r = cancel(b, id);
	engine_unlock(b);
	return r;
}
