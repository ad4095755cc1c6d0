/* SPDX-License-Identifier: MIT */
/*
 * map.c - brood_map(): a function over many items. It makes public calls only: a queue of its own,
 * brood_submit(), brood_queue_wait(), brood_take(). So a map works the same with workers and
 * inline. pool/window.c decides which item is given next, and whose result has its turn.
 *
 * One round: give items; wait; take a batch of results; give the items that take their places, so
 * that workers have work while the program looks at the results; call on_item for the batch.
 */
#include "../base/base.h"
#include "../base/cancellation.h"
#include "../base/intern.h"
#include "../engine/engine.h"
#include "../os/role.h"
#include "../pool/window.h"
#include "held.h"
#include "map_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>

#define BATCH 64u /* how many results are taken at once */
/* without options.at_once: the most jobs at a time, unless 2 a worker are more */
#define ADAPTS_TO    256u
#define PAUSE_MIN_MS 1u
#define PAUSE_MAX_MS 20u

/*
 * An item whose job was given, until on_item had the result, or `held` keeps the result. The struct
 * is the context of the item's job.
 */
struct sent {
	struct sent *next; /* the next free entry */
	size_t index;
	uint64_t id;       /* 0: the job has ended */
	struct held *held; /* in order: keeps the result if it must wait */
};

struct map {
	struct brood *brood;
	int way; /* enum role_way of this process */
	brood_fn *fn;
	const char *name;
	const struct iovec *items;
	brood_item_fn *on_item;
	void *context;
	struct brood_map_options options;
	struct brood_job_options job;
	struct brood_pool *pool;
	struct brood_queue *queue;
	struct window window;
	struct sent *sent, *free; /* sent: at_once entries, and a batch more */
	size_t sent_count, not_done;
	/* progress_ns: when to call on_progress next; TIME_NEVER: not at all */
	uint64_t began_ns, progress_ns;
	uint32_t pause_ms;
	bool stalled; /* the window is open, but the pool has no room */
	bool ended;   /* a callback has ended the map */
	int error;    /* no more items can be given; `why` has the sentence */
	char why[384];
};

static void set_error(struct map *m, int error)
{
	if (m->error == 0) {
		m->error = error;
		snprintf(m->why, sizeof m->why, "%s", brood_error());
	}
	m->window.over = true;
}

static void end(struct map *m) { m->ended = m->window.over = true; }

/* ---- giving items ---- */

static void put_back(struct map *m, struct sent *sent)
{
	sent->next = m->free;
	m->free = sent;
}

/*
 * Makes entries for the items that may be given now, a batch at most. The window counts them as
 * given. Returns how many there are, or -ENOMEM with a sentence if there is not even one.
 */
static int prepare(struct map *m, struct brood_submission *jobs)
{
	int count = 0;

	while (count < (int)BATCH && window_open(&m->window)) {
		struct sent *sent = m->free;

		if (m->window.room > 0 && !sent->held && !(sent->held = held_new())) {
			engine_error("brood_map: out of memory");
			return count > 0 ? count : -ENOMEM;
		}
		m->free = sent->next;
		sent->index = m->window.next;
		jobs[count++] = (struct brood_submission){ .size = sizeof *jobs,
			.request = m->items[sent->index].iov_base,
			.request_size = m->items[sent->index].iov_len,
			.context = sent };
		window_given(&m->window);
	}
	return count;
}

/* The items behind the first `given` ones have no job: they are to be given again. */
static void take_back(
	struct map *m, const struct brood_submission *jobs, ssize_t given, ssize_t count)
{
	while (count > given) {
		put_back(m, jobs[--count].context);
		window_not_given(&m->window);
	}
}

/* Gives a batch. Returns how many items were given, 0: none may be given now; or -errno. */
static ssize_t give_batch(struct map *m)
{
	struct brood_submission jobs[BATCH];
	ssize_t count = prepare(m, jobs), given;

	if (count <= 0)
		return count;
	given = brood_submit_many_named(m->brood, m->fn, m->name, jobs, (size_t)count, &m->job);
	take_back(m, jobs, MAX(given, 0), count);
	for (ssize_t i = 0; i < given; i++)
		((struct sent *)jobs[i].context)->id = jobs[i].id;
	return given;
}

/*
 * True: when a job has ended there may be room: after -EAGAIN any job of the pool, after other
 * errors a job of this map.
 */
static bool may_wait(const struct map *m, int error)
{
	return error == -EAGAIN ||
		((error == -ENOMEM || error == -EMFILE || error == -ENFILE) && m->window.out > 0);
}

static void give(struct map *m)
{
	ssize_t r;

	do
		r = give_batch(m);
	while (r > 0 && window_open(&m->window));
	m->stalled = r < 0 && may_wait(m, (int)r);
	if (r < 0 && !m->stalled)
		set_error(m, (int)r);
}

/* ---- progress ---- */

