/* SPDX-License-Identifier: MIT */
/* table.c - the results for people. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static void put_number(FILE *file, double value, int width)
{
	fprintf(file, "%*.*f", width,
		value >= 1000          ? 0
			: value >= 100 ? 1
			: value >= 10  ? 2
				       : 3,
		value);
}

void table_machine(FILE *file, const struct settings *settings)
{
	struct utsname name;
	double load[3] = { 0 };

	uname(&name);
	if (getloadavg(load, 3) < 0)
		load[0] = 0;
	fprintf(file,
		"brood-bench: brood %s, Linux %s %s, %ld CPUs, load %.1f at the start; %u rounds "
		"of %u ms\n",
		brood_version(), name.release, name.machine, sysconf(_SC_NPROCESSORS_ONLN), load[0],
		settings->rounds, settings->block_ms);
	fprintf(file,
		"us a job (or round trip), medians; spread: (largest - smallest) / median; ratio: "
		"to the floor in the same round, median\n");
}

void table_mode(FILE *file, enum mode mode, const struct settings *settings)
{
	if (mode == PINNED)
		fprintf(file, "\nAll processes on CPU %d%s\n", settings->cpu,
			settings->cpu_time ? "; CPU time of all of them" : "");
	else
		fprintf(file, "\nNot pinned\n");
	fprintf(file, "%-22s %10s %7s %10s  %-9s %9s %8s\n", "", "us", "spread", "jobs/s", "floor",
		"us", "ratio");
}

static void put_row(FILE *file, const struct group *g, enum mode mode, const struct row *row)
{
	struct figure f = figure_of(g, mode, row->of), floor = figure_of(g, mode, row->floor),
		      ratio = ratio_of(g, mode, row->of, row->floor);
	const char *note = g->stands[row->of.stand].note[mode];

	fprintf(file, "%-22s", row->name);
	if (!f.there) {
		fprintf(file, " %10s  %s\n", "-", *note ? note : "not measured");
		return;
	}
	if (row->unit == UNIT_RUNS || row->unit == UNIT_KIB) {
		fprintf(file, " %10.0f  %s", f.median,
			row->unit == UNIT_KIB ? "KiB" : "times that any process ran");
		if (floor.there && (!row->bare || row->of.value != row->floor.value))
			fprintf(file, "; %s %.0f", row->floor_name, floor.median);
		fprintf(file, "%s%s\n", *note ? "; " : "", note);
		return;
	}
	fputc(' ', file);
	put_number(file, f.median, 10);
	fprintf(file, " %6.0f%%", f.median > 0 ? (f.max - f.min) / f.median * 100 : 0);
	if (row->unit == UNIT_US)
		fprintf(file, " %10.0f", 1e6 / f.median);
	else
		fprintf(file, " %10s", "");
	if (ratio.there && (!row->bare || row->of.stand != row->floor.stand)) {
		fprintf(file, "  %-9s ", row->floor_name);
		put_number(file, floor.median, 9);
		fprintf(file, " %8.3f", ratio.median);
	}
	fprintf(file, "%s%s\n", *note ? "  " : "", note);
}

void table_group(FILE *file, const struct group *g, enum mode mode)
{
	for (uint32_t i = 0; i < g->rows_count; i++) {
		if (g->rows[i].wanted)
			put_row(file, g, mode, &g->rows[i]);
	}
	/* Names the floors that did not start and that no row mentions. */
	for (uint32_t i = 0; i < g->stands_count; i++) {
		const struct stand *s = &g->stands[i];
		bool said = false;

		for (uint32_t r = 0; r < g->rows_count; r++)
			said = said || g->rows[r].of.stand == i;
		if (s->wanted && !said && *s->note[mode])
			fprintf(file, "%-22s %10s  %s\n", g->name, "-", s->note[mode]);
	}
	fflush(file);
}

uint32_t table_bounds(FILE *file, const struct plan *plan, const struct settings *settings)
{
	uint32_t missed = 0;

	fprintf(file, "\n%-68s %12s %14s\n", "To reach", "is", "bound");
	for (uint32_t i = 0; i < plan->count; i++) {
		const struct group *g = &plan->groups[i];

		for (uint32_t j = 0; j < g->bounds_count; j++) {
			const struct bound *b = &g->bounds[j];
			struct figure f = bound_figure(g, b);
			bool whole = b->kind == RATE_AT_LEAST || b->kind == COUNT_AT_MOST;
			bool holds = bound_holds(b, &f);

			if (!g->rows[b->row].wanted || !settings->modes[b->mode])
				continue;
			missed += !holds;
			fprintf(file, "%-68s ", b->what);
			if (f.there)
				fprintf(file, "%12.*f", whole ? 0 : 3, f.median);
			else
				fprintf(file, "%12s", "-");
			fprintf(file, " %3s %10.*f  %s\n",
				b->kind == TIMES_AT_MOST || b->kind == COUNT_AT_MOST ? "<=" : ">=",
				whole ? 0 : 2, b->limit,
				holds             ? "OK"
					: f.there ? "MISSED"
						  : "not measured");
		}
	}
	fflush(file);
	return missed;
}
