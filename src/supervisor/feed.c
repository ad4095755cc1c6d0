/* SPDX-License-Identifier: MIT */
/*
 * feed.c - feeds the service manager's watchdog while all is well: gathers what pool/watchdog.c
 * needs to see, and does what it decides. A fault is logged when it begins and when it ends.
 *
 * WATCHDOG=trigger is sent for the two faults that do not pass by themselves: the engine does not
 * answer, by the program's own measure (engine_answer_ms); and the supervisor's loop has failed. An
 * engine that is stopped may be continued, and a late job may end: there the service manager's
 * time runs out, if nothing happens before.
 */
#include "feed.h"
#include "deadline.h"
#include "logging.h"
#include "notifier.h"

#include "../os/proc.h"
#include <stdio.h>

/* ---- late jobs ---- */

/* A timer of the slot should have fired long ago. */
static bool overdue(const struct slot *slot, uint64_t now)
{
	return timer_running(&slot->timer) &&
		now >= slot->timer.node.key + WATCHDOG_LATE_MS * NS_PER_MS;
}

static bool late_by_handoff(const struct slot *slot, uint64_t now)
{
	const struct job *job = slot->job;

	return job && watchdog_job_late(&slot->ladder, job->assigned_ns, job->message.run_ms, now);
}

/* The times are the supervisor's own: what the worker says of its job's begin does not count. */
static bool late_on_lease(const struct slot *slot, uint64_t now)
{
	const struct lease_watch *w = &slot->lease.watch;

	return slot->job && w->subject != 0 &&
		watchdog_job_late(&slot->ladder, w->since,
			slot_lease_page(slot)->entries[w->subject % RING_DEPTH].run_ms, now);
}

static void say_late(struct slot *slot)
{
	slot_log(slot, BROOD_WARNING, BROOD_EVENT_RESOURCE,
		"the job of worker %u (pid %d) is more than %u ms past its limits and was not "
		"ended: the service manager's watchdog is not fed",
		slot->number, slot->pid, WATCHDOG_LATE_MS);
}

static struct slot *find_late(struct pool *pool, enum slot_state state, uint64_t now)
{
	list_for_each_safe(l, tmp, &pool->slots.lists[state]) {
		struct slot *slot = container_of(l, struct slot, link.link);
		bool late = state == SLOT_BUSY ? late_by_handoff(slot, now)
					       : late_on_lease(slot, now);

		if ((late || overdue(slot, now)) && !deadline_spares_debugged(slot))
			return slot;
	}
	return NULL;
}

/*
 * Looks at all workers that have a job. Timers end such jobs; this look does not rely on them. It
 * costs a few loads for each worker, and no system call.
 */
static struct slot *late_job(struct supervisor *s, uint64_t now)
{
	for_each_pool(pool, s)
	{
		struct slot *slot = find_late(pool, SLOT_BUSY, now);

		slot = slot ? slot : find_late(pool, SLOT_LEASED, now);
		if (slot)
			return slot;
	}
	return NULL;
}

/* ---- the engine ---- */

static void look_at_engine(struct supervisor *s, struct watchdog_sight *see)
{
	const struct tally *tally = s->config.shared->tally;
	struct proc_stat stat;

	if (s->engine.ended)
		return;
	see->traced = (proc_stat(s->engine.pid, &stat) == 0 && stat.state == 't') ||
		proc_tracer(s->engine.pid) != 0;
	see->stopped = !see->traced && !(s->options->flags & BROOD_DEBUGGING) &&
		process_is_stopped(s->engine.pid);
	if (s->feed.watchdog.asked_ns == 0)
		return;
	see->answered = atomic_load(&tally->answers.asked) == 0;
	if (see->answered)
		return;
	see->waits = unread_waits(&s->unread, tally);
	see->spins = !see->waits && runners_never_slept(s->engine.pid, &s->feed.runners);
}

static void ask(struct supervisor *s)
{
	unread_ask(&s->unread);
	runners_note(s->engine.pid, &s->feed.runners);
	atomic_store(&s->config.shared->tally->answers.asked, 1);
}

/* ---- what is said ---- */