static void tell_progress(struct map *m, uint64_t now)
{
	struct brood_map_progress progress = { .size = sizeof progress,
		.count = m->window.count,
		.ended = m->window.ended,
		.not_done = m->not_done,
		.out = m->window.out,
		.elapsed_us = (now - m->began_ns) / NS_PER_US };

	m->progress_ns = time_after_ms(now, m->options.progress_ms);
	if (m->options.on_progress(m->context, &progress) != 0)
		end(m);
}

static void tell_progress_if_due(struct map *m)
{
	uint64_t now;

	if (m->ended || m->progress_ns == TIME_NEVER)
		return;
	now = now_ns();
	if (now >= m->progress_ns)
		tell_progress(m, now);
}

/* ---- telling results ---- */

static void tell(struct map *m, size_t index, const struct brood_result *result)
{
	struct brood_result told = *result;

	told.context = m->context;
	/* a held result has lost the queue's copy of the tag, and a refused item never had one */
	told.tag = m->job.tag ? m->job.tag : "";
	window_told(&m->window);
	if (m->on_item(m->context, index, &told) != 0)
		end(m);
}

/* Tells the result and the held ones behind it, or holds it where an earlier item is still out. */
static void take_turn(struct map *m, struct sent *sent, const struct brood_result *result)
{
	struct held *held;

	if (!window_turn(&m->window, sent->index)) {
		held_fill(sent->held, result);
		window_hold(&m->window, sent->index, sent->held, sent->held->bytes);
		sent->held = NULL;
		return;
	}
	tell(m, sent->index, result);
	while (!m->ended && (held = window_next(&m->window)) != NULL) {
		tell(m, m->window.told, &held->result);
		held_free(held);
	}
}

/*
 * Counts the end of an item's job. Only jobs on leases are measured, which may let more jobs out at
 * a time: handed-off jobs need places in the backlog, which all threads share.
 */
static void ended(struct map *m, size_t index, const struct brood_result *result)
{
	const struct brood_verdict *v = &result->verdict;

	window_ended(&m->window);
	m->not_done += v->outcome != BROOD_DONE;
	if (v->path == BROOD_PATH_LEASE)
		window_measured(&m->window, v->run_us * NS_PER_US,
			m->items[index].iov_len + result->reply_size);
}

/* Takes a batch of results. Returns how many there are. */
static int take(struct map *m, const struct brood_result **results)
{
	int n = brood_take(m->queue, results, BATCH);

	for (int i = 0; i < n; i++) {
		struct sent *sent = results[i]->context;

		sent->id = 0;
		ended(m, sent->index, results[i]);
	}
	return n;
}

static int take_and_tell(struct map *m)
{
	const struct brood_result *results[BATCH];
	int n = take(m, results);

	if (m->way !=
		/* inline, give() itself runs an item: on_item of the item before is called first */
		ROLE_INLINE)
		give(m);
	for (int i = 0; i < n; i++) {
		struct sent *sent = results[i]->context;

		if (!m->ended)
			take_turn(m, sent, results[i]);
		put_back(m, sent);
		tell_progress_if_due(m);
	}
	return n;
}

/* ---- waiting ---- */

static uint32_t time_left_ms(const struct map *m)
{
	int ms = m->progress_ns == TIME_NEVER ? -1 : time_poll_ms(now_ns(), m->progress_ns);

	return ms < 0 ? BROOD_FOREVER : (uint32_t)ms;
}

/*
 * The pool is full, and all its jobs are of other callers. No job of this map is out, so there is
 * no job's end to wait for: the thread sleeps for a moment, and longer each time.
 */
static void pause_a_moment(struct map *m)
{
	m->pause_ms = MAX(PAUSE_MIN_MS, MIN(PAUSE_MAX_MS, 2 * m->pause_ms));
	nanosleep(&(struct timespec){ .tv_nsec = (long)(m->pause_ms * NS_PER_MS) }, NULL);
	brood_queue_dispatch(m->queue); /* reads what the supervisor said, too */
}

/* Returns false when there is nothing to wait for any more. */
static bool wait_for_results(struct map *m, uint32_t timeout_ms)
{
	int r;

	if (m->window.out == 0) {
		pause_a_moment(m);
		return true;
	}
	m->pause_ms = 0;
	r = brood_queue_wait(m->queue, timeout_ms);
	if (r > 0 || r == -ETIMEDOUT)
		return true;
	set_error(m, r < 0 ? r : -ENOTCONN);
	return false;
}

/* Runs until each item that was given is told. */
static void run(struct map *m)
{
	for (;;) {
		give(m);
		if (m->ended || (m->window.out == 0 && !m->stalled))
			return;
		if (!wait_for_results(m, time_left_ms(m)) && take_and_tell(m) == 0)
			return;
		while (!m->ended && take_and_tell(m) == (int)BATCH)
			;
		tell_progress_if_due(m);
	}
}

/*
 * The pool has stopped, or is gone, or the key of the items was put on the poison list: items that
 * could not be given have their verdict all the same. No job is out, so each of these items has its
 * turn.
 */
