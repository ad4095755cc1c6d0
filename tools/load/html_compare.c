/* SPDX-License-Identifier: MIT */
/*
 * html_compare.c - the page about two runs: what differs, how sure that is, and both curves in one
 * drawing. All texts of the files are hostile until they are written as text.
 */
#include "compare_files.h"
#include "figure.h"
#include "html.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define POINTS 600

static const char *verdict_style(unsigned figure, int sign)
{
	bool good = figure == RUN_RATE ? sign > 0 : sign < 0;

	return !sign ? "" : good ? " good" : " bad";
}

/* ---- figures --------------------------------------------------------------------------------- */

/* Where a ratio stands on an axis from a half to the double; half of the axis is 1. */
static double place(double ratio, double reach)
{
	double at = 50 + 50 * log(ratio) / log(reach);

	return at < 0 ? 0 : at > 100 ? 100 : at;
}

static double reach_of(const struct pair *pair)
{
	double reach = 1.1;

	for (unsigned i = 0; i < RUN_FIGURES; i++) {
		const struct stats_ratio *r = &pair->ratio[i];
		double far = fmax(r->high, 1 / fmax(r->low, 1e-9)) * 1.05;

		reach = far > reach && isfinite(far) ? far : reach;
	}
	return reach;
}

static void forest(FILE *file, const struct stats_ratio *r, double reach, const char *style)
{
	double low = place(r->low, reach), high = place(r->high, reach);

	fprintf(file,
		"<td class=\"w\"><div class=\"forest %s\"><u></u><i style=\"left:%.2f%%;"
		"width:%.2f%%\"></i><b style=\"left:%.2f%%\"></b></div></td>",
		style, low, high - low, place(r->ratio, reach));
}

static void figure_row(FILE *file, const struct pair *pair, unsigned i, double reach)
{
	const struct stats_ratio *r = &pair->ratio[i];
	double values[2] = { pair->a.whole[i], pair->b.whole[i] };
	char text[200];
	int sign = compare_files_sentence(r, run_figures[i].title, text, sizeof text);
	const char *style = verdict_style(i, sign);

	fputs("<tr><th>", file);
	html_text(file, run_figures[i].word);
	fputs("</th>", file);
	for (unsigned n = 0; n < 2; n++) {
		struct figure f = run_figures[i].is_time ? figure_time(values[n])
							 : figure_count((uint64_t)values[n]);

		fputs("<td class=\"n\">", file);
		html_figure(file, f.text);
		fputs("</td>", file);
	}
	fprintf(file, "<td class=\"n\"><span class=\"pill%s\">%+.1f&nbsp;%%</span></td>", style,
		(r->ratio - 1) * 100);
	forest(file, r, reach, !sign ? "c7" : strcmp(style, " good") == 0 ? "c4" : "cbad");
	fputs("</tr>\n", file);
}

static void figures(FILE *file, const struct pair *pair)
{
	double reach = reach_of(pair);

	html_section(file, "figures", "Figures",
		"The figures are those of the whole runs. The change is that of 30 parts of each "
		"run; the bar is its interval of 95 % (Welch, of the logarithms). A bar that "
		"crosses the line in the middle shows no difference.");
	fputs("<div class=\"scroll slim\"><table><thead><tr><th></th><th class=\"n\">A</th>"
	      "<th class=\"n\">B</th><th class=\"n\">B to A</th><th class=\"w\"></th></tr>"
	      "</thead><tbody>\n",
		file);
	for (unsigned i = 0; i < RUN_FIGURES; i++)
		figure_row(file, pair, i, reach);
	fputs("</tbody></table></div>\n", file);
	html_section_end(file);
}

/* ---- over time ------------------------------------------------------------------------------- */

/* The figures of a run's batches, one after the other. Returns the seconds of the run. */
static double fill(
	const struct run_file *run, unsigned figure, const double *x, unsigned points, double *ret)
{
	const struct json_value *all = json_find(&run->doc, NULL, "batches"), *one;
	double from = 0;
	unsigned batch = 0, i = 0;

	for (unsigned n = 0; n < points; n++)
		ret[n] = NAN;
	for (one = json_first(&run->doc, all); one && batch < run->batches;
		one = json_next(&run->doc, one), batch++) {
		double seconds = json_number(&run->doc, one, "seconds", 0);

		from += seconds > 0 && seconds < 1e9 ? seconds : 0;
		for (; i < points && x[i] <= from; i++)
			ret[i] = run->batch[figure][batch] > 0 ? run->batch[figure][batch] : NAN;
	}
	return from;
}

