/* SPDX-License-Identifier: MIT */
/*
 * chaos_excuse.c - in the engine: does chaos explain an error or a verdict? A resource that is
 * short explains an error only while its pressure was on. A reload or a new size explains none.
 */
#include "load.h"

#include <errno.h>
#include <string.h>

#define BIT(kind) (1u << (kind))
#define PRESSURES (BIT(CHAOS_FD_PRESSURE) | BIT(CHAOS_MEMORY_PRESSURE) | BIT(CHAOS_DISK_FULL))

#define STANDSTILLS (BIT(CHAOS_STOP) | BIT(CHAOS_ENGINE_STALL))

/* The pressures that lead to this error, as a set; 0: none does. */
static uint32_t pressures_of(long error)
{
	switch (error) {
	case -EMFILE:
	case -ENFILE: return BIT(CHAOS_FD_PRESSURE);
	case -ENOMEM: return BIT(CHAOS_MEMORY_PRESSURE);
	case -EFBIG:
	case -ENOSPC: return BIT(CHAOS_DISK_FULL);
	default: return 0;
	}
}

bool chaos_is_short(long error) { return pressures_of(error) != 0; }

/* The kind of the last act of this set that was on at since_ns or later; CHAOS_KINDS: none was. */
static uint32_t on_since(const struct tally *t, uint32_t kinds, uint64_t since_ns)
{
	for (uint32_t n = atomic_load(&t->judge.marks_count); n; n--) {
		const struct chaos_mark *m = &t->judge.marks[n - 1];

		if (kinds & BIT(m->kind) &&
			__atomic_load_n(&m->until_ns, __ATOMIC_SEQ_CST) >= since_ns)
			return m->kind;
	}
	return CHAOS_KINDS;
}

/* The kinds that were asked for, as a set. */
static uint32_t asked(const struct engine *e)
{
	uint32_t set = 0;

	for (unsigned i = 0; i < e->options->chaos.count; i++)
		set |= BIT(e->options->chaos.act[i].kind);
	return set;
}

static void blame(struct driver *d, uint32_t kind, const char *what)
{
	struct tally *t = d->engine->tally;

	atomic_fetch_add(&t->chaos.unexpected[kind], 1);
	shard_note(d->shard, CHAOS_EXPECTED, "%s: %s", chaos_name(kind), what);
}

static void expected(struct driver *d, uint32_t kind)
{
	atomic_fetch_add(&d->engine->tally->chaos.expected[kind], 1);
}

static void judge_shortage(
	struct driver *d, const struct load_job *job, uint32_t kinds, const char *what)
{
	uint32_t kind = on_since(d->engine->tally, kinds, job->start_ns);
	uint32_t mine = kinds & asked(d->engine);

	if (kind < CHAOS_KINDS)
		expected(d, kind);
	else if (mine)
		blame(d, (uint32_t)__builtin_ctz(mine), what);
}

/*
 * The queue has room for all jobs that can be out, in an open loop, too. So a full queue is a lie,
 * and while the pool only changes its workers no job may be refused.
 */
static void judge_full(struct driver *d, const struct load_job *job)
{
	const struct engine *e = d->engine;
	uint32_t changes = asked(e) & (BIT(CHAOS_RELOAD) | BIT(CHAOS_RESIZE));

	if (!changes || on_since(e->tally, PRESSURES, job->start_ns) < CHAOS_KINDS)
		return;
	blame(d, (uint32_t)__builtin_ctz(changes),
		"a job was refused for a full queue that cannot be full");
}

void chaos_refused(struct driver *d, const struct load_job *job, long error)
{
	char text[100];

	snprintf(
		text, sizeof text, "a job was refused at another time (%s)", strerror((int)-error));
	if (pressures_of(error))
		judge_shortage(d, job, pressures_of(error), text);
	else if (error == -EAGAIN)
		judge_full(d, job);
}

/* The judge kills with SIGKILL alone. */
static const char *judge_killed(struct driver *d, const struct brood_verdict *v)
{
	if (v->signal != SIGKILL)
		return "it was killed, but not by SIGKILL";
	expected(d, CHAOS_KILL);
	return NULL;
}

/* Without memory or disk a job may fail in ways of its own: then it says so. */
static bool is_want(const struct brood_verdict *v)
{
	return (v->outcome == BROOD_FAILED && v->code == CODE_BAD_REQUEST) ||
		v->detail == BROOD_DETAIL_MEMORY;
}