static void refuse_rest(struct map *m)
{
	struct brood_result result = { .size = sizeof result,
		.verdict = { .size = sizeof result.verdict, .outcome = BROOD_REFUSED } };

	switch (m->error) {
	case -ESHUTDOWN: result.verdict.detail = BROOD_DETAIL_DRAINING; break;
	case -EKEYREJECTED: result.verdict.detail = BROOD_DETAIL_POISONED; break;
	case -ENOTCONN:
		result.verdict.outcome = BROOD_LOST;
		result.verdict.detail = BROOD_DETAIL_CHANNEL;
		break;
	default: return;
	}
	snprintf(result.verdict.name, sizeof result.verdict.name, "%s",
		intern_function((uintptr_t)m->fn, m->name));
	while (!m->ended && m->window.out == 0 && m->window.next < m->window.count) {
		window_refused(&m->window);
		m->not_done++;
		tell(m, m->window.told, &result);
	}
}

/* A callback has ended the map: cancels the jobs that are out, and drops their results. */
static void cancel(struct map *m)
{
	const struct brood_result *results[BATCH];

	for (size_t i = 0; i < m->sent_count; i++)
		if (m->sent[i].id != 0)
			brood_cancel(m->brood, m->sent[i].id);
	while (m->window.out > 0) {
		bool more = wait_for_results(m, BROOD_FOREVER);

		if (take(m, results) == 0 && !more)
			return;
	}
}

/* ---- a map's life ---- */

static int set_size(struct map *m, size_t count)
{
	size_t at_once = m->options.at_once, most;

	/* An elastic pool grows while jobs wait: so as many are out as the grown pool can do. */
	if (at_once == 0)
		at_once = 2 * (size_t)engine_pool_most(m->pool);
	if (m->way == ROLE_INLINE)
		at_once = 1;
	at_once = MAX(1, MIN(at_once, MIN(count, MAP_AT_ONCE_MAX)));
	window_init(&m->window, count, at_once);
	most = MAX(at_once, MIN(count, ADAPTS_TO));
	if (m->options.at_once || m->way == ROLE_INLINE)
		most = at_once;
	else
		window_adapt(&m->window, most);
	m->sent_count = most + BATCH;
	m->sent = calloc(m->sent_count, sizeof *m->sent);
	if (!m->sent)
		return -ENOMEM;
	for (size_t i = m->sent_count; i > 0; i--)
		put_back(m, &m->sent[i - 1]);
	return 0;
}

static int set_order(struct map *m, size_t count)
{
	size_t room = MAX(1, MIN(m->options.window, count));
	struct window_slot *slots;

	if (!(m->options.flags & BROOD_MAP_ORDERED))
		return 0;
	slots = calloc(room, sizeof *slots);
	if (!slots)
		return -ENOMEM;
	window_order(&m->window, slots, room, m->options.window_bytes);
	return 0;
}

static int make(struct map *m, size_t count)
{
	struct brood_queue_options options = { .size = sizeof options, .pool = m->pool };

	m->pool = m->job.pool ? m->job.pool : brood_pool(m->brood, NULL);
	if (set_size(m, count) < 0 || set_order(m, count) < 0) {
		engine_error("brood_map: out of memory for %zu items at once", m->window.at_once);
		return -ENOMEM;
	}
	options.jobs = (uint32_t)MIN(m->sent_count, MAP_AT_ONCE_MAX);
	m->began_ns = now_ns();
	m->progress_ns = m->options.on_progress ? time_after_ms(m->began_ns, m->options.progress_ms)
						: TIME_NEVER;
	return brood_queue_new(m->brood, &options, &m->queue);
}

static void unmake(struct map *m)
{
	struct held *held;

	while ((held = window_any(&m->window)) != NULL)
		held_free(held);
	free(m->window.slots);
	for (size_t i = 0; m->sent && i < m->sent_count; i++)
		held_free(m->sent[i].held);
	free(m->sent);
	brood_queue_free(m->queue);
}

static ssize_t map(struct map *m, size_t count)
{
	int r = make(m, count);

	if (r == 0) {
		m->job.queue = m->queue;
		m->job.flags &= ~(uint32_t)BROOD_JOB_MORE; /* the map knows where a batch ends */
		run(m);
		refuse_rest(m);
		if (m->ended)
			cancel(m);
		else if (window_all(&m->window) && m->options.on_progress)
			tell_progress(m, now_ns());
	}
	unmake(m);
	if (m->error < 0)
		engine_error("%s", m->why);
	return r < 0 ? r : m->error < 0 ? m->error : (ssize_t)m->window.told;
}

ssize_t brood_map_named(struct brood *brood, brood_fn *fn, const char *name,
	const struct iovec *items, size_t count, const struct brood_map_options *options,
	brood_item_fn *on_item, void *context)
{
	CANCELLATION_OFF;
	struct map m = { .brood = brood,
		.fn = fn,
		.name = name,
		.items = items,
		.on_item = on_item,
		.context = context };
	int r = m.way = engine_role_check("brood_map", brood);

	if (r < 0)
		return r;
	if (!on_item) {
		engine_error("brood_map: on_item is NULL: it gets the verdict of each item");
		return -EINVAL;
	}
	r = map_options_resolve(options, &m.options, &m.job);
	if (r < 0 || (r = map_options_check_items(items, count)) < 0)
		return r;
	return map(&m, count);
}
