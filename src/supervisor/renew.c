/* SPDX-License-Identifier: MIT */
/*
 * renew.c - replaces workers that are well: they have done so many jobs, are so old, have grown, or
 * a job wished it; or the pool is reloaded; or a pinned lease has ended. pool/retire.c decides how
 * many at a time.
 *
 * A worker that is due works on until there is a replacement. An idle due worker goes first; it is
 * the last to get a job. A busy one goes at the end of its job. A lease that is not pinned is
 * recalled softly: the worker does what is in its ring, and the engine gives no more jobs there. A
 * pinned lease is left alone until it ends.
 *
 * An extra place, which a replacement gets, is a spare one (slots.h). Undead workers use up spare
 * places, too. If none is left, the old worker ends before its replacement is born.
 */
#include "renew.h"
#include "lease_watch.h"
#include "pool.h"

static const char *const reasons[RETIRE_CAUSES] = {
	[RETIRE_NONE] = "it retired",
	[RETIRE_JOBS] = "it has done its number of jobs",
	[RETIRE_AGE] = "it has reached its age",
	[RETIRE_MEMORY] = "its memory has grown",
	[RETIRE_WISH] = "a job wished it",
	[RETIRE_SESSION] = "its pinned lease is over",
	[RETIRE_RELOAD] = "the pool is reloaded",
	[RETIRE_OPERATOR] = "an operator asked for it",
};

static void again_fired(struct timer *timer, uint64_t now)
{
	(void)now;
	note_pool(container_of(timer, struct pool, renewals.again), NOTE_RENEW);
}

void renew_prepare(struct pool *pool)
{
	const struct brood_pool_options *own = &pool->setup->own;

	list_init(&pool->renewals.leased);
	list_init(&pool->renewals.recalled);
	timer_init(&pool->renewals.again, again_fired);
	pool->renewals.random = now_ns() ^ (uint64_t)getpid() << 32;
	pool->renewals.limits = (struct retire_limits){ .jobs = own->retire_jobs,
		.age_ms = own->retire_age_ms,
		.surge = own->surge,
		.memory_kb = (own->retire_memory + 1023) / 1024,
		.old_first = pool->options->flags & BROOD_OLD_FIRST,
		.reuse = pool->options->flags & BROOD_LEASE_REUSE };
}

static struct retire_view view_of(const struct pool *pool)
{
	uint32_t workers = pool_possible(pool);

	return (struct retire_view){ .workers = workers,
		.ready = pool_ready(pool),
		.due = pool->renewals.due,
		.extra = slots_working(&pool->slots) - workers,
		.spare = pool->slots.counts[SLOT_SPARE],
		.cramped = pool->renewals.cramped };
}

static uint32_t may_go(const struct pool *pool)
{
	const struct retire_view view = view_of(pool);

	return view.due && pool->supervisor->halt.phase == HALT_NONE
		? retire_may_go(&pool->renewals.limits, &view)
		: 0;
}

void renew_due(struct slot *slot, enum retire_cause cause)
{
	enum slot_state state = slot->link.state;

	if ((slot->renewal.cause == RETIRE_NONE || slot->renewal.cause == RETIRE_RELOAD) &&
		cause != slot->renewal.cause && state >= SLOT_IDLE && state <= SLOT_LEASED)
		slot_make_due(slot, cause);
}

void renew_age_fired(struct timer *timer, uint64_t now)
{
	(void)now;
	renew_due(container_of(timer, struct slot, renewal.age), RETIRE_AGE);
}

void renew_ready(struct slot *slot)
{
	struct pool *pool = slot->pool;

	if (slot->renewal.age_ns)
		timer_set(&pool->supervisor->loop, &slot->renewal.age,
			time_after_ns(slot->ready_ns, slot->renewal.age_ns));
	if (slot->renewal.epoch != pool->renewals.epoch)
		renew_due(slot, RETIRE_RELOAD);
}

bool renew_goes(const struct slot *slot)
{
	return slot->renewal.cause && slot->link.state != SLOT_ENDING && !slot->end.dead &&
		may_go(slot->pool) > 0;
}

