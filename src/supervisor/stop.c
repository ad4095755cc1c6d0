/* SPDX-License-Identifier: MIT */
/*
 * stop.c - the pool's end. It has four phases, each bounded: drain, cancel, kill, done (pool/halt.c
 * decides, this file acts). The pool stops when the engine says so, ends, or closes its channel.
 * Only the engine's end ends the supervisor: after brood_stop() the supervisor stays, to end as the
 * engine will.
 */
#include "stop.h"
#include "cgroups.h"
#include "deadline.h"
#include "guard_peer.h"
#include "lease_watch.h"
#include "logging.h"
#include "outbox.h"
#include "pool.h"
#include "resolver.h"
#include "spawner_peer.h"
#include "strays.h"
#include "undead.h"
#include "verdict.h"

static void end_idle(struct pool *pool)
{
	struct slot_link *l;

	while ((l = slots_first(&pool->slots, SLOT_IDLE)))
		slot_dismiss(container_of(l, struct slot, link), "the pool stops");
}

static void cancel_all(struct pool *pool)
{
	uint64_t now = now_ns();

	verdict_refuse_all(pool, BROOD_DETAIL_DRAINING);
	for_each_slot(slot, pool)
	{
		if (slot->link.state == SLOT_BUSY) {
			deadline_hurry(slot, now, LADDER_CAUSE_STOP);
		} else if (slot->link.state == SLOT_LEASED) {
			lease_watch_take_back(slot, now);
		} else if (slot->link.state == SLOT_STARTING) {
			slot_kill(slot, SIGKILL, "the pool stops");
			slot_end(slot, now + RETRY_MS * NS_PER_MS);
		}
	}
}

/* Kills all workers. Jobs that still run are condemned first: their verdict is "cancelled". */
static void kill_all(struct pool *pool)
{
	uint32_t forced = 0;

	for_each_slot(slot, pool)
	{
		if (slot->pid <= 0 || slot->link.state == SLOT_UNDEAD)
			continue;
		forced += slot->facts.kill_signal == 0;
		if (slot->link.state == SLOT_BUSY && slot->job) {
			ladder_force(&slot->ladder, now_ns(), LADDER_CAUSE_STOP);
			deadline_enforce(slot, now_ns());
		} else if (slot->link.state == SLOT_LEASED) {
			lease_watch_force(slot, now_ns());
		}
		slot_kill(slot, SIGKILL, "the pool stops");
		slot_end(slot, now_ns() + RETRY_MS * NS_PER_MS);
	}
	if (forced)
		pool_log(pool, BROOD_NOTICE, BROOD_EVENT_STOP_FORCED,
			"%u worker%s did not end in time and were killed", forced,
			forced == 1 ? "" : "s");
}

/* Logs once how many processes are left. STOPPED has the number, too. */
static void say_left(struct supervisor *s)
{
	uint32_t left = s->strays_left;

	s->left += left;
	if (left == 0 || s->left_said)
		return;
	s->left_said = true;
	plain_log(s, BROOD_ERR, BROOD_EVENT_STOP_FORCED,
		"the stop leaves %u process%s that jobs left behind: they cannot be ended", left,
		left == 1 ? "" : "es");
}

static void finish(struct supervisor *s)
{
	uint64_t now = now_ns();
	uint32_t left;

	if (!s->done_ns)
		s->done_ns = now;
	/*
	 * Strays are killed and reaped before anybody is told that nothing is left. The wait for
	 * them has a bound, should the kernel hold one of them. What is killed in cgroups is
	 * counted, and reaped, one round later.
	 */
	left = cgroups_kill_left(s);
	left += strays_end(s);
	if (left > 0 && !strays_given_up(s, now)) {
		s->sweep_pause_ms = RETRY_MS;
		timer_set(&s->loop, &s->sweep_timer, now + RETRY_MS * NS_PER_MS);
		return;
	}
	s->left = 0;
	for_each_pool(pool, s) s->left += undead_alive(pool, 0);
	if (s->left && !s->undead_said)
		plain_log(s, BROOD_WARNING, BROOD_EVENT_UNDEAD,
			"the pool has stopped, but %u worker%s that cannot die %s left", s->left,
			s->left == 1 ? "" : "s", s->left == 1 ? "is" : "are");
	s->undead_said = s->left > 0;
	say_left(s);
	resolver_end(s);
	cgroups_remove(s);
	if (s->engine.ended) {
		if (s->strays_left == 0) /* with strays left, the guard stays to kill them */
			guard_peer_end(s);
		strays_end_closers(s);
		strays_reap(s);
		cgroups_end(s);
		s->loop.stop = true;
	} else if (s->stop_asked) {
		/* Gauges come first: a program that hears STOPPED finds all numbers complete. */
		for_each_pool(pool, s) pool_count(pool);
		/* The engine still reads log lines now; later these would go to stderr. */
		logging_flush(s);
		s->stop_asked = outbox_tell(&s->pools[0], MESSAGE_STOPPED) < 0;
	}
}

static void enter_phase(struct supervisor *s)
{
	if (s->halt.phase == HALT_KILL)
		resolver_hurry(s); /* the resolver's reports go to the log without names */
	if (s->halt.phase == HALT_CANCEL)
		spawner_peer_end(s); /* no more births; workers that come all the same are killed */
	for_each_pool(pool, s)
	{
		if (s->halt.phase == HALT_CANCEL)
			cancel_all(pool);
		else if (s->halt.phase == HALT_KILL)
			kill_all(pool);
	}
	note(s, NOTE_BIRTH);
}

/* True: the next phase has begun. */
static bool step(struct supervisor *s)
{
	uint32_t out = 0, alive = (s->spawner.pid > 0) + (s->resolver.pid > 0);
	uint64_t now = now_ns();

	for_each_pool(pool, s)
	{
		out += pool->records.out;
		alive += slots_working(&pool->slots) - pool->slots.counts[SLOT_EMPTY];
		/* undead workers count as alive for as long as slow ones may need */
		alive += undead_alive(pool, now);
	}
	return halt_step(&s->halt, now, out, alive);
}

void stop_step(struct supervisor *s)
{
	if (s->halt.phase == HALT_NONE)
		return;
	while (step(s))
		enter_phase(s);
	if (s->halt.phase >= HALT_CANCEL)
		for_each_pool(pool, s) end_idle(pool);
	timer_set(&s->loop, &s->halt_timer, s->halt.phase == HALT_DONE ? TIME_NEVER : s->halt.next);
	if (s->halt.phase == HALT_DONE)
		finish(s);
}

void stop_timer_fired(struct timer *timer, uint64_t now)
{
	(void)now;
	note(container_of(timer, struct supervisor, halt_timer), NOTE_STOP);
}

void stop_pool(struct supervisor *s, uint32_t drain_ms, uint32_t stop_ms)
{
	bool first = s->halt.phase == HALT_NONE;

	halt_begin(&s->halt, now_ns(), drain_ms, stop_ms);
	if (first)
		for_each_pool(pool, s) lease_watch_drain(pool);
	note(s, NOTE_STOP | NOTE_CONTROL);
	stop_step(s); /* not left to the note: without time to drain, no job of this batch begins */
}