static void over_time(FILE *file, const struct pair *pair, unsigned figure, const char *title)
{
	static double x[POINTS], a[POINTS], b[POINTS];
	const struct html_line lines[] = { { .name = "A", .style = "c1", .y = a },
		{ .name = "B", .style = "c3", .y = b } };
	struct html_chart chart = { .title = title,
		.unit = run_figures[figure].is_time ? UNIT_TIME : UNIT_RATE,
		.log = run_figures[figure].is_time,
		.rows = 13,
		.x = x,
		.count = POINTS,
		.lines = lines,
		.lines_count = 2 };

	chart.x_to = fmax(fill(&pair->a, figure, x, 0, a), fill(&pair->b, figure, x, 0, b));
	for (unsigned i = 0; i < POINTS; i++)
		x[i] = chart.x_to * i / (POINTS - 1);
	fill(&pair->a, figure, x, POINTS, a);
	fill(&pair->b, figure, x, POINTS, b);
	html_fit(&chart);
	html_chart(file, &chart);
}

/* ---- settings -------------------------------------------------------------------------------- */

struct rows {
	FILE *file;
	unsigned count;
};

static void value_cell(FILE *file, const struct json_value *value)
{
	char text[200];

	compare_files_value(value, text, sizeof text);
	fputs("<td>", file);
	html_text(file, text);
	fputs("</td>", file);
}

static void difference_row(void *context, const struct json_value *key, const struct json_value *a,
	const struct json_value *b)
{
	struct rows *rows = context;

	if (!rows->count++)
		fputs("<div class=\"scroll\"><table><thead><tr><th></th><th>A</th><th>B</th></tr>"
		      "</thead><tbody>\n",
			rows->file);
	fputs("<tr><th>", rows->file);
	html_bytes(rows->file, key->key, key->key_size);
	fputs("</th>", rows->file);
	value_cell(rows->file, a);
	value_cell(rows->file, b);
	fputs("</tr>\n", rows->file);
}

static void settings(FILE *file, const struct pair *pair)
{
	struct rows rows = { file, 0 };

	html_section(file, "settings", "Settings and machine",
		"In what the runs differ, apart from their seeds and their time.");
	compare_files_differ(pair, difference_row, &rows);
	if (rows.count)
		fputs("</tbody></table></div>\n", file);
	else
		fputs("<p>In nothing: the settings and the machine are the same.</p>\n", file);
	html_section_end(file);
}

/* ---- the page -------------------------------------------------------------------------------- */

static void head(FILE *file, const struct pair *pair)
{
	char text[200];

	fputs("<header>\n<div class=\"brand\">brood-load compare</div>\n<h1>", file);
	compare_files_sentence(&pair->ratio[RUN_P99], "p99", text, sizeof text);
	html_text(file, text);
	fputs("</h1>\n<p class=\"lead\">", file);
	compare_files_sentence(&pair->ratio[RUN_RATE], "rate", text, sizeof text);
	html_text(file, text);
	fputs(". ", file);
	compare_files_sentence(&pair->ratio[RUN_P50], "p50", text, sizeof text);
	html_text(file, text);
	fputs(".</p>\n<p class=\"sub\"><span class=\"key c1\"><i></i>A: ", file);
	html_text(file, pair->a.name);
	fputs("</span> <span class=\"key c3\"><i></i>B: ", file);
	html_text(file, pair->b.name);
	fputs("</span></p>\n</header>\n", file);
}

int html_compare(const struct pair *pair, FILE *file)
{
	const struct html_curve curves[] = { { "A", "c1", pair->a.latency, false },
		{ "B", "c3", pair->b.latency, false } };

	html_begin(file, "brood-load compare");
	head(file, pair);
	figures(file, pair);
	html_section(file, "latency", "Latency",
		"Each step to the right leaves a tenth of the jobs: at 99.9 % one job in a "
		"thousand took longer.");
	html_curves(file, curves, 2);
	html_section_end(file);
	html_section(file, "time", "Over time", "The parts of which the intervals are made.");
	over_time(file, pair, RUN_RATE, "Jobs a second");
	over_time(file, pair, RUN_P99, "p99");
	html_section_end(file);
	settings(file, pair);
	return html_end(file);
}
