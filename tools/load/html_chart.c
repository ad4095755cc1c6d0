/* SPDX-License-Identifier: MIT */
/*
 * html_chart.c - one chart: a grid, areas and lines, marks of what was done to the pool, the words
 * of the axes, and the numbers for the script.
 *
 * The drawing has a square of 1000 by 1000, which the browser stretches to the width of the page;
 * lines keep their width. So the places of words are percentages.
 */
#include "figure.h"
#include "html.h"

#include <math.h>

#define SIDE       1000
#define Y_MARKS    5
#define X_MARKS    10
#define LABELS_MAX 40
#define STEPS_MAX  (3 * LABELS_MAX) /* with three to a decade */
#define FEW_MARKS  60               /* up to so many marks are drawn from top to bottom */
#define TICK       45               /* the height of the others */

double html_nines(double quantile) { return quantile < 1 ? -log10(1 - quantile) : 18; }

unsigned html_mark_style(unsigned kind) { return kind % 10; }

/* ---- scales ---------------------------------------------------------------------------------- */

static double x_place(const struct html_chart *c, double x)
{
	double place = c->x_to > 0 ? x / c->x_to : 0;

	return place < 0 ? 0 : place > 1 ? 1 : place;
}

/* From 0 at the top to 1 at the bottom. */
static double y_place(const struct html_chart *c, double y)
{
	double place;

	if (c->log)
		place = log(y > c->y_from ? y / c->y_from : 1) / log(c->y_to / c->y_from);
	else
		place = (y - c->y_from) / (c->y_to - c->y_from);
	return place < 0 ? 1 : place > 1 ? 0 : 1 - place;
}

/* The next of 1, 2, 5, 10, ... above or below the value. */
static double round_up(double value)
{
	double power = pow(10, floor(log10(value))), digit = value / power;

	return power * (digit <= 1.0001 ? 1 : digit <= 2.0001 ? 2 : digit <= 5.0001 ? 5 : 10);
}

static double round_down(double value)
{
	double power = pow(10, floor(log10(value))), digit = value / power;

	return power * (digit >= 5 ? 5 : digit >= 2 ? 2 : 1);
}

void html_fit(struct html_chart *c)
{
	double least = INFINITY, most = 0, step;

	for (unsigned l = 0; l < c->lines_count; l++) {
		for (unsigned i = 0; i < c->count; i++) {
			double y = c->lines[l].y[i];

			if (!isfinite(y) || (c->log && y <= 0))
				continue;
			least = y < least ? y : least;
			most = y > most ? y : most;
		}
	}
	if (c->log) {
		c->y_from = isfinite(least) ? round_down(least) : 1;
		c->y_to = most > c->y_from ? round_up(most) : c->y_from * 10;
		return;
	}
	step = figure_step(most * 1.04, Y_MARKS);
	c->y_from = 0;
	c->y_to = most > 0 ? step * ceil(most * 1.04 / step) : 1;
}

/* The places of the words of the y axis. Returns how many. */
static unsigned y_labels(const struct html_chart *c, double ret[LABELS_MAX])
{
	double decades = c->log ? log10(c->y_to / c->y_from) : 0, step;
	unsigned count = 0, steps = 0;

	if (!c->log) {
		step = figure_step(c->y_to - c->y_from, Y_MARKS);
		if (c->unit != UNIT_TIME && step < 1)
			step = 1;
		for (double y = c->y_from; y <= c->y_to * 1.0001 && count < LABELS_MAX; y += step)
			ret[count++] = y;
		return count;
	}
	/* Up to two decades 1, 2 and 5; then 1. From 0 or infinity no step leads on. */
	for (double y = c->y_from;
		y <= c->y_to * 1.0001 && count < LABELS_MAX && steps++ < STEPS_MAX;
		y = round_up(y * 1.01)) {
		double digit = y / pow(10, floor(log10(y) + 1e-9));

		if (decades <= 2.01 || digit < 1.5)
			ret[count++] = y;
	}
	return count;
}

