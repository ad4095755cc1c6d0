/* SPDX-License-Identifier: MIT */
/* markdown.c - the results of --peers as the README shows them: --markdown. */
#include "peers.h"

#include <string.h>

/* Two significant digits, with a comma at thousands: nobody can repeat more of them. */
static void put_rounded(FILE *file, double value)
{
	double step = 1;
	unsigned long whole;

	if (value < 10) {
		fprintf(file, "%.*f", value < 0.1 ? 3 : value < 1 ? 2 : 1, value);
		return;
	}
	while (value / step >= 100)
		step *= 10;
	whole = (unsigned long)((unsigned long)(value / step + 0.5) * step);
	if (whole >= 1000000)
		fprintf(file, "%lu,%03lu,%03lu", whole / 1000000, whole / 1000 % 1000,
			whole % 1000);
	else if (whole >= 1000)
		fprintf(file, "%lu,%03lu", whole / 1000, whole % 1000);
	else
		fprintf(file, "%lu", whole);
}

static void put_cell(FILE *file, const struct group *g, enum mode mode, const struct row *row)
{
	struct figure f = figure_of(g, mode, row->of);
	const char *note = g->stands[row->of.stand].note[mode];

	if (!f.there) {
		fprintf(file, " %s |", *note ? note : "not measured");
		return;
	}
	fputc(' ', file);
	put_rounded(file, 1e6 / f.median);
	fputs(" (", file);
	put_rounded(file, f.median);
	fputs(" us) |", file);
}

/* Three groups, of 1, 8 and 64 jobs out, have the same ways in the same order. */
static void put_ways(FILE *file, const struct plan *plan, enum mode mode)
{
	const struct group *one = NULL;

	for (uint32_t i = 0; i < plan->count && !one; i++)
		one = !strcmp(plan->groups[i].name, PEERS_GROUP) ? &plan->groups[i] : NULL;
	if (!one || !one->done[mode])
		return;
	fprintf(file,
		"\n| 8 workers, 16 bytes, %s: jobs/s (us a job) | 1 job out | 8 out | 64 out |\n"
		"|---|---|---|---|\n",
		mode == PINNED ? "all processes on one CPU" : "not pinned");
	for (uint32_t r = 0; r < one->rows_count; r++) {
		if (!one->rows[r].wanted)
			continue;
		fprintf(file, "| %s |", one->rows[r].what);
		for (uint32_t i = 0; i < 3; i++)
			put_cell(file, one + i, mode, &one[i].rows[r]);
		fputc('\n', file);
	}
}

/* A line for each thing that grows: what it is, then value and cost. */
static void put_growth(FILE *file, const struct plan *plan, enum mode mode, bool first)
{
	const char *last = "";

	for (uint32_t i = 0; i < plan->count; i++) {
		const struct group *g = &plan->groups[i];
		const struct row *row = &g->rows[0];
		struct figure f;

		if (strcmp(g->name, GROWS_GROUP) || !row->wanted || !g->done[mode])
			continue;
		f = figure_of(g, mode, row->of);
		if (strcmp(last, row->what))
			fprintf(file, "%s| %s, %s |",
				*last           ? " |\n"
					: first ? "\n| us a job, by what grows | |\n|---|---|\n"
						: "",
				row->what, mode == PINNED ? "one CPU" : "not pinned");
		else
			fputc(',', file);
		fprintf(file, " %s: ", strrchr(row->name, '.') + 1);
		if (f.there)
			put_rounded(file, f.median);
		else
			fputs("-", file);
		last = row->what;
	}
	if (*last)
		fputs(" |\n", file);
}

void markdown_write(FILE *file, const struct plan *plan, const struct settings *settings)
{
	bool first = true;

	for (int mode = MODES - 1; mode >= 0; mode--) { /* not pinned comes first */
		if (settings->modes[mode])
			put_ways(file, plan, (enum mode)mode);
	}
	for (int mode = MODES - 1; mode >= 0; mode--) {
		if (settings->modes[mode])
			put_growth(file, plan, (enum mode)mode, first);
		first &= !settings->modes[mode];
	}
}
