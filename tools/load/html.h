/* SPDX-License-Identifier: MIT */
/*
 * html.h - pages that need nothing from elsewhere: no font, no image, no script by address. Charts
 * are SVG that stretches with the page; their words are HTML beside it, so that they keep their
 * size on a phone.
 */
#ifndef BROOD_LOAD_HTML_H
#define BROOD_LOAD_HTML_H

#include "histogram.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* ---- html_page.c, html_style.c: the frame ---------------------------------------------------- */

extern const char html_style[], html_script[];
void html_begin(FILE *file, const char *title);
/* 0 or -errno */
int html_end(FILE *file);
/* Writes text so that no character of it has a meaning in HTML. */
void html_text(FILE *file, const char *text);
/* The same for the first `size` bytes. */
void html_bytes(FILE *file, const char *text, size_t size);
/* A figure of figure.h, with the sign for micro. */
void html_figure(FILE *file, const char *text);
void html_time(FILE *file, double ns);
void html_section(FILE *file, const char *id, const char *title, const char *note);
void html_section_end(FILE *file);
/* A large figure with a word below it. */
struct html_tile {
	const char *figure, *word;
	bool bad;
};
void html_tiles(FILE *file, const struct html_tile *tiles, unsigned count);
/* A row of a table of names and values. */
void html_row(FILE *file, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- html_chart.c ---------------------------------------------------------------------------- */

enum html_unit { UNIT_COUNT, UNIT_RATE, UNIT_TIME }; /* of the y axis; times are in ns */

struct html_line {
	const char *name;
	const char *style;  /* a class of the style sheet: c1, c2, ... */
	const double *y;    /* NAN: a gap */
	const double *base; /* NULL: a line; else an area from base up to y */
	bool dashed;
};

#define HTML_MARK_KINDS 32
struct html_mark {
	double from, to; /* on the x axis */
	unsigned kind;   /* below HTML_MARK_KINDS */
};
struct html_marks {
	const struct html_mark *mark;
	unsigned count;
};

struct html_chart {
	const char *title, *note; /* note: NULL: none */
	enum html_unit unit;
	bool log;      /* the y axis */
	bool nines;    /* the x axis has nines, as html_nines() makes them; else seconds */
	unsigned rows; /* height, in lines of text */
	double x_to, y_to;
	double y_from; /* with `log` above 0 */
	const double *x;
	unsigned count;
	const struct html_line *lines;
	unsigned lines_count;
	const struct html_marks *marks; /* NULL: none */
	double warm;                    /* up to here it is the warm-up */
};
/* Chooses y_from and y_to so that all lines fit. */
void html_fit(struct html_chart *chart);
void html_chart(FILE *file, const struct html_chart *chart);
/* Where a quantile stands on an axis of nines: 0.9 at 1, 0.99 at 2. */
double html_nines(double quantile);
/* The style of a kind of marks. */
unsigned html_mark_style(unsigned kind);

/* ---- html_curve.c: latency by percentile ----------------------------------------------------- */

struct html_curve {
	const char *name, *style;
	const struct histogram *histogram;
	bool dashed;
};
#define HTML_CURVES 4
void html_curves(FILE *file, const struct html_curve *curves, unsigned count);

#endif
