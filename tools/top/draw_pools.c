/* SPDX-License-Identifier: MIT */
/* draw_pools.c - rates and deaths of all pools, and a line for each. */
#include "bar.h"
#include "draw.h"
#include "words.h"

#include "../../src/wire/labels.h"

#include <brood.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WIDE   112 /* from so many columns on: all percentiles */
#define NARROW 70  /* below: no percentiles */

static bool chosen(int pool, uint32_t number) { return pool < 0 || (uint32_t)pool == number; }

/* "12.3", "0", "4.56K" */
static const char *rate_word(char text[WORDS_MAX], double rate)
{
	if (rate <= 0)
		snprintf(text, WORDS_MAX, "0");
	else if (rate < 99.95)
		snprintf(text, WORDS_MAX, "%.1f", rate);
	else if (rate < 9999.5)
		snprintf(text, WORDS_MAX, "%.0f", rate);
	else
		snprintf(text, WORDS_MAX, rate < 99950 ? "%.1fK" : "%.0fK", rate / 1000);
	return text;
}

/* ---- all together ---- */

void draw_totals(struct canvas *canvas, const struct samples *samples, int pool)
{
	double jobs = 0, deaths = 0, outcomes[BROOD_STATUS_OUTCOMES] = { 0 };
	char text[WORDS_MAX], label[WORDS_MAX];
	uint64_t waiting = 0;

	for (uint32_t i = 0; i < samples->look.pools; i++) {
		if (!chosen(pool, i))
			continue;
		jobs += samples->pool[i].jobs;
		deaths += samples->pool[i].deaths;
		waiting += look_waiting(&samples->look.pool[i]);
		for (uint32_t k = 0; k < BROOD_STATUS_OUTCOMES; k++)
			outcomes[k] += samples->pool[i].outcomes[k];
	}
	canvas_put(canvas, INK_BOLD, "%s jobs/s", rate_word(text, jobs));
	canvas_put(
		canvas, deaths > 0 ? INK_BAD : INK_PLAIN, "  %s deaths/s", rate_word(text, deaths));
	canvas_put(canvas, INK_PLAIN, "  %" PRIu64 " wait", waiting);
	for (uint32_t k = 0; k < BROOD_STATUS_OUTCOMES; k++)
		if (outcomes[k] > 0 && labels_outcome(k))
			canvas_put(canvas, k == BROOD_DONE ? INK_GOOD : INK_WARN, "  %s %s/s",
				words_of_label(label, labels_outcome(k)),
				rate_word(text, outcomes[k]));
	canvas_end_line(canvas, INK_PLAIN);
}

void draw_recent(struct canvas *canvas, const struct samples *samples, int pool)
{
	char label[WORDS_MAX];
	bool any = false;

	canvas_put(canvas, INK_PLAIN, "died in 60 s (ever):");
	for (uint32_t k = 0; k < BROOD_STATUS_CAUSES; k++) {
		uint64_t recent = 0, ever = 0;

		for (uint32_t i = 0; i < samples->look.pools; i++) {
			recent += chosen(pool, i) ? samples->pool[i].recent[k] : 0;
			ever += chosen(pool, i) ? samples->look.pool[i].counts.deaths[k] : 0;
		}
		if (ever == 0)
			continue;
		any = true;
		canvas_put(canvas, recent ? INK_BAD : INK_DIM, " %" PRIu64 " (%" PRIu64 ") %s",
			recent, ever,
			words_of_label(label, labels_cause(k) ? labels_cause(k) : "other"));
	}
	canvas_put(canvas, INK_PLAIN, any ? "" : " none");
	canvas_end_line(canvas, INK_PLAIN);
}

/* ---- a line for each pool ---- */

static void draw_bar(
	struct canvas *canvas, const struct brood_status_counts *counts, unsigned columns)
{
	static const enum ink inks[] = { INK_BUSY, INK_BUSY, INK_GOOD, INK_WARN, INK_BAD, INK_DIM };
	char bar[64], part[64];

	bar_write(counts, bar, columns);
	canvas_put(canvas, INK_PLAIN, "[");
	for (const char *at = bar; *at; at += strlen(part)) {
		size_t n = strspn(at, (const char[]){ *at, '\0' });

		memcpy(part, at, n);
		part[n] = '\0';
		canvas_put(canvas, inks[strchr(BAR_LETTERS, *at) - BAR_LETTERS], "%s", part);
	}
	canvas_put(canvas, INK_PLAIN, "] ");
}

