/* SPDX-License-Identifier: MIT */
/*
 * options_chaos.c - what breaks and changes the pool during the load. --chaos has a language for it
 * (chaos_spec.h). The other options are short forms: each becomes acts of the same kinds.
 */
#include "load.h"
#include "options.h"
#include "options_text.h"

#include <stdio.h>
#include <string.h>

static int kill_times(const char *text, struct options *o)
{
	const char *at = text;

	for (o->kill_all_count = 0;;) {
		double when = 0;
		const char *end = options_number(at, ',', &when);

		if (!end)
			return options_wrong(
				"--kill-all-at wants seconds, as in 2,4,6, not \"%s\"", text);
		if (o->kill_all_count == KILL_TIMES_MAX)
			return options_wrong(
				"--kill-all-at takes at most %d times", KILL_TIMES_MAX);
		if (o->kill_all_count && when < o->kill_all_at[o->kill_all_count - 1])
			return options_wrong(
				"--kill-all-at wants its times in order, not \"%s\"", text);
		o->kill_all_at[o->kill_all_count++] = when;
		if (!*end)
			return 0;
		at = end + 1;
	}
}

static int resize(const char *text, struct options *o)
{
	unsigned min, max, ms;
	int end = -1;

	if (sscanf(text, "%5u:%5u:%8u%n", &min, &max, &ms, &end) != 3 || end < 0 || text[end] ||
		strspn(text, "0123456789:") != (size_t)end || min < 1 || min > max || ms < 1)
		return options_wrong(
			"--resize wants the least and the most workers, and milliseconds, as "
			"in 4:400:500, not \"%s\"",
			text);
	o->resize_min = min;
	o->resize_max = max;
	o->resize_ms = ms;
	return 0;
}

static int chaos(const char *text, struct options *o)
{
	char wrong[CHAOS_WRONG_SIZE];

	return chaos_spec_parse(text, &o->chaos, wrong) < 0 ? options_wrong("--chaos: %s", wrong)
							    : 0;
}

enum {
	OPT_CHAOS = OPTIONS_CHAOS_FIRST,
	OPT_KILL_RATE,
	OPT_KILL_ALL,
	OPT_KILL_SUPERVISOR,
	OPT_RELOAD_EVERY,
	OPT_RESIZE
};

static const struct option longs[] = {
	{ "chaos", required_argument, NULL, OPT_CHAOS },
	{ "kill-rate", required_argument, NULL, OPT_KILL_RATE },
	{ "kill-all-at", required_argument, NULL, OPT_KILL_ALL },
	{ "kill-supervisor-at", required_argument, NULL, OPT_KILL_SUPERVISOR },
	{ "reload-every", required_argument, NULL, OPT_RELOAD_EVERY },
	{ "resize", required_argument, NULL, OPT_RESIZE },
};

static int take(int option, const char *text, struct options *o)
{
	switch (option) {
	case OPT_CHAOS: return chaos(text, o);
	case OPT_KILL_RATE: return options_real("--kill-rate", text, 0, 10000, &o->kill_rate);
	case OPT_KILL_ALL: return kill_times(text, o);
	case OPT_KILL_SUPERVISOR:
		return options_real("--kill-supervisor-at", text, 0, 1e6, &o->kill_supervisor_at);
	case OPT_RELOAD_EVERY:
		return options_real("--reload-every", text, 0.001, 1e6, &o->reload_every_s);
	case OPT_RESIZE: return resize(text, o);
	default: return OPTIONS_NOT_MINE;
	}
}

bool options_kill(const struct options *o)
{
	return o->chaos.count || o->kill_rate > 0 || o->kill_all_count ||
		o->kill_supervisor_at >= 0;
}

static uint64_t ns(double seconds) { return (uint64_t)(seconds * (double)NS_S); }

static int add(struct options *o, const struct chaos_act *act)
{
	return chaos_spec_add(&o->chaos, act) < 0
		? options_wrong("these are more than %d acts of chaos: give fewer", CHAOS_ACTS_MAX)
		: 0;
}

