/* SPDX-License-Identifier: MIT */
/*
 * behind.c - jobs that stand behind others.
 *
 * Which worker gets a job is decided by how long its function took before. A job that takes longer
 * than before would keep the jobs behind it in its ring waiting, although another worker has
 * nothing to do. So a timer looks: jobs that have stood behind others for PICK_STAND_NS go back to
 * the front of the queue, in their old order, and from there to an idle worker. If the queue has no
 * idle worker, it asks for a lease.
 *
 * The timer fires once, and is set only while a job stands behind another one and a worker of the
 * pool could take it: a worker of this queue that is idle, or one that the queue may ask for. The
 * timer also ends the time that a job may wait (queue_ms), in the queue or in a ring, and the pause
 * before a retry, asks for a lease again after a refusal, and tries again to send what the
 * supervisor's socket refused.
 *
 * Bound: a job is moved when the job before it has run for PICK_STAND_NS, or when two looks in a
 * row have found it behind jobs that are shorter. A job that has not begun does not run: its worker
 * waits for a CPU, and on a busy machine other workers do, too.
 *
 * A pinned lease has one worker, and its jobs stay there. Its timer refuses jobs whose time to wait
 * (queue_ms) is over, and finds a worker that lies about being idle (catch_liar()).
 */
#include "behind.h"

#include "engine_root.h"
#include "collect.h"
#include "leasing.h"
#include "lease_state.h"
#include "ring_out.h"
#include "unsent.h"
#include "queue_jobs.h"
#include "stream.h"
#include "queue_waiting.h"

#include <sys/timerfd.h>

/* A function that nobody has seen end counts as long once a job has run for this long. */
#define QUEUE_LONG_NS (5 * NS_PER_MS)
/* How often the timer looks whether the worker of a pinned lease lies. */
#define QUEUE_LIE_TICK_MS 1000

static void no_longer(struct queue *l, struct list *waiting, uint64_t now)
{
	list_for_each_safe(link, tmp, waiting) {
		struct queue_job *job = container_of(link, struct queue_job, link);

		if (job->waiting_until <= now)
			queue_jobs_refuse(l, job,
				l->leases.refused ? l->leases.refused : BROOD_DETAIL_QUEUE_TIME);
		else
			l->waiting.due = MIN(l->waiting.due, job->waiting_until);
	}
}

/*
 * Jobs behind others stay in the ring if no other worker can take them. Refuses each of them whose
 * time to wait (queue_ms) is over.
 */
static void behind_no_longer(struct queue *l, struct lease *lease, uint64_t now)
{
	for (uint64_t q = lease->collected + 2; q <= lease->published; q++) {
		struct queue_job *job = lease->entries[q % RING_DEPTH].job;

		if (!job)
			continue;
		if (job->waiting_until > now)
			l->leases.behind_due = MIN(l->leases.behind_due, job->waiting_until);
		else if (ring_out_withdraw(lease, job) == 0)
			queue_jobs_refuse(l, job, BROOD_DETAIL_QUEUE_TIME);
	}
}

/*
 * A worker may claim in its slot page that it is through, and never complete its jobs. The
 * supervisor sees the slot page alone and believes that such a worker is idle. It takes an idle
 * lease back after lease_idle_ms, but never a pinned lease: so the engine looks for this lie.
 * (Completions that the worker wrote, but told nobody of, were collected just before.)
 */
static void catch_liar(struct lease *lease, uint64_t now)
{
	const struct queue *l = lease->queue;

	if (l->kind != QUEUE_PINNED || lease->published == lease->collected)
		return;
	if (l->brood->options.flags & BROOD_DEBUGGING)
		return;
	if (pick_lies(&lease->stand.doubt, atomic_load(&lease->page->word), lease->collected, now))
		leasing_distrust(lease);
}

/*
 * The first job in the ring takes long. If no job of its function has ended yet, the function
 * counts as taking at least this long. A function that was short before keeps its estimate: perhaps
 * the worker only lost its CPU for a while.
 */