/* ---- drawing --------------------------------------------------------------------------------- */

static void grid(FILE *file, const struct html_chart *c)
{
	double labels[LABELS_MAX];
	unsigned count = y_labels(c, labels);

	fputs("<path class=\"grid\" d=\"", file);
	for (unsigned i = 0; i < count; i++)
		fprintf(file, "M0 %.1fH%d", y_place(c, labels[i]) * SIDE, SIDE);
	fputs("\"/>\n", file);
}

static void point(FILE *file, const struct html_chart *c, char verb, double x, double y)
{
	fprintf(file, "%c%.1f %.1f", verb, x_place(c, x) * SIDE, y_place(c, y) * SIDE);
}

/* From one gap to the next; returns where the gap begins. */
static unsigned stretch(
	FILE *file, const struct html_chart *c, const struct html_line *line, unsigned from)
{
	unsigned end = from;

	for (; end < c->count && isfinite(line->y[end]); end++)
		point(file, c, end == from ? 'M' : 'L', c->x[end], line->y[end]);
	/* a single point has no length, but its round ends */
	if (end == from + 1)
		point(file, c, 'L', c->x[from], line->y[from]);
	if (line->base) {
		for (unsigned i = end; i > from; i--)
			point(file, c, 'L', c->x[i - 1], line->base[i - 1]);
		fputc('Z', file);
	}
	return end;
}

static void draw(FILE *file, const struct html_chart *c, const struct html_line *line)
{
	fprintf(file, "<path class=\"%s%s %s\"%s d=\"", line->base ? "area" : "line",
		line->dashed ? " dashed" : "", line->style,
		line->base ? "" : " stroke-linecap=\"round\"");
	for (unsigned i = 0; i < c->count;)
		i = isfinite(line->y[i]) ? stretch(file, c, line, i) : i + 1;
	fputs("\"/>\n", file);
}

/* All marks of a kind in one path. Two at the same place of the drawing are one. */
static void marks_of(FILE *file, const struct html_chart *c, unsigned kind)
{
	const struct html_marks *m = c->marks;
	unsigned here = 0;
	int last = -1;

	for (unsigned i = 0; i < m->count; i++)
		here += m->mark[i].kind == kind;
	if (!here)
		return;
	fprintf(file, "<path class=\"tick %sm%u\" d=\"", here <= FEW_MARKS ? "fine " : "",
		html_mark_style(kind));
	for (unsigned i = 0; i < m->count; i++) {
		int x = (int)(x_place(c, m->mark[i].from) * SIDE);

		if (m->mark[i].kind != kind || x == last)
			continue;
		fprintf(file, "M%d 0V%d", x, here <= FEW_MARKS ? SIDE : TICK);
		last = x;
	}
	fputs("\"/>\n", file);
}

static void bands(FILE *file, const struct html_chart *c)
{
	for (unsigned i = 0; i < c->marks->count; i++) {
		const struct html_mark *m = &c->marks->mark[i];
		double from = x_place(c, m->from), to = x_place(c, m->to);

		if (to - from >= 0.001)
			fprintf(file,
				"<rect class=\"band m%u\" x=\"%.1f\" y=\"0\" width=\"%.1f\" "
				"height=\"%d\"/>\n",
				html_mark_style(m->kind), from * SIDE, (to - from) * SIDE, SIDE);
	}
}

/* ---- words ----------------------------------------------------------------------------------- */

static void caption(FILE *file, const struct html_chart *c)
{
	fputs("<figcaption><h3>", file);
	html_text(file, c->title);
	fputs("</h3>", file);
	for (unsigned l = 0; l < c->lines_count; l++) {
		fprintf(file, "<span class=\"key %s\"><i%s></i>", c->lines[l].style,
			c->lines[l].dashed ? " class=\"dash\"" : "");
		html_text(file, c->lines[l].name);
		fputs("</span>", file);
	}
	fputs("</figcaption>\n", file);
	if (c->note) {
		fputs("<p class=\"note\">", file);
		html_text(file, c->note);
		fputs("</p>\n", file);
	}
}

