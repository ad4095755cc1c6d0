/* SPDX-License-Identifier: MIT */
/*
 * notes.c - the one place that says what follows from a change. All other files change their own
 * part and note the change. After each batch of events, and after timers, this file acts on the
 * notes before the loop sleeps.
 */
#include "notes.h"
#include "assign.h"
#include "control_peer.h"
#include "engine_peer.h"
#include "guard_peer.h"
#include "manager.h"
#include "manager_text.h"
#include "notifier.h"
#include "outbox.h"
#include "pool.h"
#include "reload.h"
#include "renew.h"
#include "reports.h"
#include "size.h"
#include "lease_watch.h"
#include "spawn.h"
#include "spawner_peer.h"
#include "start_fails.h"
#include "status_page.h"
#include "stop.h"
#include "tails.h"
#include "undead.h"
#include "worker_peer.h"

void notes_retry_fired(struct timer *timer, uint64_t now)
{
	struct supervisor *s = container_of(timer, struct supervisor, retry_timer);

	(void)now;
	for_each_pool(pool, s)
	{
		for_each_slot(slot, pool) if (slot->paused) worker_peer_resume(slot);
		lease_watch_recall_again(pool);
	}
	engine_peer_resume(s);
	notifier_flush(s);
	guard_peer_replace_if_ended(s);
	spawner_peer_replace_if_ended(s);
	note(s, NOTE_TELL | NOTE_QUEUE | NOTE_RENEW | NOTE_BIRTH | NOTE_POOL | NOTE_STOP);
}

/*
 * The most rounds over all notes before the loop sleeps. Steps note further steps; should two of
 * them note each other for ever, events still get their turn, and the retry timer goes on.
 */
#define ROUNDS_MAX 64

static bool take(struct supervisor *s, uint32_t bit)
{
	bool was = s->notes & bit;

	s->notes &= ~bit;
	s->notes_all &= ~bit;
	return was;
}

static void take_for_pools(struct supervisor *s, uint32_t bit, void (*follow)(struct pool *pool))
{
	bool all = s->notes_all & bit;

	if (!take(s, bit))
		return;
	for (uint32_t n = 0; n < s->pools_count; n++) {
		struct pool *pool = pool_in_turn(s, s->turn, n);
		bool noted = pool->notes & bit;

		pool->notes &= ~bit;
		if (all || noted)
			follow(pool);
	}
}

static void renew(struct pool *pool)
{
	renew_step(pool);
	reload_step(pool);
}

static void tell(struct pool *pool)
{
	start_fails_look(pool); /* first: of a start that fails, only the failure is told */
	manager_tell(pool);
}

/*
 * The order matters. Gauges come before messages: whoever hears of a change finds it counted.
 * Messages come before the queue: the end of a lease is told before its worker is granted again.
 * The queue comes before renewals: an idle worker that is due goes only when nobody waits for it.
 * Renewals come before births: they open and close places.
 * The stop comes last: it waits until all verdicts are told.
 */
static void settle_round(struct supervisor *s)
{
	take_for_pools(s, NOTE_SWEPT, undead_revive);
	if (take(s, NOTE_FIGURES) || s->notes & NOTE_GAUGES)
		manager_text_touch(s);
	/*
	 * Gauges wait for the queue, unless a message is to be sent: so a job for which a worker is
	 * idle is never counted as queued.
	 */
	if (!(s->notes & NOTE_QUEUE) || (s->notes & (NOTE_TELL | NOTE_POOL)))
		take_for_pools(s, NOTE_GAUGES, pool_count);
	if (take(s, NOTE_TELL))
		outbox_flush(s);
	take_for_pools(s, NOTE_QUEUE, assign_all);
	take_for_pools(s, NOTE_SIZE, size_step);
	take_for_pools(s, NOTE_RENEW, renew);
	if (take(s, NOTE_BIRTH))
		spawn_due(s);
	take_for_pools(s, NOTE_POOL, tell);
	if (take(s, NOTE_REPORT))
		reports_step(s);
	if (take(s, NOTE_STDERR))
		tails_resume(s);
	if (take(s, NOTE_CONTROL))
		control_peer_step(s);
	if (take(s, NOTE_STOP))
		stop_step(s);
}

void notes_settle(struct loop *loop)
{
	struct supervisor *s = container_of(loop, struct supervisor, loop);

	s->turn++;
	for (int n = 0; (s->notes & ~NOTE_RETRY) && !loop->stop && n < ROUNDS_MAX; n++)
		settle_round(s);
	status_page_look(s);
	if (s->notes && !timer_running(&s->retry_timer))
		timer_set(&s->loop, &s->retry_timer, now_ns() + RETRY_MS * NS_PER_MS);
	s->notes &= ~NOTE_RETRY;
}
