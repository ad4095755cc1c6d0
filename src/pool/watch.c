/* SPDX-License-Identifier: MIT */
/*
 * watch.c - see watch.h.
 *
 * One number tells how far a worker is: its place, 2 N while job N runs and 2 N + 1 when job N is
 * done. The place lies between that of the grant and that of the last published job, and never goes
 * back: a slot page that says otherwise was scribbled on. The word is read before `published`. The
 * engine raises `published` before the worker can see the job, so an honest word is never ahead.
 *
 * The jobs that wait behind the running one have not begun, but one of them may be short. So the
 * next look is no later than the end of the shortest of them, had it begun right now. Where the
 * engine publishes a job after a look, and the job may end before the next look, the engine says so
 * (LEASE_LOOK). So no end is missed, and a usual job costs no message.
 *
 * A worker that was asked to leave begins no more jobs, but for one that it may have been about to
 * begin just then. That job has no ladder before a look sees it run; but the next look comes no
 * later than the time when the job would be due.
 */
#include "watch.h"

/*
 * A cancel may come when the worker has taken the job, and has not begun it. Then there is another
 * look, the first after this time; the times double up to CANCEL_AGAIN_MAX.
 */
#define CANCEL_AGAIN_MS  1u
#define CANCEL_AGAIN_MAX 1000u

#define PLACE_DONE(sequence) ((sequence)*2 + 1)

static uint64_t place_of(uint64_t word)
{
	uint64_t sequence = SLOT_PAGE_SEQUENCE(word);

	switch (SLOT_PAGE_STATE(word)) {
	case SLOT_PAGE_RUNNING: return sequence * 2;
	case SLOT_PAGE_FREE:
	case SLOT_PAGE_DONE: return PLACE_DONE(sequence);
	default:
		/* an honest slot page never has ASSIGNED, CONDEMNED or nonsense during a lease */
		return 0;
	}
}

void watch_begin(struct lease_watch *w, uint64_t now)
{
	w->looked_ns = w->changed_ns = now;
	w->place = PLACE_DONE(w->base);
	w->published = w->base;
	w->behind = TIME_NEVER;
}

uint64_t watch_soonest(const struct lease_page_entry *entries, uint64_t first, uint64_t last,
	uint32_t slow_ms, uint64_t now)
{
	uint32_t run_ms = slow_ms && first <= last ? slow_ms : BROOD_FOREVER;

	for (uint64_t n = first; n <= last && n - first < RING_DEPTH; n++)
		run_ms = MIN(run_ms, entries[n % RING_DEPTH].run_ms);
	return time_after_ms(now, run_ms);
}

/* From now on the ladder is about job `sequence`, which waits, or runs. */
static void climb(struct lease_watch *w, struct ladder *l, uint64_t sequence, bool waits,
	const struct lease_sight *see, uint64_t now)
{
	const struct lease_page_entry *e = &see->entries[sequence % RING_DEPTH];

	if (w->subject == sequence && w->waits == waits)
		return;
	w->subject = sequence;
	w->waits = waits;
	w->since = waits ? now : MIN(MAX(see->began_ns, w->looked_ns), now);
	ladder_start(l, w->since, e->run_ms, e->grace_ms, w->core_ms, e->flags & BROOD_JOB_ABORT);
	if (!waits)
		ladder_slow(l, w->since, w->slow_ms);
}

_Static_assert(RING_DEPTH % 64 == 0, "a bit for each");

static uint64_t *cancels_of(struct lease_watch *w, uint64_t sequence)
{
	return &w->cancels[sequence % RING_DEPTH / 64];
}

static bool cancels_any(const struct lease_watch *w)
{
	uint64_t any = 0;

	for (size_t i = 0; i < ARRAY_SIZE(w->cancels); i++)
		any |= w->cancels[i];
	return any != 0;
}

/*
 * The job is over: forgets its cancel, for the same bit will stand for the job that is RING_DEPTH
 * sequences later.
 */
static void cancels_drop(struct lease_watch *w, uint64_t sequence)
{
	*cancels_of(w, sequence) &= ~(UINT64_C(1) << sequence % 64);
}

static uint64_t past(uint64_t place) { return (place - 1) / 2; /* the last that is done */ }

static void move_to(struct lease_watch *w, uint64_t place)
{
	uint64_t from = past(w->place), to = past(place);

	w->place = place;
	for (uint64_t n = 1; cancels_any(w) && n <= MIN(to - from, (uint64_t)RING_DEPTH); n++)
		cancels_drop(w, from + n);
}

/*
 * Hurries the job that runs, if it was cancelled. Jobs may be cancelled that the worker has taken,
 * but has not begun. So each cancel is kept, a bit a job, until its job runs or is past.
 */