static void y_words(FILE *file, const struct html_chart *c)
{
	double labels[LABELS_MAX];
	unsigned count = y_labels(c, labels);

	for (unsigned i = 0; i < count; i++) {
		fprintf(file, "<span class=\"y\" style=\"top:%.2f%%\">",
			y_place(c, labels[i]) * 100);
		html_figure(file,
			figure_round(c->unit == UNIT_TIME ? figure_time(labels[i])
							  : figure_short(labels[i]))
				.text);
		fputs("</span>\n", file);
	}
}

static void x_word(FILE *file, double place, bool minor, const char *text)
{
	fprintf(file, "<span class=\"x%s\" style=\"left:%.2f%%\">%s</span>\n",
		minor ? " minor" : "", place * 100, text);
}

static void x_words(FILE *file, const struct html_chart *c)
{
	static const char *const nines[] = { "0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %",
		"99.9999 %", "99.99999 %" };
	double step = figure_step(c->x_to, X_MARKS);
	struct figure f;

	if (!c->nines) {
		for (unsigned i = 0; i < LABELS_MAX && i * step <= c->x_to * 1.0001; i++) {
			snprintf(f.text, sizeof f.text, "%.4g s", i * step);
			x_word(file, x_place(c, i * step), i % 2, f.text);
		}
		return;
	}
	x_word(file, x_place(c, html_nines(0.5)), true, "50 %");
	for (unsigned i = 0; i < sizeof nines / sizeof nines[0] && i <= c->x_to; i++)
		x_word(file, x_place(c, i), i > 4 || (i == 2 && c->x_to > 5), nines[i]);
}

static void number(FILE *file, double value)
{
	if (isfinite(value))
		fprintf(file, "%.5g", value);
	else
		fputs("null", file);
}

/* Names of lines are words of this program: nothing in them needs an escape. */
static void data(FILE *file, const struct html_chart *c)
{
	static const char *const units[] = { "count", "rate", "time" };

	fprintf(file,
		"<script type=\"application/json\">{\"unit\":\"%s\",\"nines\":%s,\"to\":%.6g,"
		"\"x\":[",
		units[c->unit], c->nines ? "true" : "false", c->x_to);
	for (unsigned i = 0; i < c->count; i++)
		fprintf(file, "%s%.5g", i ? "," : "", c->x[i]);
	fputs("],\"lines\":[", file);
	for (unsigned l = 0; l < c->lines_count; l++) {
		const struct html_line *line = &c->lines[l];

		fprintf(file, "%s[\"%s\",[", l ? "," : "", line->name);
		for (unsigned i = 0; i < c->count; i++) {
			fputs(i ? "," : "", file);
			number(file, line->base ? line->y[i] - line->base[i] : line->y[i]);
		}
		fputs("]]", file);
	}
	fputs("]}</script>\n", file);
}

void html_chart(FILE *file, const struct html_chart *c)
{
	fputs("<figure>\n", file);
	caption(file, c);
	fprintf(file, "<div class=\"plot\" style=\"height:%uem\">\n", c->rows);
	fprintf(file,
		"<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" "
		"aria-label=\"",
		SIDE, SIDE);
	html_text(file, c->title);
	fputs("\">\n", file);
	grid(file, c);
	if (c->warm > 0)
		fprintf(file, "<rect class=\"warm\" width=\"%.1f\" height=\"%d\"/>\n",
			x_place(c, c->warm) * SIDE, SIDE);
	if (c->marks)
		bands(file, c);
	for (unsigned l = 0; l < c->lines_count; l++)
		draw(file, c, &c->lines[l]);
	for (unsigned kind = 0; c->marks && kind < HTML_MARK_KINDS; kind++)
		marks_of(file, c, kind);
	fputs("</svg>\n", file);
	y_words(file, c);
	x_words(file, c);
	data(file, c);
	fputs("</div>\n</figure>\n", file);
}
