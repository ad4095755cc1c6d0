/* SPDX-License-Identifier: MIT */
/*
 * plan_latency.c - the rows of latency.h: each way beside the control, and the control beside an
 * ideal queue, with the same jobs at the same times. Ways in an event loop stand beside the control
 * in an event loop, calls from threads beside the control with as many threads. Only unpinned: on
 * one CPU the jobs' own work would decide.
 */
#include "arrivals.h"
#include "latency.h"
#include "plan.h"

#define RATE    6000u
#define THREADS 64u
#define JOBS    9000u /* 1.5 s, and 0.3 s of it are the warm-up */

static const struct {
	enum latency_value value, ideal;
	const char *name, *text;
	double limit;
} tails[] = {
	{ LATENCY_P99, LATENCY_IDEAL_P99, "p99", "99th percentile", 2 },
	{ LATENCY_P999, LATENCY_IDEAL_P999, "p999", "99.9th percentile", 3 },
};

static void add_way(struct group *g, const char *load, const char *way, const char *what,
	uint32_t stand, uint32_t control)
{
	for (uint32_t i = 0; i < sizeof tails / sizeof *tails; i++) {
		struct reading of = { stand, tails[i].value };
		bool is_control = stand == control;
		struct reading against = { control,
			is_control ? (uint32_t)tails[i].ideal : (uint32_t)tails[i].value };
		struct row *row = add_row(g, of,
			(struct beside){ against, is_control ? "ideal" : "pool" },
			"latency.%s.%s.%s", way, load, tails[i].name);
		char text[TEXT_MAX];

		row->unit = UNIT_TIME;
		say(row, "%s: %s, from the time when the job was to be given", what, tails[i].text);
		if (is_control)
			continue;
		snprintf(text, sizeof text, "latency, %s load, %s: %s, of a plain pool", load, way,
			tails[i].text);
		add_bound(g, UNPINNED, TIMES_AT_MOST, against, tails[i].limit, text);
	}
}

static void plan_load(struct plan *plan, const char *load, bool heavy, bool quick)
{
	const struct params one = {
		.workers = 8, .rate = RATE, .heavy = heavy, .fixed = quick ? JOBS / 20 : JOBS
	};
	struct params many = one;
	struct group *g = add_group(plan, "latency", ONLY(UNPINNED));
	uint32_t pool, loop;

	many.threads = THREADS;
	g->rounds = quick ? 1 : 9;
	pool = add_stand(g, &floor_latency, &many);
	loop = add_stand(g, &floor_latency, &one);
	add_way(g, load, "pool", "8 forked workers on one shared socket, 64 threads", pool, pool);
	add_way(g, load, "call", "brood_call() from 64 threads on 8 workers",
		add_stand(g, &latency_call, &many), pool);
	add_way(g, load, "loop", "8 forked workers on one shared socket, an event loop", loop,
		loop);
	add_way(g, load, "submit", "brood_submit() in an event loop, 8 workers",
		add_stand(g, &latency_submit, &one), loop);
	add_way(g, load, "open", "brood_open() in an event loop, 8 workers",
		add_stand(g, &latency_talk, &one), loop);
}

void plan_latency(struct plan *plan, bool quick)
{
	plan_load(plan, "constant", false, quick);
	plan_load(plan, "heavy", true, quick);
}