static void hurry(struct lease_watch *w, struct ladder *l, uint64_t now)
{
	uint64_t said = w->cancel;

	w->cancel = 0;
	if (said > past(w->place) && said <= w->published && said - past(w->place) <= RING_DEPTH)
		*cancels_of(w, said) |= UINT64_C(1) << said % 64;
	if (!cancels_any(w))
		return;
	if (w->subject && !w->waits && (*cancels_of(w, w->subject) >> w->subject % 64 & 1)) {
		ladder_hurry(l, now, LADDER_CAUSE_CANCEL);
		cancels_drop(w, w->subject);
		w->cancel_ms = 0;
	}
	w->cancel_ms = w->cancel_ms ? MIN(w->cancel_ms * 2, CANCEL_AGAIN_MAX) : CANCEL_AGAIN_MS;
}

static enum lease_wish wish(const struct lease_watch *w, uint64_t now)
{
	bool rests = w->place == PLACE_DONE(w->published);

	if (w->leaving)
		return w->subject == 0 && now >= time_after_ms(w->changed_ns, w->grace_ms)
			? LEASE_STUCK
			: LEASE_GO_ON;
	if (now >= w->limit_at)
		return LEASE_TAKE_BACK;
	return rests && !w->pinned && now >= time_after_ms(w->changed_ns, w->idle_ms)
		? LEASE_TAKE_BACK
		: LEASE_GO_ON;
}

enum lease_wish watch_look(
	struct lease_watch *w, struct ladder *l, const struct lease_sight *see, uint64_t now)
{
	uint64_t place = place_of(see->word), sequence = SLOT_PAGE_SEQUENCE(see->word);

	if (place < w->place || place > PLACE_DONE(see->published) || see->published < w->published)
		return LEASE_DROP;
	if (place != w->place || (see->published != w->published && !w->leaving))
		w->changed_ns = now;
	move_to(w, place);
	w->published = see->published;
	w->behind = TIME_NEVER;
	if (SLOT_PAGE_STATE(see->word) == SLOT_PAGE_RUNNING)
		climb(w, l, sequence, false, see, now);
	else if (sequence < see->published && !w->leaving)
		climb(w, l, sequence + 1, true, see, now);
	else
		w->subject = 0;
	if (w->leaving && w->subject == 0 && sequence < see->published)
		w->behind = watch_soonest(
			see->entries, sequence + 1, sequence + 1, w->slow_ms, now);
	else if (w->subject && !w->leaving)
		w->behind = watch_soonest(
			see->entries, w->subject + 1, see->published, w->slow_ms, now);
	w->looked_ns = now;
	hurry(w, l, now);
	return wish(w, now);
}

void watch_leaving(struct lease_watch *w, const struct lease_page_entry *entries, uint64_t now)
{
	w->leaving = true;
	w->changed_ns = now;
	w->behind = TIME_NEVER;
	if (w->waits) { /* either the job will not begin, or a later look sees it run */
		w->behind = watch_soonest(entries, w->subject, w->subject, w->slow_ms, now);
		w->subject = 0;
		w->waits = false;
	}
}

void watch_drain(struct lease_watch *w)
{
	w->pinned = false;
	w->idle_ms = MIN(w->idle_ms, LEASE_DRAIN_MS);
}

void watch_cancel(struct lease_watch *w, uint64_t sequence)
{
	w->cancel = sequence;
	w->cancel_ms = 0;
}

/*
 * A lost swap means that the worker has ended the job meanwhile. So its place is at least behind
 * that job: a slot page that says later that the job runs is a lie.
 */
void watch_lost(struct lease_watch *w)
{
	move_to(w, MAX(w->place, PLACE_DONE(w->subject)));
	w->subject = 0;
	w->waits = false;
}

uint64_t watch_next(const struct lease_watch *w, const struct ladder *l, uint64_t now)
{
	uint64_t next = MIN(w->subject ? ladder_next(l) : TIME_NEVER, w->behind);
	bool rests = w->place == PLACE_DONE(w->published);

	if (cancels_any(w))
		next = MIN(next, time_after_ms(now, w->cancel_ms));
	/* The job that waits may begin at any moment, without a message, and then get slow. */
	if (w->waits && w->slow_ms)
		next = MIN(next, time_after_ms(now, w->slow_ms));
	if (w->leaving)
		return MIN(next, time_after_ms(w->subject ? now : w->changed_ns, w->grace_ms));
	if (!w->pinned)
		next = MIN(next, time_after_ms(rests ? w->changed_ns : now, w->idle_ms));
	return MIN(next, w->limit_at);
}