static void slow(struct lease *lease, uint64_t now)
{
	struct queue_job *job = lease->entries[(lease->collected + 1) % RING_DEPTH].job;
	struct function *f = job ? (struct function *)(uintptr_t)job->function : NULL;
	struct queue *l = lease->queue;
	uint64_t so_far = MIN(now - lease->stand.head_since, (uint64_t)PICK_UNKNOWN - 1);

	if (f && !f->seen && so_far >= QUEUE_LONG_NS) {
		f->est_ns = (uint32_t)so_far;
		f->seen = true;
	}
	if (job) { /* the job gets the cost of a full ring: no other job is put behind it */
		uint64_t cost = MAX(lease->cost_ns, (uint64_t)PICK_FULL_NS);
		uint32_t more = (uint32_t)(cost - lease->cost_ns);

		lease->entries[job->sequence % RING_DEPTH].cost += more;
		lease->cost_ns += more;
	}
	l->leases.stalled += !lease->stand.stalled;
	lease->stand.stalled = true;
}

/* Takes all jobs but the first out of the ring, to the front of the queue, in their old order. */
static void withdraw_behind(struct lease *lease)
{
	for (uint64_t q = lease->published; q > lease->collected + 1; q--) {
		struct queue_job *job = lease->entries[q % RING_DEPTH].job;

		if (job && ring_out_withdraw(lease, job) == 0)
			ring_out_again(lease->queue, job);
	}
}

/* True: the queue may have one more lease. */
static bool can_grow(const struct queue *l)
{
	return l->leases.active < l->leases.limit && l->leases.active < l->pool->options->workers;
}

static bool can_move(const struct queue *l)
{
	return l->kind != QUEUE_PINNED && (!list_empty(&l->leases.idle) || can_grow(l));
}

/*
 * When the running job began, as its worker says; TIME_NEVER: none runs. A worker that lies here
 * harms only the jobs in its own ring.
 */
static uint64_t began(const struct lease *lease, uint64_t now)
{
	uint64_t word = atomic_load_explicit(&lease->page->word, memory_order_acquire);
	uint64_t since = atomic_load_explicit(&lease->page->began_ns, memory_order_relaxed);

	if (SLOT_PAGE_STATE(word) != SLOT_PAGE_RUNNING ||
		SLOT_PAGE_SEQUENCE(word) - lease->collected - 1 >=
			lease->published - lease->collected)
		return TIME_NEVER;
	return MIN(since, now);
}

static struct pick_stand stand_of(const struct lease *lease, uint64_t now)
{
	return (struct pick_stand){ .published = lease->published,
		.collected = lease->collected,
		.head_since = lease->stand.head_since,
		.began_ns = began(lease, now),
		.seen = lease->stand.seen,
		.seen_ns = lease->stand.seen_ns,
		.stalled = lease->stand.stalled };
}

/* True: the worker knows of the first job in its ring. (Callers' jobs are told a few at a time.) */
static bool is_said(const struct lease *lease) { return lease->told.said > lease->collected; }

static void look(struct lease *lease, uint64_t now)
{
	struct pick_stand stand = stand_of(lease, now);

	switch (is_said(lease) ? pick_stands(&stand, now) : PICK_STAY) {
	case PICK_MOVE_SLOW:
		withdraw_behind(lease);
		slow(lease, now);
		break;
	case PICK_MOVE: withdraw_behind(lease); break;
	case PICK_STAY: break;
	}
	lease->stand.seen = lease->published;
	lease->stand.seen_ns = now;
}

static uint64_t due_to_move(const struct queue *l, uint64_t now)
{
	uint64_t due = TIME_NEVER;

	if (!can_move(l) || l->leases.stalled >= l->leases.active)
		return TIME_NEVER;
	list_for_each_safe(link, tmp, &l->leases.list) {
		const struct lease *lease = container_of(link, const struct lease, link);
		struct pick_stand stand;

		if (lease->state != LEASE_ACTIVE)
			continue;
		stand = stand_of(lease, now);
		due = MIN(due, pick_stand_due(&stand, l->waiting.count > 0 && can_grow(l), now));
	}
	return due;
}

static bool pinned_waits(const struct queue *l)
{
	return l->waiting.count > 0 || l->leases.ringed > l->leases.active;
}

static uint64_t kept_due(const struct queue *l, uint64_t now)
{
	if (pinned_waits(l))
		return now + QUEUE_TICK_MS * NS_PER_MS;
	return l->leases.ringed > 0 ? now + QUEUE_LIE_TICK_MS * NS_PER_MS : TIME_NEVER;
}