static void field(struct canvas *canvas, enum ink ink, int width, const char *text)
{
	canvas_field(canvas, ink, width, text);
	canvas_put(canvas, INK_PLAIN, " ");
}

static unsigned bar_columns(const struct canvas *canvas)
{
	return canvas->columns >= WIDE ? 30 : canvas->columns >= NARROW ? 12 : 8;
}

static void draw_head(struct canvas *canvas)
{
	char bar[64];

	/* the letters of the bar; of a short one the first two, in just as many columns */
	snprintf(bar, sizeof bar, "%-*.*s", (int)bar_columns(canvas) + 2,
		(int)bar_columns(canvas) + 2,
		canvas->columns < NARROW ? "WORKERS" : "L lease B busy i idle s starting");
	canvas_field(canvas, INK_HEAD, canvas->columns >= NARROW ? 12 : 8, "POOL");
	canvas_put(canvas, INK_HEAD, " %s ", bar);
	canvas_field(canvas, INK_HEAD, -9, "READY");
	if (canvas->columns >= NARROW)
		canvas_put(canvas, INK_HEAD, "   WAIT");
	canvas_put(canvas, INK_HEAD, "  JOBS/s");
	if (canvas->columns >= NARROW)
		canvas_put(canvas, INK_HEAD, "  DIED/s");
	if (canvas->columns >= WIDE)
		canvas_put(canvas, INK_HEAD, " QUEUE p50      p99   RUN p50      p99");
	else if (canvas->columns >= NARROW)
		canvas_put(canvas, INK_HEAD, " QUEUE p99 RUN p99");
	canvas_end_line(canvas, INK_HEAD);
}

static void draw_times(struct canvas *canvas, const struct sample_pool *pool)
{
	const bool wide = canvas->columns >= WIDE;
	char text[WORDS_MAX];

	if (wide)
		canvas_field(canvas, INK_PLAIN, -9, words_time_short(text, pool->queue_p50));
	canvas_field(canvas, INK_PLAIN, -9, words_time_short(text, pool->queue_p99));
	if (wide)
		canvas_field(canvas, INK_PLAIN, -9, words_time_short(text, pool->run_p50));
	canvas_field(canvas, INK_PLAIN, -9, words_time_short(text, pool->run_p99));
}

static void draw_pool(
	struct canvas *canvas, const struct look_pool *pool, const struct sample_pool *sample)
{
	const struct brood_status_counts *c = &pool->counts;
	char text[WORDS_MAX];

	field(canvas, c->degraded ? INK_BAD : INK_BOLD, canvas->columns >= NARROW ? 12 : 8,
		pool->setup.name);
	draw_bar(canvas, c, bar_columns(canvas));
	snprintf(text, sizeof text, "%u/%u", c->ready, c->workers);
	canvas_field(canvas, c->ready < c->workers ? INK_WARN : INK_PLAIN, -9, text);
	if (canvas->columns >= NARROW) {
		canvas_field(canvas, INK_PLAIN, -7, words_count(text, look_waiting(pool)));
		canvas_field(canvas, INK_PLAIN, -8, rate_word(text, sample->jobs));
		canvas_field(canvas, sample->deaths > 0 ? INK_BAD : INK_PLAIN, -8,
			rate_word(text, sample->deaths));
		draw_times(canvas, sample);
	} else {
		canvas_field(canvas, INK_PLAIN, -8, rate_word(text, sample->jobs));
	}
	canvas_put(canvas, INK_BAD, c->degraded ? " degraded" : "");
	canvas_put(canvas, INK_WARN, pool->setup.reloading ? " reload" : "");
	canvas_end_line(canvas, INK_PLAIN);
}

/* Takes `room` lines at most; the last one says how many pools had none. */
void draw_pools(struct canvas *canvas, const struct samples *samples, int pool, unsigned room)
{
	uint32_t count = pool < 0 ? samples->look.pools : 1, shown;

	if (room > 2 && canvas_rows_left(canvas) > 6) {
		draw_head(canvas);
		room--;
	}
	shown = count > room ? room - 1 : count;
	for (uint32_t i = 0; i < samples->look.pools && shown > 0; i++) {
		if (!chosen(pool, i))
			continue;
		draw_pool(canvas, &samples->look.pool[i], &samples->pool[i]);
		shown--;
	}
	if (count > room) {
		canvas_put(canvas, INK_DIM, "... and %u more pools: p chooses one",
			count - (room - 1));
		canvas_end_line(canvas, INK_PLAIN);
	}
}
