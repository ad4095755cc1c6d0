/* SPDX-License-Identifier: MIT */
/*
 * chaos.c - the judge acts: at the times of the schedule it kills, stops, and takes resources away.
 *
 * A kill means a slot. Its worker may be dead or newborn just then; so the kill waits, for as long
 * as the schedule makes up for late acts. Most kills spare newborn workers: otherwise a pool that
 * has only newborn workers left would lose each of them before it is ready, which is not what a
 * rate means.
 */
#include "chaos_pressure.h"
#include "chaos_schedule.h"
#include "chaos_victims.h"
#include "load.h"
#include "log.h"

#include <stdlib.h>

#define RETRY_NS    (5 * NS_MS) /* before the next try, when there was nobody to kill */
#define CHILD_MS    20          /* a worker younger than this is a newborn */
#define ANY_AGE     16          /* one kill in this many does not spare newborns */
#define WAITING_MAX 1024

struct waiting { /* a kill */
	uint32_t slot, kind;
	uint64_t min_ms, until_ns;
};
struct chaos {
	const struct options *options;
	struct tally *tally;
	pid_t supervisor;
	struct chaos_schedule schedule;
	struct victims *victims;
	struct pressure pressure;
	struct waiting waiting[WAITING_MAX];
	unsigned waiting_count;
	unsigned victims_count;
	bool reload_due; /* the last one goes on still */
	uint64_t retry_ns;
	bool over, killed_supervisor;
	uint64_t acted[CHAOS_KINDS], missed[CHAOS_KINDS];
};

struct chaos *chaos_new(const struct options *o, struct tally *tally, pid_t supervisor)
{
	struct chaos *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->options = o;
	c->tally = tally;
	c->supervisor = supervisor;
	chaos_schedule_init(&c->schedule, &o->chaos, o->seed);
	c->victims = victims_new(o, tally, supervisor);
	return c->victims ? c : chaos_free(c);
}

struct chaos *chaos_free(struct chaos *c)
{
	if (c)
		victims_free(c->victims);
	free(c);
	return NULL;
}

void chaos_begin(struct chaos *c, uint64_t start_ns)
{
	c->pressure.engine = atomic_load(&c->tally->engine.engine_pid);
	c->pressure.supervisor = c->supervisor;
	chaos_schedule_begin(&c->schedule, start_ns,
		c->options->jobs ? CHAOS_NEVER
				 : start_ns + (uint64_t)(c->options->duration_s * (double)NS_S));
}

uint64_t chaos_next(const struct chaos *c)
{
	uint64_t next = c->over ? UINT64_MAX : chaos_schedule_next(&c->schedule);

	if (!c->over && (c->waiting_count || c->reload_due) && c->retry_ns < next)
		next = c->retry_ns;
	return next;
}

uint64_t chaos_killed(const struct chaos *c) { return victims_killed(c->victims); }

void chaos_counts(const struct chaos *c, struct chaos_found ret[static CHAOS_KINDS])
{
	for (uint32_t i = 0; i < CHAOS_KINDS; i++) {
		ret[i].asked = chaos_spec_has(&c->options->chaos, i);
		ret[i].acted = c->acted[i];
		ret[i].missed = c->missed[i];
	}
}

/* ---- marks ----------------------------------------------------------------------------------- */

/* The number of the mark; CHAOS_MARKS_MAX: there was no room. */
static uint32_t mark(struct chaos *c, uint32_t kind, uint32_t slot, bool lasts)
{
	struct tally_judge *j = &c->tally->judge;
	uint32_t count = atomic_load(&j->marks_count);
	uint64_t now = load_now();

	if (count >= (lasts ? CHAOS_MARKS_MAX : CHAOS_MARKS_MAX - CHAOS_MARKS_KEPT))
		return CHAOS_MARKS_MAX;
	j->marks[count] = (struct chaos_mark){
		.at_ns = now, .until_ns = lasts ? UINT64_MAX : now, .kind = kind, .slot = slot
	};
	atomic_store(&j->marks_count, count + 1);
	return count;
}

static void mark_end(struct chaos *c, uint32_t number)
{
	if (number < CHAOS_MARKS_MAX)
		__atomic_store_n(
			&c->tally->judge.marks[number].until_ns, load_now(), __ATOMIC_SEQ_CST);
}