/*
 * True: frames to the supervisor wait for room in the socket, or for memory. The queue's timer
 * tries them again, since perhaps no other thread will.
 */
static bool is_unsent(const struct queue *l)
{
	return l->leases.unsaid || atomic_load_explicit(&l->brood->unsent, memory_order_relaxed);
}

static uint64_t due_of(const struct queue *l, uint64_t now)
{
	uint64_t due = MIN(
		l->waiting.paused_due, is_unsent(l) ? now + OUT_RETRY_MS * NS_PER_MS : TIME_NEVER);

	due = MIN(due, l->timer.kept_due);
	if (l->kind == QUEUE_PINNED)
		return MIN(due, kept_due(l, now));
	if (l->leases.ringed > l->leases.busy)
		due = MIN(due, l->leases.behind_due);
	if (l->waiting.count > 0)
		due = MIN(MIN(due, l->waiting.due),
			l->leases.ask_held ? l->leases.ask_again : TIME_NEVER);
	return MIN(due, due_to_move(l, now));
}

/* Sets the timer, also after it has fired: only that makes the timer's fd unreadable again. */
static void set(struct queue *l, uint64_t due, uint64_t now)
{
	uint64_t soon = l->kind == QUEUE_PINNED ? QUEUE_TICK_MS * NS_PER_MS : PICK_STAND_NS;
	uint64_t at = due == TIME_NEVER ? 0 : MAX(due, (uint64_t)1);
	const struct itimerspec spec = { .it_value = { .tv_sec = (time_t)(at / NS_PER_S),
						 .tv_nsec = (long)(at % NS_PER_S) } };

	l->timer.at = due;
	if (timerfd_settime(l->fds.tick, TFD_TIMER_ABSTIME, &spec, NULL) < 0)
		l->timer.at = TIME_NEVER;
	l->timer.soon = l->timer.at <= now + soon;
}

/* True: there is nothing to look for, or the timer fires soon enough for all. */
static bool is_watched(const struct queue *l)
{
	if (l->timer.soon)
		return true;
	if (is_unsent(l) || l->timer.kept_due < l->timer.at)
		return false;
	if (l->kind == QUEUE_PINNED)
		return l->leases.ringed + l->waiting.count == 0 ||
			(l->timer.at != TIME_NEVER && !pinned_waits(l));
	return l->waiting.count == 0 &&
		(l->leases.ringed <= l->leases.busy ||
			(!can_move(l) && l->timer.at <= l->leases.behind_due));
}

void behind_watch(struct queue *l)
{
	uint64_t now, due;

	if (l->fds.gone) { /* the timer's number may belong to a file of the program by now */
		l->timer.fired = false;
		return;
	}
	if (!l->timer.fired && is_watched(l))
		return;
	now = now_ns();
	due = due_of(l, now);
	if (l->timer.fired || due < l->timer.at)
		set(l, due, now);
	l->timer.fired = false;
}

/*
 * Retries whose pause is over go to the front of the queue: each was at the front already when it
 * began its last attempt.
 */
static void end_pauses(struct queue *l, uint64_t now)
{
	uint64_t due = TIME_NEVER;

	if (l->waiting.paused_due > now)
		return;
	list_for_each_safe(link, tmp, &l->waiting.paused) {
		struct queue_job *job = container_of(link, struct queue_job, link);

		if (job->waiting_until <= now) {
			queue_waiting_unpause(l, job);
			queue_waiting_add(l, job, true);
		} else {
			due = MIN(due, job->waiting_until);
		}
	}
	l->waiting.paused_due = due;
}

void behind_fired(struct queue *l)
{
	uint64_t now = now_ns();
	bool move = can_move(l), late = l->leases.behind_due <= now;

	if (late)
		l->leases.behind_due = TIME_NEVER;
	list_for_each_safe(link, tmp, &l->leases.list) {
		struct lease *lease = container_of(link, struct lease, link);

		if (lease->state != LEASE_ACTIVE)
			continue;
		collect_done(lease);
		if (move)
			look(lease, now);
		if (late)
			behind_no_longer(l, lease, now);
		catch_liar(lease, now);
	}
	l->waiting.due = TIME_NEVER;
	no_longer(l, &l->waiting.ranks.normal, now);
	no_longer(l, &l->waiting.ranks.background, now);
	end_pauses(l, now);
	stream_late(l, now);
	l->timer.fired = true;
}