/* Somebody else stopped the engine: the monitor has found that, or has not yet looked again. */
static bool stood_still(const struct engine *e, uint64_t since_ns)
{
	uint64_t looked = atomic_load(&e->monitor_ns);

	return atomic_load(&e->still_ns) >= since_ns ||
		(looked && load_now() > looked + CHAOS_STILL_NS);
}

/* A verdict came so long after the end that it tells; no stalled engine explains it. */
static bool is_late(
	const struct driver *d, const struct load_job *job, const struct brood_verdict *v)
{
	uint64_t told = (v->queue_us + v->run_us) * NS_US;

	return load_now() > job->start_ns + told + CHAOS_LATE_NS &&
		on_since(d->engine->tally, BIT(CHAOS_ENGINE_STALL), job->start_ns) == CHAOS_KINDS &&
		!stood_still(d->engine, job->start_ns);
}

/*
 * A worker that was stopped before it began a job on its lease may have its time used up by that:
 * then the job is told timed out and not started, and its time stands in queue_us.
 */
static bool is_unstarted(const struct driver *d, const struct brood_verdict *v)
{
	return v->outcome == BROOD_TIMED_OUT && !v->started &&
		v->queue_us + 1000 >= (uint64_t)options_run_ms(d->engine->options) * 1000;
}

/*
 * A worker that was stopped just after its job's end, before it told of the end, does not answer
 * when the job's time is up: then it is killed as stuck.
 */
static bool is_untold(const struct driver *d, const struct brood_verdict *v)
{
	return v->outcome == BROOD_CRASHED && v->detail == BROOD_DETAIL_STUCK &&
		v->signal == SIGKILL &&
		v->run_us + 1000 >= (uint64_t)options_run_ms(d->engine->options) * 1000;
}

/* rules_judge() found the verdict wrong. Returns what it said, or NULL: chaos explains it. */
static const char *judge_wrong(struct driver *d, const struct load_job *job,
	const struct brood_verdict *v, const char *bad)
{
	uint32_t kinds = is_want(v)                     ? PRESSURES
		: is_unstarted(d, v) || is_untold(d, v) ? STANDSTILLS
							: 0;
	uint32_t kind = on_since(d->engine->tally, kinds, job->start_ns);

	if (kind < CHAOS_KINDS) {
		expected(d, kind);
		return NULL;
	}
	kind = on_since(d->engine->tally, STANDSTILLS, job->start_ns);
	if (kind < CHAOS_KINDS)
		atomic_fetch_add(&d->engine->tally->chaos.unexpected[kind], 1);
	return bad;
}

const char *chaos_verdict(struct driver *d, const struct load_job *job,
	const struct brood_verdict *v, const char *bad)
{
	uint32_t kind;

	if (!bad && is_late(d, job, v))
		return "it came long after the end that it tells";
	if (!d->engine->options->chaos.count)
		return bad;
	if (bad)
		return judge_wrong(d, job, v, bad);
	if (v->outcome == BROOD_CRASHED && v->detail == BROOD_DETAIL_OUTSIDE)
		return judge_killed(d, v);
	if (v->outcome == BROOD_REFUSED && v->detail == BROOD_DETAIL_FD_LOST)
		judge_shortage(d, job, BIT(CHAOS_FD_PRESSURE),
			"a job lost its descriptor at another time");
	else if (v->outcome == BROOD_REFUSED && v->detail == BROOD_DETAIL_QUEUE_FULL)
		judge_full(d, job);
	else if (v->outcome == BROOD_TIMED_OUT) {
		kind = on_since(d->engine->tally, STANDSTILLS, job->start_ns);
		if (kind < CHAOS_KINDS)
			expected(d, kind);
	}
	return NULL;
}

bool chaos_reply_lost(struct driver *d, const struct load_job *job)
{
	uint32_t kind = on_since(d->engine->tally, PRESSURES, job->start_ns);

	if (kind < CHAOS_KINDS)
		expected(d, kind);
	return kind < CHAOS_KINDS;
}

bool chaos_explains(const struct engine *e, long error, uint64_t since_ns)
{
	uint32_t kind = on_since(e->tally, pressures_of(error), since_ns);

	if (kind < CHAOS_KINDS)
		atomic_fetch_add(&e->tally->chaos.expected[kind], 1);
	return kind < CHAOS_KINDS;
}