static void count(struct chaos *c, uint32_t kind, bool acted)
{
	(acted ? c->acted : c->missed)[kind]++;
}

/* The log has the victims that the schedule wants, whether or not they can be hit. */
static void note_victim(struct chaos *c, const struct chaos_event *event)
{
	log_event("victim %u %s slot=%u", c->victims_count++,
		chaos_name(c->options->chaos.act[event->act].kind),
		victims_slot(c->victims, event->random));
}

/* ---- kills ----------------------------------------------------------------------------------- */

static bool kill_in(struct chaos *c, uint32_t kind, uint32_t slot, uint64_t min_ms)
{
	pid_t pid = victims_worker(c->victims, slot, min_ms);

	if (!pid || !victims_kill(c->victims, slot, pid))
		return false;
	mark(c, kind, slot, false);
	return true;
}

/* Tries all kills that wait, and gives up those that have waited long enough. */
static void kill_waiting(struct chaos *c)
{
	uint64_t now = load_now();
	unsigned kept = 0;

	victims_read(c->victims);
	for (unsigned i = 0; i < c->waiting_count; i++) {
		struct waiting w = c->waiting[i];

		if (kill_in(c, w.kind, w.slot, w.min_ms))
			count(c, w.kind, true);
		else if (now >= w.until_ns)
			count(c, w.kind, false);
		else
			c->waiting[kept++] = w;
	}
	c->waiting_count = kept;
	c->retry_ns = now + RETRY_NS;
}

static void kill_one(struct chaos *c, const struct chaos_event *event, uint64_t now)
{
	uint32_t slot = victims_slot(c->victims, event->random);

	if (c->waiting_count == WAITING_MAX) {
		count(c, CHAOS_KILL, false);
		return;
	}
	c->waiting[c->waiting_count++] = (struct waiting){ .slot = slot,
		.kind = CHAOS_KILL,
		.min_ms = event->random % ANY_AGE ? CHILD_MS : 0,
		.until_ns = c->schedule.over ? now : now + CHAOS_DEBT_NS };
	kill_waiting(c);
}

static void kill_all(struct chaos *c)
{
	bool any = false;

	victims_read(c->victims);
	for (uint32_t slot = 0; slot < victims_slots(c->victims); slot++)
		any |= kill_in(c, CHAOS_KILL_ALL, slot, 0);
	count(c, CHAOS_KILL_ALL, any);
}

/* ---- acts that last -------------------------------------------------------------------------- */

static void stop_one(struct chaos *c, const struct chaos_event *event, uint64_t now)
{
	uint32_t slot = victims_slot(c->victims, event->random), number;
	struct chaos_held held = { .until_ns = now + c->options->chaos.act[event->act].for_ns,
		.act = event->act };
	bool stopped;

	victims_read(c->victims);
	held.pid = victims_worker(c->victims, slot, 0);
	number = held.pid ? mark(c, CHAOS_STOP, slot, true) : CHAOS_MARKS_MAX;
	stopped = number < CHAOS_MARKS_MAX && victims_stop(c->victims, held.pid);
	held.mark = number;
	if (stopped && !chaos_schedule_hold(&c->schedule, &held)) {
		victims_go_on(c->victims, held.pid);
		stopped = false;
	}
	if (!stopped)
		mark_end(c, number);
	count(c, CHAOS_STOP, stopped);
}

static bool press(struct chaos *c, uint32_t kind)
{
	if (kind == CHAOS_ENGINE_STALL)
		return kill(c->pressure.engine, SIGSTOP) == 0;
	return pressure_begin(&c->pressure, kind);
}

static void release(struct chaos *c, uint32_t kind)
{
	if (kind == CHAOS_ENGINE_STALL)
		kill(c->pressure.engine, SIGCONT);
	else
		pressure_end(&c->pressure, kind);
}

/* The mark comes before the pressure, so that no error comes before its mark. */
static void begin_pressure(struct chaos *c, uint32_t act, uint64_t now)
{
	const struct chaos_act *a = &c->options->chaos.act[act];
	struct chaos_held held = { .until_ns = now + a->for_ns, .act = act };
	bool begun = false;

	held.mark = chaos_schedule_holds(&c->schedule, a->kind, 0)
		? CHAOS_MARKS_MAX
		: mark(c, a->kind, CHAOS_NO_SLOT, true);
	if (held.mark < CHAOS_MARKS_MAX && press(c, a->kind)) {
		begun = chaos_schedule_hold(&c->schedule, &held);
		if (!begun)
			release(c, a->kind);
	}
	if (!begun)
		mark_end(c, held.mark);
	count(c, a->kind, begun);
}

