/* SPDX-License-Identifier: MIT */
/*
 * chaos.h - what is done to the pool on purpose, and when it was done.
 *
 * The judge acts on a schedule (chaos_schedule.h), because no thread of the engine shall be
 * disturbed by it. Only reloads and new sizes are calls of the library: the judge asks for them
 * here, and the engine's monitor makes the calls. Each act leaves a mark. With the marks the engine
 * tells whether an error came while some pressure was on, and the report draws them.
 */
#ifndef BROOD_LOAD_CHAOS_H
#define BROOD_LOAD_CHAOS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum chaos_kind {
	CHAOS_KILL,
	CHAOS_KILL_ALL,
	CHAOS_STOP,
	CHAOS_FD_PRESSURE,
	CHAOS_MEMORY_PRESSURE,
	CHAOS_DISK_FULL,
	CHAOS_ENGINE_STALL,
	CHAOS_RELOAD,
	CHAOS_RESIZE,
	CHAOS_SUPERVISOR_KILL
};
#define CHAOS_KINDS   10
#define CHAOS_NO_SLOT UINT32_MAX
/* The name that --chaos knows, such as "fd-pressure". */
const char *chaos_name(uint32_t kind);

/* Times are on CLOCK_MONOTONIC. */
struct chaos_mark {
	uint64_t at_ns;
	uint64_t until_ns;   /* UINT64_MAX: it goes on; at_ns: it took no time */
	uint32_t kind, slot; /* slot: of the worker that was hit; CHAOS_NO_SLOT: none */
};
#define CHAOS_MARKS_MAX 8192
/* Kills leave these marks to the acts that last: without its mark such an act does not begin. */
#define CHAOS_MARKS_KEPT 4096

struct chaos_tally {
	/* The judge writes: how often it asked, the size it asked for, and the mark of the act. */
	_Atomic uint32_t reloads, resizes;
	_Atomic uint32_t workers;
	_Atomic uint32_t reload_mark;
	/* The monitor writes: how many are over, well or not. */
	_Atomic uint32_t reloads_over, resizes_over;
	/* Drivers write: what came of a kind of chaos and was expected, and what was not. */
	_Atomic uint64_t expected[CHAOS_KINDS], unexpected[CHAOS_KINDS];
};

/* ---- chaos.c: the judge acts ----------------------------------------------------------------- */

struct options;
struct tally;
struct chaos;
struct chaos *chaos_new(const struct options *o, struct tally *tally, pid_t supervisor);
struct chaos *chaos_free(struct chaos *c);
void chaos_begin(struct chaos *c, uint64_t start_ns);
/* When chaos_act() is due next; UINT64_MAX: never. */
uint64_t chaos_next(const struct chaos *c);
bool chaos_act(struct chaos *c); /* true: it has killed the supervisor */
/* Takes all pressure away and does what is to be done at the end. Returns as chaos_act(). */
bool chaos_end(struct chaos *c);
uint64_t chaos_killed(const struct chaos *c);

/* How often a kind acted, and how often its time came and it could not: nobody was there to hit. */
struct chaos_found {
	uint64_t acted, missed;
	bool asked, broken;
	char found[120]; /* in words */
};
void chaos_counts(const struct chaos *c, struct chaos_found ret[static CHAOS_KINDS]);

/* ---- chaos_excuse.c: drivers ask what may have come of chaos --------------------------------- */

struct driver;
struct engine;
struct load_job;
struct brood_verdict;
/* True: a call may fail in this way, without a verdict: a resource was short. */
bool chaos_is_short(long error);
/* A call failed before there was a job. */
void chaos_refused(struct driver *d, const struct load_job *job, long error);
/* A verdict may come so long after its job's end: this machine may be loaded. */
#define CHAOS_LATE_NS 5000000000ull
/* An engine that did not run for so long explains a late verdict. */
#define CHAOS_STILL_NS (CHAOS_LATE_NS / 2)
/* bad: what rules_judge() said. Returns it, or NULL: chaos explains that verdict. */
const char *chaos_verdict(struct driver *d, const struct load_job *job,
	const struct brood_verdict *v, const char *bad);
/* The reply did not come, for want of memory, files or room. True: some pressure was on. */
bool chaos_reply_lost(struct driver *d, const struct load_job *job);
/* The monitor's call failed with this error. True: some pressure explains it. */
bool chaos_explains(const struct engine *e, long error, uint64_t since_ns);

/* ---- chaos_rows.c: each kind's expectation --------------------------------------------------- */

struct findings;
/* f->chaos has the counts. */
/* What a kind may do to the jobs. */
const char *chaos_expectation(uint32_t kind);
void chaos_judge(const struct tally *t, struct findings *f);
void chaos_table(const struct findings *f, FILE *file);
void chaos_json_config(const struct options *o, FILE *file);
void chaos_json(const struct findings *f, FILE *file);

#endif
