/* SPDX-License-Identifier: MIT */
/*
 * size.c - brings the pool to the size that pool/sizing.c decides. A pool grows by taking spare
 * places into use; births follow. It shrinks by ending idle workers, the coldest first, a few at a
 * time. A worker that has a job or a lease ends after it, before it gets the next one.
 */
#include "size.h"
#include "lease_watch.h"
#include "logging.h"
#include "pool.h"
#include "slot.h"
#include "verdict.h"

static struct slot *coldest(struct pool *pool)
{
	struct list *idle = &pool->slots.lists[SLOT_IDLE];

	return list_empty(idle) ? NULL : container_of(idle->prev, struct slot, link.link);
}

/*
 * Since when the worker is idle. A due worker counts as idle for ever: where the pool may shrink,
 * such a worker ends, and no replacement is born.
 */
static uint64_t cold_since(const struct slot *slot)
{
	return slot->renewal.cause == RETIRE_NONE ? slot->status.since_ns : 0;
}

static bool may_end(const struct pool *pool)
{
	const struct renewals *r = &pool->renewals;

	return sizing_may_end(r->ending, retire_surge(&r->limits, pool_possible(pool))) > 0;
}

/*
 * Asks pool/sizing.h. While as many workers end as may end at a time, no worker is called cold.
 * When one of these has ended, the question comes again.
 */
static uint64_t decide(struct pool *pool, uint64_t now)
{
	const uint32_t *n = pool->slots.counts;
	struct slot *cold = may_end(pool) ? coldest(pool) : NULL;

	return sizing_step(&pool->size,
		&(struct sizing_facts){ .active = n[SLOT_BUSY] + n[SLOT_LEASED],
			.waiting = pool->records.queued - pool->records.parked_count,
			.idle = n[SLOT_IDLE],
			.pressed = pressure_is_on(&pool->supervisor->memory_pressure.state),
			.coldest_since = cold ? cold_since(cold) : TIME_NEVER,
			.trouble_until = pool->backoff.degraded ? TIME_NEVER
								: backoff_next(&pool->backoff) },
		now);
}

static struct slot *first(struct pool *pool, enum slot_state state)
{
	struct slot_link *l = slots_first(&pool->slots, state);

	return l ? container_of(l, struct slot, link) : NULL;
}

static void use_places(struct pool *pool)
{
	struct slot *slot;

	while (slots_working(&pool->slots) < pool_places(pool) && (slot = first(pool, SLOT_SPARE)))
		slot_use(slot);
}

static uint32_t surplus(const struct pool *pool)
{
	return sizing_surplus(pool_places(pool), pool_ready(pool));
}

bool size_is_surplus(const struct pool *pool) { return surplus(pool) > 0; }

/* True: more places are in use than the pool is to have, not counting those whose workers end. */
static bool is_beyond(const struct pool *pool)
{
	return slots_working(&pool->slots) - pool->slots.counts[SLOT_ENDING] > pool_places(pool);
}

void size_end(struct slot *slot)
{
	slot->end.retiring = true;
	count_one(&slot->pool->stats_page->retired);
	slot_dismiss(slot, "the pool shrinks");
}

/*
 * Recalls leases, those held longest first, for the workers that are too many. Idle workers and
 * leases that were already recalled count as workers that will go, so they are taken off first.
 */
static void recall_surplus(struct pool *pool, uint64_t now)
{
	uint32_t count = surplus(pool), leaving = pool->slots.counts[SLOT_IDLE];

	for (struct list *l = pool->leases.recalled.next; l != &pool->leases.recalled; l = l->next)
		leaving++;
	list_for_each_safe(l, tmp, &pool->leases.granted) {
		if (count <= leaving)
			break;
		lease_watch_take_back(container_of(l, struct slot, lease.list), now);
		count--;
	}
}

static void close_places(struct pool *pool)
{
	struct slot *slot;

	while (is_beyond(pool) && (slot = first(pool, SLOT_EMPTY)))
		slot_put_aside(slot);
}

/* Ends one worker: the target has fallen by one, for the coldest has been idle for long. */
static void end_cold(struct pool *pool)
{
	struct slot *slot;

	close_places(pool);
	if (is_beyond(pool) && (slot = coldest(pool)))
		size_end(slot);
}

static void end_surplus(struct pool *pool, uint64_t now)
{
	struct slot *slot;

	close_places(pool);
	while (surplus(pool) > 0 && may_end(pool) && (slot = coldest(pool)))
		size_end(slot);
	if (surplus(pool) > 0)
		recall_surplus(pool, now);
}

void size_step(struct pool *pool)
{
	struct supervisor *s = pool->supervisor;
	uint64_t now, again;

	if (pool->size.fixed && slots_working(&pool->slots) == pool_places(pool))
		return;
	if (s->halt.phase > HALT_DRAIN)
		return;
	now = now_ns();
	while ((again = decide(pool, now)) == now)
		end_cold(pool);
	use_places(pool);
	end_surplus(pool, now);
	if (again != TIME_NEVER)
		timer_set(&s->loop, &pool->size_timer, again);
	else
		timer_stop(&s->loop, &pool->size_timer);
	/* If all places are undead, the pool cannot grow, and no worker will come for a job. */
	if (pool_hopeless(pool) && pool->records.queued > 0)
		verdict_refuse_all(pool, BROOD_DETAIL_DEGRADED);
}

void size_timer_fired(struct timer *timer, uint64_t now)
{
	struct pool *pool = container_of(timer, struct pool, size_timer);

	(void)now;
	note_pool(pool, NOTE_SIZE);
}

void size_set(struct pool *pool, uint32_t min, uint32_t max)
{
	uint32_t before = pool->size.max;

	sizing_resize(&pool->size, min, max);
	/* Takes spare places into use at once: until then the pool would count as degraded. */
	if (pool->supervisor->halt.phase <= HALT_DRAIN)
		use_places(pool);
	pool_log(pool, BROOD_NOTICE, BROOD_EVENT_RESIZED,
		"the pool is resized: it has %u workers at most, and had %u", max, before);
	note_pool(pool, NOTE_SIZE | NOTE_GAUGES | NOTE_POOL | NOTE_RENEW);
}
