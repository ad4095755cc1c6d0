/* SPDX-License-Identifier: MIT */
/*
 * watchdog.h - when to tell the service manager that all is well, and when not to. The supervisor
 * looks once in each period (half of the manager's time), so a loop that does not turn says
 * nothing. A look finds at most one fault, the first of:
 *
 *   STOPPED  the engine is stopped by a signal
 *   LATE     a job is WATCHDOG_LATE_MS past the time by which it had to be ended
 *   DEAF     the engine was asked, has not answered for answer_ms, and work that was ready for it
 *            when it was asked still waits for it
 *   SPINS    the same, but one of its threads has run all the time, without ever sleeping
 *
 * The engine has no thread of the library that could answer. So it answers whenever its code calls
 * the library, and it is asked only near the look: answer_ms before. An engine that does not answer
 * may be well: it sleeps, because there is nothing to do, or waits in a long call. Only waiting
 * work, or a thread that spins, tells that the engine is not well. An engine under a debugger
 * counts as well.
 *
 * A look that comes much too late proves nothing about the engine or a job: most likely the whole
 * machine, or the whole service, stood still. Then the engine is asked anew.
 */
#ifndef BROOD_POOL_WATCHDOG_H
#define BROOD_POOL_WATCHDOG_H

#include "ladder.h"

#define WATCHDOG_LATE_MS 2000u
/* No more often than so, however short the service manager's time is. */
#define WATCHDOG_PERIOD_MIN_MS 25u

enum watchdog_fault {
	WATCHDOG_WELL,
	WATCHDOG_STOPPED,
	WATCHDOG_LATE,
	WATCHDOG_DEAF,
	WATCHDOG_SPINS
};
/* LOOK: see, and call watchdog_look(). ASK: ask the engine, and note what waits for it now. */
enum watchdog_step { WATCHDOG_NOTHING, WATCHDOG_ASK, WATCHDOG_LOOK };

/* What a look sees. answered, waits and spins: since the engine was asked. */
struct watchdog_sight {
	bool stopped, traced, late, answered, waits, spins;
};

struct watchdog {
	uint64_t period, answer;            /* ns; answer 0: the engine is not asked */
	uint64_t look_at, ask_at, asked_ns; /* TIME_NEVER, 0: not now */
	enum watchdog_fault fault;          /* what the last look found */
};

/*
 * period_us: half of the service manager's time; 0: there is no watchdog. answer_ms 0: the engine
 * is not asked. Without both there is nothing to do, ever.
 */
void watchdog_begin(struct watchdog *w, uint64_t period_us, uint32_t answer_ms, uint64_t now);
/* The step that is due. Call again until it returns NOTHING. */
enum watchdog_step watchdog_due(struct watchdog *w, uint64_t now);
/* True: all is well, tell the service manager. w->fault is what is wrong. */
bool watchdog_look(struct watchdog *w, const struct watchdog_sight *see, uint64_t now);
uint64_t watchdog_next(const struct watchdog *w); /* TIME_NEVER: no step will come */

/*
 * True: the job of this ladder, which began at `since`, should have been ended WATCHDOG_LATE_MS
 * ago. A job that was killed, or has ended by itself, has a bound of its own (undead.c, the
 * ladder's last wait), which is allowed for.
 */
bool watchdog_job_late(const struct ladder *l, uint64_t since, uint32_t run_ms, uint64_t now);

/* True: the fault is that the engine does not answer. */
static inline bool watchdog_unanswered(enum watchdog_fault fault)
{
	return fault == WATCHDOG_DEAF || fault == WATCHDOG_SPINS;
}

#endif
