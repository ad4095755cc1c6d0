/* SPDX-License-Identifier: MIT */
/* draw.h - what brood-top shows: head, pools, workers. */
#ifndef TOP_DRAW_H
#define TOP_DRAW_H

#include "canvas.h"
#include "rows.h"
#include "sample.h"

#define FILTER_MAX 64

/* What the user has chosen. */
struct view {
	struct rows_choice choice;
	char filter[FILTER_MAX];
	bool editing; /* keys go to the filter */
	bool paused, help;
	bool deaths; /* more lines for deaths */
	bool live;   /* there are keys */
	size_t scroll;
	double delay_s;
};
void draw_frame(
	struct canvas *canvas, const struct samples *samples, struct rows *rows, struct view *view);

/* draw_pools.c */
void draw_totals(struct canvas *canvas, const struct samples *samples, int pool);
void draw_recent(struct canvas *canvas, const struct samples *samples, int pool);
void draw_pools(struct canvas *canvas, const struct samples *samples, int pool, unsigned room);
/* draw_deaths.c: as many lines as there is room for, `room` at most */
void draw_deaths(struct canvas *canvas, const struct samples *samples, int pool, unsigned room);
/* draw_workers.c */
void draw_workers(
	struct canvas *canvas, const struct samples *samples, struct rows *rows, struct view *view);

extern const char top_keys[]; /* what the keys do, line by line */
extern const char top_help[]; /* --help */

#endif
