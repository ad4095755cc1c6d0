/* SPDX-License-Identifier: MIT */
/*
 * ending.c - the end of the pool as the engine sees it.
 *
 * brood_stop() lets the jobs of the queues be done first, while the supervisor grants leases as
 * ever; then it asks for the stop, and waits until the supervisor says that all has ended.
 *
 * exit() without brood_stop() does the same for the jobs that wait in this process, since no other
 * process has them: they are given to workers and done, for drain_ms at most. Then the stop is
 * asked for, and exit() goes on: the supervisor does not need this process for the rest. No
 * callback of the program is called there, neither on_done nor the log's: the objects that a
 * callback uses may be destroyed already. From the beginning of the exit log lines go to stderr, as
 * they do after the engine's end.
 *
 * The trap: a signal handler that calls exit() may have interrupted the library, and then this
 * thread holds a lock. So each lock is tried first, for a moment; if a lock cannot be had, the exit
 * goes on without a drain.
 *
 * The jobs that a stop refused or lost are told in one line: how many, and which was the first. An
 * engine that ends by _exit() or by a signal can say nothing: the supervisor reads how many jobs
 * waited here.
 */
#include "channel.h"
#include "job_record.h"
#include "loglines.h"
#include "out.h"
#include "queue.h"
#include "queue_jobs.h"
#include "queues.h"
#include "engine_root.h"
#include "wait.h"
#include "waiter.h"

#include "../base/printable.h"
#include "../os/closing.h"

#define DRAIN_SLICE_MS 5    /* how often the drain looks at queues that other threads may serve */
#define STOP_SLACK_MS  1000 /* the engine waits this much beyond drain_ms and stop_ms */
#define KILL_MS        5000 /* in this time thousands of workers die, even on a small machine */
#define LOCK_MS        100  /* a thread that holds a lock for longer was interrupted by the exit */
#define CLOSING_MS     500  /* a close() that hangs (a dead server) holds up the stop this long */

static void drops_message(const struct drops *d, struct frame *f)
{
	frame_begin(f, MESSAGE_DROPPED);
	f->dropped.count = atomic_load(&d->count);
	f->dropped.first = d->first;
	memcpy(f->dropped.name, d->name, sizeof f->dropped.name);
	memcpy(f->dropped.tag, d->tag, sizeof f->dropped.tag);
}

/*
 * Called with no lock. With a log callback the engine says this line itself: nobody reads the log
 * socket any more.
 */
static void drops_say(struct brood *b)
{
	char text[PRINTABLE_JOB_MAX + 160];
	struct brood_log line = { .size = sizeof line,
		.level = BROOD_WARNING,
		.event = BROOD_EVENT_JOBS_DROPPED,
		.slot = UINT32_MAX,
		.text = text };
	struct frame f;

	if (atomic_load(&b->drops.count) == 0)
		return;
	line.job = b->drops.first;
	drops_message(&b->drops, &f);
	if (b->options.log && !b->lost) {
		message_dropped_text(&f.dropped, text, sizeof text);
		b->options.log(b->options.log_context, &line);
		return;
	}
	engine_lock(b);
	if (!b->lost && channel_ours(b))
		frame_send(b->channel_fd, &f); /* the line is not worth waiting for room */
	engine_unlock(b);
}

static bool drained(const struct wait *wait)
{
	const struct brood *b = wait->brood;

	for (uint32_t i = 0; i < b->pools_count; i++)
		if (b->pools[i].files.kept > 0 && !b->lost)
			return false;
	return b->lost || (b->queues_open == 0 && list_empty(&b->out));
}

/* The supervisor tells programs outside, who would else take the brood for one that serves. */
static void say_draining(struct brood *b)
{
	struct frame f;

	out_send(b, frame_begin(&f, MESSAGE_DRAINING), 0, 0);
}

/*
 * The queues do their jobs first, while the supervisor still grants workers. Other threads may
 * serve the queues and do not tell this thread, so it looks in slices. Returns how long the drain
 * took.
 */
static uint32_t drain(struct brood *b)
{
	uint64_t began = now_ns(), until = time_after_ms(began, b->options.drain_ms), now = began;
	bool said = false;

	for (;;) {
		uint64_t slice = MIN(until, now + DRAIN_SLICE_MS * NS_PER_MS);
		struct wait wait = { .brood = b, .done = drained, .until = slice, .queues = true };

		engine_unlock(b);
		b->queues_open = queues_drain(b);
		engine_lock(b);
		now = now_ns();
		if (drained(&wait) || now >= until)
			return (uint32_t)MIN((now - began) / NS_PER_MS, (uint64_t)UINT32_MAX);
		if (!said)
			say_draining(b);
		said = true;
		wait_until(&wait);
	}
}

static int ask(struct brood *b, uint32_t drained_ms)
{
	struct frame f;

	job_record_refuse_kept(b, BROOD_DETAIL_DRAINING);
	frame_begin(&f, MESSAGE_STOP);
	f.stop.drained_ms = drained_ms;
	return out_send(b, &f, 0, 0);
}

/* Waits for the stop's end. Jobs of queues that end meanwhile still get their verdicts. */
static int wait_for_end(struct wait *wait)
{
	int r;

	do {
		r = wait_until(wait);
		if (!wait->queues_ready)
			continue;
		engine_unlock(wait->brood);
		queues_drain(wait->brood);
		engine_lock(wait->brood);
	} while (r == 0 && !wait->done(wait));
	return r;
}

static bool stop_done(const struct wait *wait) { return wait->brood->stopped || wait->brood->lost; }