const char *feed_trouble(const struct supervisor *s)
{
	switch (s->feed.watchdog.fault) {
	case WATCHDOG_STOPPED: return "the engine is stopped by a signal";
	case WATCHDOG_LATE: return "a job is past its limits and was not ended";
	case WATCHDOG_DEAF: return "the engine does not answer, and work waits for it";
	case WATCHDOG_SPINS: return "the engine does not answer, and a thread of it spins";
	case WATCHDOG_WELL: break;
	}
	return NULL;
}

static void say_stuck(struct supervisor *s)
{
	bool spins = s->feed.watchdog.fault == WATCHDOG_SPINS;

	stderr_log(s, BROOD_ERR, BROOD_EVENT_ENGINE_STUCK, s->engine.pid,
		"the engine (pid %d) does not answer: %s, and it has not called the library for %u "
		"ms (engine_answer_ms)%s",
		s->engine.pid,
		spins ? "one of its threads runs without ever sleeping"
		      : "work that is done waits for it",
		s->options->engine_answer_ms,
		s->config.notify.watchdog_us ? ": the service manager is told" : "");
}

static void say(struct supervisor *s, enum watchdog_fault before, struct slot *late)
{
	enum watchdog_fault fault = s->feed.watchdog.fault;

	if (fault == WATCHDOG_STOPPED && s->config.notify.watchdog_us)
		stderr_log(s, BROOD_WARNING, BROOD_EVENT_ENGINE_STOPPED, s->engine.pid,
			"the engine (pid %d) is stopped by a signal: the service manager's "
			"watchdog is not fed",
			s->engine.pid);
	else if (fault == WATCHDOG_LATE && late)
		say_late(late);
	else if (watchdog_unanswered(fault))
		say_stuck(s);
	else if (fault == WATCHDOG_WELL && watchdog_unanswered(before))
		stderr_log(s, BROOD_NOTICE, BROOD_EVENT_ENGINE_STUCK, s->engine.pid,
			"the engine (pid %d) answers again", s->engine.pid);
}

void feed_trigger(struct supervisor *s, const char *what)
{
	char text[160];

	if (!s->config.notify.watchdog_us)
		return;
	snprintf(text, sizeof text, "STATUS=%s\nWATCHDOG=trigger", what);
	notifier_send(s, NOTICE_PLAIN, text);
}

/* ---- steps ---- */

static void look(struct supervisor *s, uint64_t now)
{
	struct watchdog *w = &s->feed.watchdog;
	struct slot *late = late_job(s, now);
	struct watchdog_sight see = { .late = late != NULL };
	enum watchdog_fault before = w->fault;

	look_at_engine(s, &see);
	if (watchdog_look(w, &see, now) && s->config.notify.watchdog_us)
		notify_send(&s->config.notify, "WATCHDOG=1");
	if (w->fault == before)
		return;
	say(s, before, late);
	note(s, NOTE_POOL); /* STATUS= changes */
	if (watchdog_unanswered(w->fault) && !watchdog_unanswered(before))
		feed_trigger(s, feed_trouble(s));
}

void feed_fired(struct timer *timer, uint64_t now)
{
	struct supervisor *s = container_of(timer, struct supervisor, feed.timer);
	struct watchdog *w = &s->feed.watchdog;
	enum watchdog_step step;

	while ((step = watchdog_due(w, now)) != WATCHDOG_NOTHING) {
		if (step == WATCHDOG_ASK)
			ask(s);
		else
			look(s, now);
	}
	timer_set(&s->loop, timer, watchdog_next(w));
}

void feed_start(struct supervisor *s)
{
	const struct notify *n = &s->config.notify;
	uint64_t us = n->watchdog_us, now = now_ns();

	if (*n->odd)
		plain_log(s, BROOD_NOTICE, BROOD_EVENT_RESOURCE, "%s", n->odd);
	s->unread.wanted = s->options->engine_answer_ms > 0;
	if (s->unread.wanted)
		runners_note(s->engine.pid, &s->feed.runners);
	watchdog_begin(&s->feed.watchdog, us ? MAX(us / 2, UINT64_C(1)) : 0,
		s->options->engine_answer_ms, now);
	feed_fired(&s->feed.timer, now);
}
