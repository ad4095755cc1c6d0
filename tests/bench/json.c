/* SPDX-License-Identifier: MIT */
/*
 * json.c - the results for programs: rows by mode and name. A row that could not be measured is
 * null and has a note. Times are in microseconds.
 */
#include "../../tools/load/json_text.h"
#include "bench.h"

#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#define SCHEMA "brood-bench/1"

static void put_key_text(FILE *file, const char *key, const char *text)
{
	fprintf(file, ", \"%s\": ", key);
	json_put_text(file, text);
}

static void put_number(FILE *file, const char *key, double value, bool there)
{
	if (there)
		fprintf(file, ", \"%s\": %.6g", key, value);
	else
		fprintf(file, ", \"%s\": null", key);
}

static void put_samples(FILE *file, const struct group *g, enum mode mode, struct reading of)
{
	const struct stand *s = &g->stands[of.stand];

	fputs(", \"rounds\": [", file);
	for (uint32_t i = 0; s->there[mode] && i < g->measured[mode]; i++)
		fprintf(file, "%s%.6g", i ? ", " : "", s->samples[mode][of.value][i]);
	fputc(']', file);
}

static void put_row(FILE *file, const struct group *g, enum mode mode, const struct row *row)
{
	struct figure f = figure_of(g, mode, row->of), floor = figure_of(g, mode, row->floor),
		      ratio = ratio_of(g, mode, row->of, row->floor);
	bool times = row->unit == UNIT_US || row->unit == UNIT_TIME;

	fputs("    ", file);
	json_put_text(file, row->name);
	fprintf(file, ": { \"unit\": \"%s\"",
		times                           ? "us"
			: row->unit == UNIT_KIB ? "KiB"
						: "count");
	put_number(file, "value", f.median, f.there);
	put_number(file, "min", f.min, f.there);
	put_number(file, "max", f.max, f.there);
	put_number(file, "per_second", 1e6 / f.median, f.there && row->unit == UNIT_US);
	if (*row->floor_name) {
		put_key_text(file, "floor", row->floor_name);
		put_number(file, "floor_value", floor.median, floor.there);
		/* a block of a quick run may gain no slab */
		put_number(file, "ratio", ratio.median, ratio.there && floor.median > 0);
	}
	fprintf(file, ", \"jobs\": %u", g->stands[row->of.stand].jobs[mode]);
	put_samples(file, g, mode, row->of);
	put_key_text(file, "what", row->what);
	put_key_text(file, "note", g->stands[row->of.stand].note[mode]);
	fputs(" }", file);
}

static void put_mode(FILE *file, const struct plan *plan, enum mode mode)
{
	bool any = false;

	fprintf(file, "  \"%s\": {", mode == PINNED ? "pinned" : "unpinned");
	for (uint32_t i = 0; i < plan->count; i++) {
		const struct group *g = &plan->groups[i];

		for (uint32_t j = 0; g->done[mode] && j < g->rows_count; j++) {
			if (!g->rows[j].wanted)
				continue;
			fputs(any ? ",\n" : "\n", file);
			any = true;
			put_row(file, g, mode, &g->rows[j]);
		}
	}
	fputs("\n  },\n", file);
}

static void put_bounds(FILE *file, const struct plan *plan, const struct settings *settings)
{
	static const char *const kinds[] = { "times at most", "times faster", "per second at least",
		"count at most" };
	bool any = false;

	fputs("  \"bounds\": [", file);
	for (uint32_t i = 0; i < plan->count; i++) {
		const struct group *g = &plan->groups[i];

		for (uint32_t j = 0; j < g->bounds_count; j++) {
			const struct bound *b = &g->bounds[j];
			struct figure f = bound_figure(g, b);

			if (!g->rows[b->row].wanted || !settings->modes[b->mode])
				continue;
			fprintf(file, "%s\n    { \"mode\": \"%s\"", any ? "," : "",
				b->mode == PINNED ? "pinned" : "unpinned");
			any = true;
			put_key_text(file, "row", g->rows[b->row].name);
			put_key_text(file, "what", b->what);
			put_key_text(file, "kind", kinds[b->kind]);
			put_number(file, "value", f.median, f.there);
			put_number(file, "limit", b->limit, true);
			fprintf(file, ", \"holds\": %s }",
				f.there ? bound_holds(b, &f) ? "true" : "false" : "null");
		}
	}
	fputs("\n  ]\n", file);
}

int json_write(FILE *file, const struct plan *plan, const struct settings *settings)
{
	struct utsname name;

	uname(&name);
	fputs("{\n  \"schema\": \"" SCHEMA "\",\n  \"machine\": { \"cpus\": ", file);
	fprintf(file, "%ld", sysconf(_SC_NPROCESSORS_ONLN));
	put_key_text(file, "kernel", name.release);
	put_key_text(file, "architecture", name.machine);
	put_key_text(file, "brood", brood_version());
	fprintf(file,
		" },\n  \"settings\": { \"rounds\": %u, \"block_ms\": %u, \"cpu\": %d, \"quick\": "
		"%s, \"cpu_time\": %s },\n",
		settings->rounds, settings->block_ms, settings->cpu,
		settings->quick ? "true" : "false", settings->cpu_time ? "true" : "false");
	for (int mode = 0; mode < MODES; mode++) {
		if (settings->modes[mode])
			put_mode(file, plan, (enum mode)mode);
	}
	put_bounds(file, plan, settings);
	fputs("}\n", file);
	return fflush(file) || ferror(file) ? -1 : 0;
}