static uint64_t stop_bound(const struct brood *b)
{
	uint64_t until = now_ns();
	const uint32_t steps[] = { b->options.drain_ms, b->options.stop_ms, STOP_SLACK_MS,
		KILL_MS };

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		until = until == TIME_NEVER ? TIME_NEVER : time_after_ms(until, steps[i]);
	return until;
}

/* Log lines from before STOPPED belong to the stop: they are said before brood_stop() returns. */
static void stop_finish(struct brood *b)
{
	loglines_read(b, INT32_MAX);
	channel_give_up_all(b, b->lost ? BROOD_DETAIL_CHANNEL : BROOD_DETAIL_STOP_TIME);
	b->state = ENGINE_STOPPED;
	channel_all_over(b);
	channel_leave(b);
	waiter_poke_all(b);
}

static int stop_result(const struct brood *b, int r)
{
	if (r < 0)
		return fail_with(-ETIMEDOUT,
			"brood_stop: the supervisor did not say within drain_ms + stop_ms "
			"that all has ended: is it stopped?");
	if (!b->stopped)
		return fail_gone();
	if (b->left > 0)
		return fail_with(-ETIMEDOUT,
			"brood_stop: %u process%s of the pool did not end, though killed: "
			"the log says which. All jobs have their verdict",
			b->left, b->left == 1 ? "" : "es");
	return 0;
}

int engine_stop(struct brood *b)
{
	VISIT(b);
	struct wait wait = {
		.brood = b, .done = stop_done, .until = stop_bound(b), .queues = true
	};
	int r;

	engine_lock(b);
	if (b->state != ENGINE_RUNNING) {
		engine_unlock(b);
		return fail_stopped();
	}
	b->state = ENGINE_STOPPING;
	atomic_store(&b->refusing, true);
	channel_ours(b);
	waiter_poke_all(b);
	r = b->lost ? 0 : ask(b, drain(b));
	if (r >= 0 || !b->lost)
		r = wait_for_end(&wait);
	engine_unlock(b);
	queues_drain(b);
	engine_lock(b);
	stop_finish(b);
	engine_unlock(b);
	queues_over(b);
	drops_say(b);
	/*
	 * Helpers still close files of this process. The program may count its open files now, so
	 * wait for the helpers.
	 */
	closing_settle(time_after_ms(now_ns(), CLOSING_MS));
	return stop_result(b, r);
}

static bool can_lock(pthread_mutex_t *mutex)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += LOCK_MS * (long)NS_PER_MS;
	if (until.tv_nsec >= (long)NS_PER_S) {
		until.tv_nsec -= (long)NS_PER_S;
		until.tv_sec++;
	}
	return pthread_mutex_timedlock(mutex, &until) == 0;
}

/* True: this thread holds none of the locks. Other threads let go of a lock soon. */
static bool free_to_enter(struct brood *b)
{
	bool all = true;

	if (!can_lock(&b->queues.lock))
		return false;
	list_for_each_safe(link, tmp, &b->queues.list) {
		struct queue *l = container_of(link, struct queue, listed.link);

		all = all && can_lock(&l->lock);
		if (all)
			queue_unlock(l);
	}
	pthread_mutex_unlock(&b->queues.lock);
	if (!all || !can_lock(&b->lock))
		return false;
	engine_unlock(b);
	return true;
}

static size_t open_jobs(const struct brood *b)
{
	return atomic_load_explicit(&b->shared.tally->waiting, memory_order_relaxed);
}

/* Notes the first job that waits in this queue, if no earlier queue had one. */
static void first_open(struct queue *l, void *context)
{
	struct drops *d = context;
	struct list *first = rank_first(&l->waiting.ranks);
	const struct queue_job *job;

	if (!first)
		first = list_first(&l->waiting.paused);
	if (d->first || !first)
		return;
	job = container_of(first, struct queue_job, link);
	d->first = job->id;
	memcpy(d->name, job->function->name, sizeof d->name);
	printable_copy(d->tag, sizeof d->tag, queue_jobs_tag(job));
}

static void say_what_is_left(struct brood *b)
{
	struct drops drops = { .count = open_jobs(b) };
	struct frame f;

	if (atomic_load(&drops.count) == 0)
		return;
	queues_each(b, first_open, &drops);
	drops_message(&drops, &f);
	engine_lock(b);
	if (channel_ours(b) && out_send(b, &f, 0, 0) >= 0)
		atomic_store(&b->shared.tally->waiting, 0);
	engine_unlock(b);
}

static bool out_is_empty(const struct wait *wait)
{
	return wait->brood->lost || list_empty(&wait->brood->out);
}

static void exit_drain(struct brood *b)
{
	struct wait sent = { .brood = b, .done = out_is_empty };
	struct frame f;
	uint32_t took;

	frame_begin(&f, MESSAGE_EXITING);
	out_send(b, &f, 0, 0);
	loglines_end(b);
	waiter_poke_all(b);
	took = drain(b);
	engine_unlock(b);
	say_what_is_left(b);
	engine_lock(b);
	if (!b->lost && ask(b, took) == 1) {
		sent.until = now_ns() + STOP_SLACK_MS * NS_PER_MS;
		wait_until(&sent);
	}
}

void engine_at_exit(struct brood *b)
{
	VISIT_VOID(b);

	if (!free_to_enter(b))
		return;
	engine_lock(b);
	if (b->state == ENGINE_RUNNING && channel_ours(b)) {
		b->state = ENGINE_STOPPING;
		atomic_store(&b->refusing, true);
		exit_drain(b);
	}
	engine_unlock(b);
}