static void end_one(struct chaos *c, const struct chaos_event *event)
{
	uint32_t kind = c->options->chaos.act[event->act].kind;

	if (kind != CHAOS_STOP)
		release(c, kind);
	else if (!chaos_schedule_holds(&c->schedule, kind, event->held.pid))
		victims_go_on(c->victims, event->held.pid);
	mark_end(c, event->held.mark);
}

/* ---- what the engine's monitor does ---------------------------------------------------------- */

/* A reload begins when the last one is over. */
static void ask_for_reload(struct chaos *c)
{
	struct chaos_tally *t = &c->tally->chaos;
	uint32_t asked = atomic_load(&t->reloads);

	if (asked != atomic_load(&t->reloads_over)) {
		c->retry_ns = load_now() + RETRY_NS;
		return;
	}
	c->reload_due = false;
	atomic_store(&t->reload_mark, mark(c, CHAOS_RELOAD, CHAOS_NO_SLOT, true));
	atomic_store(&t->reloads, asked + 1);
	futex_wake(&c->tally->births);
	count(c, CHAOS_RELOAD, true);
}

static void reload(struct chaos *c)
{
	if (c->reload_due)
		count(c, CHAOS_RELOAD, false);
	c->reload_due = true;
	ask_for_reload(c);
}

static void resize(struct chaos *c, const struct chaos_event *event)
{
	const struct chaos_act *a = &c->options->chaos.act[event->act];
	struct chaos_tally *t = &c->tally->chaos;

	atomic_store(&t->workers, event->number % 2 ? a->max : a->min);
	mark(c, CHAOS_RESIZE, CHAOS_NO_SLOT, false);
	atomic_store(&t->resizes, atomic_load(&t->resizes) + 1);
	futex_wake(&c->tally->births);
	count(c, CHAOS_RESIZE, true);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void kill_supervisor(struct chaos *c)
{
	mark(c, CHAOS_SUPERVISOR_KILL, CHAOS_NO_SLOT, false);
	c->killed_supervisor = kill(c->supervisor, SIGKILL) == 0;
	c->over = c->killed_supervisor;
	count(c, CHAOS_SUPERVISOR_KILL, c->killed_supervisor);
}

static void act(struct chaos *c, const struct chaos_event *event, uint64_t now)
{
	uint32_t kind = c->options->chaos.act[event->act].kind;

	if (event->ends) {
		end_one(c, event);
		return;
	}
	if (kind == CHAOS_KILL || kind == CHAOS_STOP)
		note_victim(c, event);
	if (event->late) {
		count(c, kind, false);
		return;
	}
	switch (kind) {
	case CHAOS_KILL: kill_one(c, event, now); break;
	case CHAOS_KILL_ALL: kill_all(c); break;
	case CHAOS_STOP: stop_one(c, event, now); break;
	case CHAOS_RELOAD: reload(c); break;
	case CHAOS_RESIZE: resize(c, event); break;
	case CHAOS_SUPERVISOR_KILL: kill_supervisor(c); break;
	default: begin_pressure(c, event->act, now);
	}
}

bool chaos_act(struct chaos *c)
{
	uint64_t now = load_now();
	struct chaos_event event;

	while (!c->over && chaos_schedule_take(&c->schedule, now, &event))
		act(c, &event, now);
	if (!c->over && c->waiting_count && now >= c->retry_ns)
		kill_waiting(c);
	if (!c->over && c->reload_due && now >= c->retry_ns)
		ask_for_reload(c);
	return c->killed_supervisor;
}

bool chaos_end(struct chaos *c)
{
	bool killed_before = c->killed_supervisor;

	for (unsigned i = 0; i < c->waiting_count; i++)
		count(c, c->waiting[i].kind, false);
	c->waiting_count = 0;
	c->reload_due = false;
	chaos_schedule_end(&c->schedule);
	chaos_act(c);
	c->over = true;
	return c->killed_supervisor && !killed_before;
}
