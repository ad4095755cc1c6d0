/* SPDX-License-Identifier: MIT */
/* lease_share.c - decides which leases are recalled for jobs and requests that wait, and when. */
#include "lease_share.h"
#include "lease_watch.h"

#define RECALL_MAX    16u /* how many leases may be on their way back for others at a time */
#define LOOKED_AT_MAX 32u /* how many leases are looked at for one job or request that waits */
/* A worker born less than this ago will be ready soon. An older one may hang in worker_init. */
#define BIRTH_SOON_MS 100u

static bool rests(const struct slot *slot)
{
	return SLOT_PAGE_SEQUENCE(atomic_load(&slot_page(slot)->word)) ==
		atomic_load(&slot_lease_page(slot)->published) &&
		SLOT_PAGE_STATE(atomic_load(&slot_page(slot)->word)) != SLOT_PAGE_RUNNING;
}

static void ask_again_at(struct pool *pool, uint64_t when)
{
	if (!timer_running(&pool->leases.timer) || when < pool->leases.timer.node.key)
		timer_set(&pool->supervisor->loop, &pool->leases.timer, when);
}

/*
 * Until this time a recalled worker counts as about to be back. Later it probably has a long job,
 * or no CPU, or is stopped, and another lease is recalled instead.
 */
static uint64_t awaited_until(const struct slot *slot)
{
	uint64_t asked = time_after_ms(slot->lease.recalled_ns, LEASE_HOLD_MS);
	struct slot_page *page = slot_page(slot);

	if (SLOT_PAGE_STATE(atomic_load(&page->word)) != SLOT_PAGE_RUNNING)
		return asked;
	return time_after_ms(atomic_load(&page->began_ns), LEASE_HOLD_MS);
}

/*
 * How many recalled workers are about to be back. Only the workers recalled last are looked at: all
 * others are late already.
 */
static uint32_t soon_back(struct pool *pool, uint64_t now)
{
	uint32_t count = 0, looked = 0;

	for (struct list *l = pool->leases.recalled.prev;
		l != &pool->leases.recalled && looked < LOOKED_AT_MAX; l = l->prev, looked++) {
		struct slot *slot = container_of(l, struct slot, lease.list);
		uint64_t until = awaited_until(slot);

		if (until <= now)
			continue;
		ask_again_at(pool, MIN(until, now + LEASE_HOLD_MS * NS_PER_MS));
		count++;
	}
	return count;
}

/*
 * How many workers of a state (ORDERED, STARTING) are about to be ready, the last born first. In a
 * large wave of births only LOOKED_AT_MAX are looked at: if these all count, so do the others.
 */
static uint32_t soon_ready(struct pool *pool, enum slot_state state, uint64_t now)
{
	struct list *wave = &pool->slots.lists[state];
	uint64_t until = now;
	uint32_t count = 0;

	for (struct list *l = wave->prev; l != wave && count < LOOKED_AT_MAX;
		l = l->prev, count++) {
		uint64_t soon = time_after_ms(
			container_of(l, struct slot, link.link)->born_ns, BIRTH_SOON_MS);

		if (soon <= now)
			break;
		until = soon;
	}
	if (count > 0)
		ask_again_at(pool, until);
	return count < LOOKED_AT_MAX ? count : pool->slots.counts[state];
}

/*
 * From this time on the lease may be recalled. A worker that has begun nothing for a while gains
 * nothing by its lease.
 */
static uint64_t free_from(const struct slot *slot)
{
	uint64_t held = time_after_ms(slot->lease.granted_ns, LEASE_HOLD_MS);
	uint64_t began = atomic_load(&slot_page(slot)->began_ns);

	return rests(slot)
		? MIN(held, time_after_ms(MAX(slot->lease.granted_ns, began), LEASE_REST_MS))
		: held;
}

/*
 * The best lease to recall: one whose worker has nothing to do, else the one held longest. Never a
 * lease of the queue that waits: that queue would gain nothing. NULL: there is none, or none that
 * may be recalled yet; then the timer is set.
 */
static struct slot *best_for(struct pool *pool, const struct job *waiting, uint64_t now)
{
	struct slot *longest = NULL;
	uint64_t soonest = TIME_NEVER;
	uint32_t looked = 0;

	list_for_each_safe(l, tmp, &pool->leases.granted) {
		struct slot *slot = container_of(l, struct slot, lease.list);
		uint64_t from = free_from(slot);

		if (looked++ >= LOOKED_AT_MAX)
			break;
		if (waiting->is_lease && waiting->lease.queue != 0 &&
			waiting->lease.queue == slot->job->lease.queue)
			continue;
		if (from > now)
			soonest = MIN(soonest, from);
		else if (rests(slot))
			return slot;
		else if (!longest)
			longest = slot;
	}
	if (!longest && soonest != TIME_NEVER)
		ask_again_at(pool, soonest);
	return longest;
}

/*
 * Recalls up to `count` leases. The first request may find no lease to recall, since its own queue
 * holds all of them: so the requests behind it are looked at, too.
 */
static uint32_t recall(struct pool *pool, struct list *waiting, uint32_t count, uint64_t now)
{
	uint32_t recalled = 0, looked = 0;

	list_for_each_safe(l, tmp, waiting) {
		struct slot *slot;

		if (recalled == count || looked++ >= LOOKED_AT_MAX)
			break;
		slot = best_for(pool, container_of(l, struct job, link.link), now);
		if (!slot)
			continue;
		/* If this lease does not come back soon (a long job, a dead worker), look again. */
		ask_again_at(pool, time_after_ms(now, LEASE_HOLD_MS));
		count_one(&pool->stats_page->leases_revoked);
		lease_watch_take_back(slot, now);
		recalled++;
	}
	return recalled;
}

static void recall_for_queue(struct pool *pool, uint32_t count, uint64_t now)
{
	struct rank_queue *queue = &pool->records.queue;

	count -= recall(pool, &queue->normal, count, now);
	recall(pool, &queue->background, count, now);
}

/*
 * Parked requests wait for a lease to end; all others wait for any worker. A lease about to be
 * back, or a worker about to be ready, will serve one of them: no lease is recalled for that one.
 */
void lease_share_recall(struct pool *pool)
{
	uint32_t parked = pool->records.parked_count, queued = pool->records.queued - parked, room,
		 leaving;
	uint32_t ready = pool->slots.counts[SLOT_IDLE];
	uint64_t now;

	if (pool->records.queued == 0 || list_empty(&pool->leases.granted))
		return;
	now = now_ns();
	leaving = soon_back(pool, now);
	room = RECALL_MAX - MIN(leaving, RECALL_MAX);
	if (parked > leaving)
		room -= recall(pool, &pool->records.parked, MIN(parked - leaving, room), now);
	leaving -= MIN(leaving, parked);
	if (queued > ready + leaving)
		ready += soon_ready(pool, SLOT_ORDERED, now) + soon_ready(pool, SLOT_STARTING, now);
	if (queued > ready + leaving)
		recall_for_queue(pool, MIN(queued - ready - leaving, room), now);
}

void lease_share_fired(struct timer *timer, uint64_t now)
{
	(void)now;
	lease_share_recall(container_of(timer, struct pool, leases.timer));
}