bool renew_after_lease(const struct slot *slot)
{
	const struct retire_limits *limits = &slot->pool->renewals.limits;

	if (slot->link.state != SLOT_LEASED || slot->end.dead || !record_is_pinned(slot->job))
		return false;
	/*
	 * A due worker ends even if leases may use a worker again: else the program could pin the
	 * worker for ever, and its replacement would be one worker too many.
	 */
	return slot->renewal.cause ||
		((!limits->reuse || limits->jobs == 1) &&
			watch_moved(slot->lease.watch.base, atomic_load(&slot_page(slot)->word)));
}

void renew_end(struct slot *slot, enum retire_cause cause)
{
	const char *reason = reasons[cause ? cause : slot->renewal.cause];

	slot->end.retiring = true;
	count_one(&slot->pool->stats_page->retired);
	slot_log(slot, BROOD_DEBUG, BROOD_EVENT_WORKER_LEFT, "worker %u (pid %d) is replaced: %s",
		slot->number, slot->pid, reason);
	slot_dismiss(slot, reason);
}

/* Returns an idle worker that is due, or NULL. The coldest shows it: due ones are coldest. */
static struct slot *idle_and_due(struct pool *pool)
{
	struct slot_link *coldest = slots_coldest(&pool->slots);
	struct slot *slot = coldest ? container_of(coldest, struct slot, link) : NULL;

	return slot && slot->renewal.cause ? slot : NULL;
}

static void end_idle(struct pool *pool)
{
	/* After brood_pool_resize() many idle workers may go: they end a few at a time. */
	uint32_t most = sizing_may_end(
		pool->renewals.ending, retire_surge(&pool->renewals.limits, pool_possible(pool)));

	for (uint32_t n = MIN(may_go(pool), most); n > 0; n--) {
		struct slot *slot = idle_and_due(pool);

		if (!slot)
			break;
		renew_end(slot, RETIRE_NONE);
	}
}

/*
 * How many recalled leases are about to end, at most `most`. A lease that was recalled longer than
 * LEASE_HOLD_MS ago does not count: its worker probably has a long job. *until: when the first of
 * the counted leases will be that late.
 */
static uint32_t soon_back(const struct pool *pool, uint32_t most, uint64_t now, uint64_t *until)
{
	const struct list *recalled = &pool->renewals.recalled;
	uint32_t count = 0;

	for (struct list *l = recalled->prev; l != recalled && count < most; l = l->prev) {
		const struct slot *slot = container_of(l, struct slot, renewal.leased);
		uint64_t late = time_after_ms(slot->renewal.recalled_ns, LEASE_HOLD_MS);

		if (late <= now)
			break;
		*until = late;
		count++;
	}
	return count;
}

/*
 * Recalls leases of due workers: each worker that comes back may go. If a lease does not come back
 * soon, another one is recalled in its place.
 */
static void recall(struct pool *pool)
{
	struct list *leased = &pool->renewals.leased, *first;
	uint32_t count, most = list_empty(leased) ? 0 : may_go(pool);
	uint64_t now, until;

	/* A due worker that is idle goes first: no lease need be recalled for that. */
	if (most == 0 || idle_and_due(pool))
		return;
	now = now_ns();
	until = time_after_ms(now, LEASE_HOLD_MS);
	for (count = soon_back(pool, most, now, &until);
		count < most && (first = list_first(leased)); count++)
		lease_watch_recall_softly(container_of(first, struct slot, renewal.leased));
	if (!list_empty(leased))
		timer_set(&pool->supervisor->loop, &pool->renewals.again, until);
}

void renew_step(struct pool *pool)
{
	const struct retire_view view = view_of(pool);
	bool idle = view.due == 0 && pool->renewals.extra == 0;

	/*
	 * `cramped` stays while workers are due: a birth in the place of an old worker does not
	 * show that there is room for one more.
	 */
	if (view.due == 0 && !pool->reload.running)
		pool->renewals.cramped = false;
	if (idle || pool->supervisor->halt.phase != HALT_NONE)
		return;
	slot_set_extra(pool, retire_extra(&pool->renewals.limits, &view));
	end_idle(pool);
	recall(pool);
}
