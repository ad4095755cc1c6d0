/* SPDX-License-Identifier: MIT */
/* options_pace.c - when jobs are given, and which figures the run must have. */
#include "load.h"
#include "options.h"
#include "options_text.h"

enum {
	OPT_RATE = OPTIONS_PACE_FIRST,
	OPT_POISSON,
	OPT_RAMP,
	OPT_STEPS,
	OPT_WARM_UP,
	OPT_FAIL_IF,
	OPT_FIND_MAX,
	OPT_CONTROL,
	OPT_IDLE
};

static const struct option longs[] = {
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "poisson", no_argument, NULL, OPT_POISSON },
	{ "ramp", required_argument, NULL, OPT_RAMP },
	{ "steps", required_argument, NULL, OPT_STEPS },
	{ "warm-up", required_argument, NULL, OPT_WARM_UP },
	{ "fail-if", required_argument, NULL, OPT_FAIL_IF },
	{ "find-max", required_argument, NULL, OPT_FIND_MAX },
	{ "control", no_argument, NULL, OPT_CONTROL },
	{ "idle", required_argument, NULL, OPT_IDLE },
};

typedef int parse_fn(const char *text, struct pace_plan *ret);

static int plan(
	parse_fn *parse, const char *name, const char *form, const char *text, struct options *o)
{
	if (o->pacing.plan.stages)
		return options_wrong("give one of --rate, --ramp and --steps, once: \"%s %s\" is a "
				     "second one",
			name, text);
	if (parse(text, &o->pacing.plan) < 0)
		return options_wrong("%s wants %s, not \"%s\"", name, form, text);
	return 0;
}

static int condition(const char *name, const char *text, struct thresholds *all)
{
	const char *wrong;

	if (all->count == THRESHOLDS_MAX)
		return options_wrong("%s takes at most %d conditions", name, THRESHOLDS_MAX);
	wrong = thresholds_parse(text, &all->one[all->count]);
	if (wrong)
		return options_wrong("%s wants %s, not \"%s\"", name, wrong, text);
	all->count++;
	return 0;
}

static int take(int option, const char *text, struct options *o)
{
	struct pacing *p = &o->pacing;

	switch (option) {
	case OPT_RATE:
		return plan(pace_parse_rate, "--rate",
			"jobs a second, from 1 to 10M, as in 1000, 1000/s or 20k", text, o);
	case OPT_RAMP:
		return plan(pace_parse_ramp, "--ramp",
			"two rates and seconds, as in 100:5000:10, and a first job within a minute",
			text, o);
	case OPT_STEPS:
		return plan(pace_parse_steps, "--steps",
			"up to 16 rates and the seconds of each, as in 1000,2000,4000:5", text, o);
	case OPT_POISSON: p->plan.poisson = true; return 0;
	case OPT_WARM_UP: return options_real("--warm-up", text, 0, 1e6, &p->warm_up_s);
	case OPT_FAIL_IF: return condition("--fail-if", text, &p->fail_if);
	case OPT_FIND_MAX: return condition("--find-max", text, &p->find_max);
	case OPT_CONTROL: o->control = true; return 0;
	case OPT_IDLE: return options_real("--idle", text, 0, 1e6, &o->idle_s);
	default: return OPTIONS_NOT_MINE;
	}
}

bool options_paced(const struct options *o)
{
	const struct pacing *p = &o->pacing;

	return p->plan.stages || p->plan.poisson || p->warm_up_s >= 0 || p->fail_if.count ||
		p->find_max.count;
}

/* Late and unsent jobs are counts of an open loop: a closed one never has any. */
static int open_alone(const struct options *o)
{
	for (unsigned i = 0; i < o->pacing.fail_if.count; i++) {
		const struct threshold *t = &o->pacing.fail_if.one[i];

		if (t->what == THRESHOLD_COUNT &&
			(t->count == THRESHOLD_LATE || t->count == THRESHOLD_UNSENT))
			return options_wrong("--fail-if '%s' needs a rate: in a closed loop no job "
					     "is late or unsent",
				t->text);
	}
	return 0;
}

static int find_together(const struct options *o)
{
	const struct pace_plan *plan = &o->pacing.plan;

	if (!o->pacing.find_max.count)
		return 0;
	if (plan->stages && pace_length(plan) > 0)
		return options_wrong("--find-max chooses the rates: it takes no --ramp and no "
				     "--steps; --rate says where it begins");
	if (o->jobs)
		return options_wrong("--find-max wants -d, the seconds of its last run, not -n");
	if (options_kill(o) || o->control)
		return options_wrong("--find-max takes no --kill options and no --control");
	return 0;
}

static int together(struct options *o)
{
	struct pacing *p = &o->pacing;
	int r;

	if (o->idle_s >= 0 &&
		(options_kill(o) || o->jobs || o->duration_s > 0 || o->reload_every_s > 0 ||
			o->resize_ms || options_paced(o) || o->control))
		return options_wrong("--idle is a run without load: it takes no -d, -n, --chaos, "
				     "--reload-every, --resize, --rate, --control or --kill "
				     "options, and none of the open loop");
	if (p->plan.poisson && !p->plan.stages && !p->find_max.count)
		return options_wrong("--poisson wants a rate: give --rate, --ramp or --steps, too");
	if (!p->plan.stages && !p->find_max.count && (r = open_alone(o)))
		return r;
	r = find_together(o);
	if (r)
		return r;
	if (!o->jobs && o->duration_s <= 0)
		o->duration_s = pace_length(&p->plan) > 0 ? pace_length(&p->plan) : 10;
	if (o->duration_s > 0 && p->warm_up_s >= o->duration_s)
		return options_wrong("--warm-up %g is as long as the run of %g seconds, or longer",
			p->warm_up_s, o->duration_s);
	if (p->warm_up_s < 0 && !p->find_max.count)
		p->warm_up_s = pacer_warm_up(o);
	return 0;
}

static const char help[] =
	"      --rate R[/s]        an open loop: sends R jobs a second, as in 1000 or 20k, "
	"however\n"
	"                          slow the pool is, and counts their latencies from the planned\n"
	"                          send time. -c bounds the jobs that are out\n"
	"      --poisson           sends the jobs of --rate, --ramp, --steps or --find-max at\n"
	"                          random times with that mean rate\n"
	"      --ramp FROM:TO:SEC  an open loop whose rate rises, or falls, for SEC seconds\n"
	"      --steps R1,R2,...:SEC   an open loop with one rate after the other, each for SEC\n"
	"                          seconds\n"
	"      --warm-up SEC       leaves the first seconds out of latencies and rates (default:\n"
	"                          a tenth of the run, 1 at most, with --rate; else 0)\n"
	"      --fail-if COND      ends with 3 if this is true of the run, as in 'p99>5ms',\n"
	"                          'refused>0' or 'late>1%'; may be given several times\n"
	"      --find-max COND     finds the highest rate that keeps COND, as in 'p99<5ms'; may\n"
	"                          be given several times. -d is the length of the last run, a\n"
	"                          fifth of it that of each before it\n"
	"      --control           tells the longest time without a completion, and beside it\n"
	"                          that of a bare epoll loop in the same run (not to be taken\n"
	"                          for --peer control)\n"
	"      --idle SEC          no load: starts, waits until the pool is ready, waits SEC\n"
	"                          seconds, stops\n";

const struct options_part options_pace = { longs, COUNT_OF(longs), take, together, help };
