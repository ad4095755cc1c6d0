/* SPDX-License-Identifier: MIT */
/*
 * chaos_rows.c - what each kind of chaos may do to the jobs, and what it did: the judgement, the
 * rows of the table, and the JSON.
 */
#include "json_text.h"
#include "load.h"

#include <stdio.h>

static const char *const expectations[CHAOS_KINDS] = {
	[CHAOS_KILL] = "at most one crashed job for each killed worker, by SIGKILL",
	[CHAOS_KILL_ALL] = "at most one crashed job for each killed worker, by SIGKILL",
	[CHAOS_STOP] = "jobs are done or timed out, or their stopped worker was stuck",
	[CHAOS_FD_PRESSURE] = "jobs are refused for want of files meanwhile, and at no other time",
	[CHAOS_MEMORY_PRESSURE] =
		"jobs are refused for want of memory meanwhile, and at no other time",
	[CHAOS_DISK_FULL] = "jobs are refused for want of room meanwhile, and at no other time",
	[CHAOS_ENGINE_STALL] = "jobs are done or timed out",
	[CHAOS_RELOAD] = "each one is done, and no job is refused",
	[CHAOS_RESIZE] = "each one is done, and no job is refused",
	[CHAOS_SUPERVISOR_KILL] = "nothing is left",
};

const char *chaos_expectation(uint32_t kind)
{
	return kind < CHAOS_KINDS ? expectations[kind] : "?";
}

static void say_killed(struct findings *f, struct chaos_found *c)
{
	uint64_t crashed = f->totals.told[BROOD_CRASHED][BROOD_DETAIL_OUTSIDE];

	c->broken = crashed > f->workers_killed;
	snprintf(c->found, sizeof c->found, "%llu workers killed, %llu jobs crashed",
		(llu)f->workers_killed, (llu)crashed);
}

/* What was asked for at the very end of the load was perhaps not begun. */
static void say_changed(const struct tally *t, struct findings *f, uint32_t kind)
{
	uint64_t done = kind == CHAOS_RELOAD ? t->engine.reloads : t->engine.resizes,
		 begun = kind == CHAOS_RELOAD ? atomic_load(&t->chaos.reloads_over)
					      : atomic_load(&t->chaos.resizes_over),
		 refused = atomic_load(&t->chaos.unexpected[kind]);
	/* A pressure explains that one failed; then it has counted the error. */
	bool excused = f->chaos[CHAOS_FD_PRESSURE].asked || f->chaos[CHAOS_DISK_FULL].asked ||
		f->chaos[CHAOS_MEMORY_PRESSURE].asked;

	f->chaos[kind].broken = refused || (!excused && done < begun);
	snprintf(f->chaos[kind].found, sizeof f->chaos[kind].found,
		"%llu of %llu done, %llu jobs refused", (llu)done, (llu)begun, (llu)refused);
}

static void say_counts(const struct tally *t, struct findings *f, uint32_t kind)
{
	uint64_t expected = atomic_load(&t->chaos.expected[kind]),
		 unexpected = atomic_load(&t->chaos.unexpected[kind]);
	struct chaos_found *c = &f->chaos[kind];

	c->broken = unexpected > 0;
	if (kind == CHAOS_STOP || kind == CHAOS_ENGINE_STALL)
		snprintf(c->found, sizeof c->found, "%llu timed out, %llu have a wrong verdict",
			(llu)expected, (llu)unexpected);
	else
		snprintf(c->found, sizeof c->found, "%llu meanwhile, %llu at other times",
			(llu)expected, (llu)unexpected);
}

static void judge_one(const struct tally *t, struct findings *f, uint32_t kind)
{
	struct chaos_found *c = &f->chaos[kind];

	switch (kind) {
	case CHAOS_KILL:
	case CHAOS_KILL_ALL: say_killed(f, c); break;
	case CHAOS_RELOAD:
	case CHAOS_RESIZE: say_changed(t, f, kind); break;
	case CHAOS_SUPERVISOR_KILL:
		c->broken = f->left.processes + f->left.zombies > 0;
		snprintf(c->found, sizeof c->found, "%u processes left",
			f->left.processes + f->left.zombies);
		break;
	default: say_counts(t, f, kind);
	}
	if (c->broken)
		findings_breach(f, CHAOS_EXPECTED, "%s: expected: %s; found: %s", chaos_name(kind),
			expectations[kind], c->found);
}

void chaos_judge(const struct tally *t, struct findings *f)
{
	for (uint32_t kind = 0; kind < CHAOS_KINDS; kind++) {
		if (!f->chaos[kind].asked)
			continue;
		f->judged[CHAOS_EXPECTED] = true;
		judge_one(t, f, kind);
	}
}

void chaos_table(const struct findings *f, FILE *file)
{
	bool first = true;

	for (uint32_t kind = 0; kind < CHAOS_KINDS; kind++) {
		const struct chaos_found *c = &f->chaos[kind];

		if (!c->asked)
			continue;
		if (first)
			fprintf(file, "  %-17s%10s %10s\n", "chaos", "acted", "missed");
		first = false;
		fprintf(file, "  %-17s%10llu %10llu  %s\n%40s  expected: %s\n", chaos_name(kind),
			(llu)c->acted, (llu)c->missed, c->found, c->broken ? "BROKEN" : "",
			expectations[kind]);
	}
	if (!first)
		fputc('\n', file);
}

void chaos_json_config(const struct options *o, FILE *file)
{
	fputs("    \"chaos\": ", file);
	if (*o->chaos.text)
		json_put_text(file, o->chaos.text);
	else
		fputs("null", file);
	fputs(",\n", file);
}

void chaos_json(const struct findings *f, FILE *file)
{
	bool first = true;

	fputs("  \"chaos\": {", file);
	for (uint32_t kind = 0; kind < CHAOS_KINDS; kind++) {
		const struct chaos_found *c = &f->chaos[kind];

		if (!c->asked)
			continue;
		fprintf(file, "%s\n    \"%s\": { \"acted\": %llu, \"missed\": %llu, \"expected\": ",
			first ? "" : ",", chaos_name(kind), (llu)c->acted, (llu)c->missed);
		json_put_text(file, expectations[kind]);
		fputs(", \"found\": ", file);
		json_put_text(file, c->found);
		fprintf(file, ", \"held\": %s }", c->broken ? "false" : "true");
		first = false;
	}
	fputs(first ? "},\n" : "\n  },\n", file);
}
