/* SPDX-License-Identifier: MIT */
/*
 * look.c - what a worker on lease does, seen from outside: at the times that pool/lease.c names, by
 * desk and ledger. The engine needs not be asked, and may be stuck; the worker needs not answer,
 * and may lie.
 *
 * The order between us and an engine that publishes: it stores `published` and then looks whether
 * its job ends before look_at; we store look_at and then look at `published` again. So one of the
 * two sees the other.
 */
#include "internal.h"

static struct ledger *ledger_of(const struct slot *slot)
{
	return shared_ledger(slot->supervisor->config.shared, slot->job->lease.ledger);
}

static struct lease_sight sight(const struct slot *slot)
{
	struct desk *desk = shared_desk(slot->supervisor->config.shared, slot->number);
	struct ledger *ledger = ledger_of(slot);
	struct lease_sight see = { .entries = ledger->entries };

	see.word = atomic_load(&desk->word);
	see.began_ns = atomic_load(&desk->began_ns);
	see.published = atomic_load(&ledger->published);
	return see;
}

static void look_again_at(struct slot *slot, uint64_t next, uint64_t now)
{
	struct lease_watch *w = &slot->watch;
	struct ledger *ledger = ledger_of(slot);
	uint64_t published, soonest;

	atomic_store(&ledger->look_at, next);
	published = atomic_load(&ledger->published);
	if (published > w->published && (!w->leaving || w->subject == 0)) {
		soonest = watch_soonest(ledger->entries, w->published + 1, published, now);
		if (soonest < next) {
			next = soonest;
			atomic_store(&ledger->look_at, next);
		}
	}
	timer_set(&slot->supervisor->loop, &slot->timer, next);
}

static void recovered(struct slot *slot, uint64_t now)
{
	struct supervisor *s = slot->supervisor;
	bool well = slot->watch.place > slot->watch.base * 2 + 1 ||
		now >= time_after_ms(slot->ready_ns, s->options->healthy_ms);

	if (s->backoff.young > 0 && well)
		spawn_well(slot, "do jobs");
}

/* false: there is nothing more to look at. */
static bool look(struct slot *slot, uint64_t now)
{
	struct lease_sight see = sight(slot);

	switch (watch_look(&slot->watch, &slot->ladder, &see, now)) {
	case LEASE_DROP: worker_drop(slot, "scribbled on its desk"); return false;
	case LEASE_STUCK:
		climb_stuck(slot);
		worker_to_ending(slot, now + RETRY_MS * NS_PER_MS);
		return false;
	case LEASE_TAKE_BACK:
		atomic_fetch_add_explicit(
			&slot->supervisor->board->leases_revoked, 1, memory_order_relaxed);
		lease_take_back(slot);
		break;
	case LEASE_GO_ON: break;
	}
	recovered(slot, now);
	return slot->link.state == SLOT_LEASED;
}

/* Also one that began after the stop had asked its worker to leave. */
static void hurry_for_the_stop(struct slot *slot, uint64_t now)
{
	if (slot->supervisor->halt.phase >= HALT_CANCEL && slot->watch.subject &&
		!slot->watch.waits)
		ladder_hurry(&slot->ladder, now, LADDER_CAUSE_STOP);
}

/*
 * Whom the swap misses has gone on: then the next look finds it elsewhere. One that plays with its
 * desk meanwhile is found out there (DROP).
 */
static bool look_and_climb(struct slot *slot, uint64_t now)
{
	do {
		if (!look(slot, now))
			return false;
		hurry_for_the_stop(slot, now);
		if (climb_lease(slot, now))
			return true;
		watch_lost(&slot->watch);
	} while (true);
}

void lease_look_now(struct slot *slot, uint64_t now)
{
	struct supervisor *s = slot->supervisor;

	if (slot->link.state != SLOT_LEASED)
		return;
	if (under_debugger(s, slot)) {
		look_again_at(slot, now + NS_PER_S, now);
	} else if (slot->condemned) {
		climb_lease(slot, now);
		timer_set(&s->loop, &slot->timer, ladder_next(&slot->ladder));
	} else if (look_and_climb(slot, now)) {
		look_again_at(slot, watch_next(&slot->watch, &slot->ladder, now), now);
	}
}

static void look_fired(struct loop *loop, struct timer *timer, uint64_t now)
{
	(void)loop;
	lease_look_now(container_of(timer, struct slot, timer), now);
}

void lease_watch_start(struct slot *slot, const struct message_lease *m, uint64_t now)
{
	struct supervisor *s = slot->supervisor;
	const struct lease_terms terms = {
		.base = slot->sequence,
		.limit_ms = m->limit_ms,
		.idle_ms = s->options->lease_idle_ms,
		.grace_ms = EOF_GRACE_MS,
		.core_ms = s->options->core_ms,
		.kept = m->flags & LEASE_KEPT,
	};

	watch_begin(&slot->watch, &terms, now);
	if (s->halt.phase != HALT_NONE)
		watch_drain(&slot->watch);
	slot->timer.on = look_fired;
	look_again_at(slot, watch_next(&slot->watch, &slot->ladder, now), now);
}

static struct slot *lent_slot(struct supervisor *s, uint64_t id)
{
	struct job *job = job_of(records_find(&s->records, id));

	return job && job->is_lease && job->slot && job->slot->link.state == SLOT_LEASED ? job->slot
											 : NULL;
}

void lease_look_id(struct supervisor *s, uint64_t id)
{
	struct slot *slot = lent_slot(s, id);

	if (slot)
		lease_look_now(slot, now_ns());
}

void lease_kill(struct supervisor *s, const struct message_lease_kill *m)
{
	struct slot *slot = lent_slot(s, m->id);

	if (!slot)
		return; /* it is over: LEASE_OVER is on its way */
	if (m->cause == LEASE_KILL_NONSENSE) {
		worker_drop(slot, "sent nonsense to the engine");
	} else if (m->cause == LEASE_KILL_CANCEL) {
		watch_cancel(&slot->watch, m->sequence);
		lease_look_now(slot, now_ns());
	}
}

/* ---- the pool stops ---- */

void leases_drain(struct supervisor *s)
{
	for (uint32_t i = 0; i < s->places; i++) {
		struct slot *slot = &s->slot_array[i];

		if (slot->link.state == SLOT_LEASED) {
			watch_drain(&slot->watch);
			lease_look_now(slot, now_ns());
		}
	}
}

void lease_stop(struct slot *slot, uint64_t now)
{
	lease_take_back(slot);
	lease_look_now(slot, now);
}

void lease_force(struct slot *slot, uint64_t now)
{
	lease_look_now(slot, now);
	if (slot->link.state != SLOT_LEASED || slot->watch.subject == 0)
		return;
	ladder_force(&slot->ladder, now, LADDER_CAUSE_STOP);
	if (!under_debugger(slot->supervisor, slot))
		climb_lease(slot, now);
}