/* The acts that the short forms mean. */
static int add_short_forms(struct options *o)
{
	struct chaos_act act;
	int r = 0;

	if (o->kill_rate > 0) {
		act = chaos_spec_once(CHAOS_KILL, CHAOS_NEVER);
		act.every_ns = ns(1 / o->kill_rate);
		act.scattered = true;
		r = add(o, &act);
	}
	for (unsigned i = 0; !r && i < o->kill_all_count; i++) {
		act = chaos_spec_once(CHAOS_KILL_ALL, ns(o->kill_all_at[i]));
		r = add(o, &act);
	}
	if (!r && o->kill_supervisor_at >= 0) {
		act = chaos_spec_once(CHAOS_SUPERVISOR_KILL, ns(o->kill_supervisor_at));
		r = add(o, &act);
	}
	if (!r && o->reload_every_s > 0) {
		act = chaos_spec_once(CHAOS_RELOAD, 0);
		act.every_ns = ns(o->reload_every_s);
		r = add(o, &act);
	}
	if (!r && o->resize_ms) {
		act = chaos_spec_once(CHAOS_RESIZE, 0);
		act.every_ns = o->resize_ms * NS_MS;
		act.min = o->resize_min;
		act.max = o->resize_max;
		r = add(o, &act);
	}
	return r;
}

static int fits(const struct options *o)
{
	uint32_t workers = chaos_spec_workers(&o->chaos);
	const struct chaos_act *late = o->jobs ? NULL
					       : chaos_spec_late(&o->chaos, ns(o->duration_s));

	if (workers > o->workers)
		return options_wrong(
			"--chaos: resize wants %u workers at most: give -w %u", workers, workers);
	if (workers && o->pools > 1)
		return options_wrong("--chaos: resize is for one pool: it takes no --pools");
	if (o->log && chaos_spec_has(&o->chaos, CHAOS_DISK_FULL))
		return options_wrong(
			"--chaos: disk-full would keep the log from growing, too: take --log or "
			"disk-full away");
	if (late)
		return options_wrong(
			"--chaos: %s comes after the end: give a longer --duration, or an earlier "
			"time, as in 'at 1s'",
			chaos_name(late->kind));
	return 0;
}

static int together(struct options *o)
{
	int r;

	if (o->resize_max > o->workers)
		return options_wrong("--resize wants %u workers at most: give -w %u", o->resize_max,
			o->resize_max);
	if (o->resize_ms && o->pools > 1)
		return options_wrong("--resize is for one pool: it takes no --pools");
	if (!o->jobs && o->kill_supervisor_at > o->duration_s)
		return options_wrong(
			"--kill-supervisor-at %g comes after the end: give a longer --duration",
			o->kill_supervisor_at);
	if (!o->jobs && o->kill_all_count && o->kill_all_at[o->kill_all_count - 1] > o->duration_s)
		return options_wrong(
			"--kill-all-at %g comes after the end: give a longer --duration",
			o->kill_all_at[o->kill_all_count - 1]);
	r = fits(o);
	return r ? r : add_short_forms(o);
}

static const char help[] =
	"      --chaos 'ACT; ACT...'   breaks and changes the pool; each kind of act has its own\n"
	"                          expectation, which is judged, too. WHEN is: at T (once),\n"
	"                          every T, or at T every U; T is a number and us, ms, s or min:\n"
	"                            kill N/s | WHEN | at end    SIGKILL to a random worker\n"
	"                            kill-all WHEN | at end      to all workers\n"
	"                            stop N/s | WHEN [for T]     SIGSTOP, later SIGCONT\n"
	"                            engine-stall [T] [WHEN]     the same to the engine\n"
	"                            fd-pressure [WHEN] [for T]  two files are left to open\n"
	"                            memory-pressure [WHEN] [for T]  64 KiB are left\n"
	"                            disk-full [WHEN] [for T]    no file can grow\n"
	"                            reload [WHEN]               replaces all workers\n"
	"                            resize MIN..MAX [WHEN]      MIN workers, then MAX, and so on\n"
	"                            supervisor-kill [at T | at end]\n"
	"                          The next five options are short forms of such acts\n"
	"      --kill-rate N       kills N random workers a second with SIGKILL\n"
	"      --kill-all-at SEC,...   kills all workers, SEC seconds after the load began\n"
	"      --kill-supervisor-at SEC   kills the supervisor: the run ends then, and a second\n"
	"                          later nothing may be left\n"
	"      --reload-every SEC  replaces all workers, a few at a time: when the load begins,\n"
	"                          and every SEC seconds from then; one that is due while another\n"
	"                          goes on begins when that one is done\n"
	"      --resize MIN:MAX:MS gives the pool MIN workers, MS milliseconds later MAX, and so "
	"on;\n"
	"                          MAX is -w at most. The pool has -w again at the end\n";

const struct options_part options_chaos = { longs, COUNT_OF(longs), take, together, help };
