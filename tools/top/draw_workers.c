/* SPDX-License-Identifier: MIT */
/* draw_workers.c - the table of workers: as many columns as there is room for. */
#include "draw.h"
#include "words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum column {
	SLOT,
	PID,
	POOL,
	GEN,
	STATE,
	TIME,
	CPU,
	MEM,
	DONE,
	JOB,
	FUNCTION,
	TAG,
	WAITS,
	COLUMNS
};

static const struct {
	const char *title;
	int width;     /* below 0: the text stands at the right; 0: has a share of the rest */
	unsigned from; /* is there if the screen has so many columns */
} table[COLUMNS] = {
	[SLOT] = { "SLOT", -5, 0 },
	[PID] = { "PID", -7, 60 },
	[POOL] = { "POOL", 10, 100 },
	[GEN] = { "GEN", -5, 140 },
	[STATE] = { "STATE", 8, 0 },
	[TIME] = { "TIME", -7, 0 },
	[CPU] = { "CPU%", -5, 60 },
	[MEM] = { "MEM", -6, 70 },
	[DONE] = { "DONE", -7, 120 },
	[JOB] = { "JOB", -10, 150 },
	[FUNCTION] = { "FUNCTION", 0, 0 },
	[TAG] = { "TAG", 0, 110 },
	[WAITS] = { "WAITS ON", 0, 60 },
};

/* The widths of this screen; 0: the column is not there. */
static void lay_out(const struct canvas *canvas, bool pools, int ret[COLUMNS])
{
	int left = (int)canvas->columns, shares = 0, share;

	for (int i = 0; i < COLUMNS; i++) {
		bool there = canvas->columns >= table[i].from && (i != POOL || pools);

		ret[i] = there ? table[i].width : 0;
		left -= ret[i] ? (ret[i] < 0 ? -ret[i] : ret[i]) + 1 : 0;
		shares += there && table[i].width == 0;
	}
	share = left / shares - 1;
	if (shares == 1) {
		ret[FUNCTION] = left > 0 ? left : 0;
		return;
	}
	ret[FUNCTION] = share > 40 ? 40 : share;
	left -= ret[FUNCTION] + 1;
	if (shares == 3) {
		ret[TAG] = share > 63 ? 63 : share;
		left -= ret[TAG] + 1;
	}
	ret[WAITS] = left;
}

static void put_head(
	struct canvas *canvas, const int widths[COLUMNS], const struct rows_choice *choice)
{
	static const enum column sorted[ROWS_SORTS] = { TIME, SLOT, DONE, FUNCTION };

	for (int i = 0; i < COLUMNS; i++) {
		char title[24];

		if (!widths[i])
			continue;
		snprintf(title, sizeof title, "%s%s", table[i].title,
			sorted[choice->sort] != (enum column)i ? ""
				: choice->reversed             ? "^"
							       : "v");
		canvas_field(canvas, INK_HEAD, widths[i], title);
		canvas_put(canvas, INK_HEAD, " ");
	}
	canvas_end_line(canvas, INK_HEAD);
}

static enum ink state_ink(const struct status_worker *w)
{
	switch (w->state) {
	case BROOD_STATUS_IDLE: return INK_GOOD;
	case BROOD_STATUS_BUSY: return INK_BUSY;
	case BROOD_STATUS_LEASED: return w->runs ? INK_BUSY : INK_PLAIN;
	case BROOD_STATUS_UNDEAD: return INK_BAD;
	default: return INK_WARN;
	}
}

/* What the page says of the worker. */
static void texts_of_page(const struct look *look, const struct status_worker *w,
	char texts[COLUMNS][WORDS_SHOWN_MAX])
{
	uint64_t since = w->runs ? w->job_since_ns : w->since_ns;
	char text[WORDS_MAX];

	snprintf(texts[SLOT], WORDS_SHOWN_MAX, "%u", w->slot);
	snprintf(texts[PID], WORDS_SHOWN_MAX, "%d", w->pid);
	snprintf(texts[POOL], WORDS_SHOWN_MAX, "%s",
		w->pool < look->pools ? look->pool[w->pool].setup.name : "?");
	snprintf(texts[GEN], WORDS_SHOWN_MAX, "%u", w->generation);
	snprintf(texts[STATE], WORDS_SHOWN_MAX, "%s", words_worker_state(w));
	snprintf(texts[TIME], WORDS_SHOWN_MAX, "%s",
		words_time_short(text, since && look->now_ns > since ? look->now_ns - since : 0));
	snprintf(texts[DONE], WORDS_SHOWN_MAX, "%s", words_count(text, w->jobs));
	snprintf(texts[JOB], WORDS_SHOWN_MAX, w->runs && w->job ? "%" PRIu64 : "-", w->job);
	snprintf(texts[FUNCTION], WORDS_SHOWN_MAX, "%s", w->runs ? w->name : "-");
	snprintf(texts[TAG], WORDS_SHOWN_MAX, "%s", w->runs ? w->tag : "");
}

/* What /proc says: three or four files a row. */
static void texts_of_process(struct rows *rows, const struct look *look,
	const struct status_worker *w, const int widths[COLUMNS],
	char texts[COLUMNS][WORDS_SHOWN_MAX])
{
	char text[WORDS_MAX], wait[PROCESS_WAIT_MAX];
	struct process process;
	double cpu;

	snprintf(texts[CPU], WORDS_SHOWN_MAX, "-");
	snprintf(texts[MEM], WORDS_SHOWN_MAX, "-");
	snprintf(texts[WAITS], WORDS_SHOWN_MAX, "-");
	if (!widths[CPU] && !widths[WAITS])
		return;
	rows_process(rows, look, w, &process, &cpu);
	process_wait(w->pid, &process, wait);
	snprintf(texts[WAITS], WORDS_SHOWN_MAX, "%s", wait);
	if (process_gone(&process))
		return;
	if (cpu >= 0)
		snprintf(texts[CPU], WORDS_SHOWN_MAX, "%.0f", cpu);
	snprintf(texts[MEM], WORDS_SHOWN_MAX, "%s", words_bytes(text, process.memory));
}

static void put_row(struct canvas *canvas, struct rows *rows, const struct look *look,
	const struct status_worker *w, const int widths[COLUMNS])
{
	char texts[COLUMNS][WORDS_SHOWN_MAX];

	texts_of_page(look, w, texts);
	texts_of_process(rows, look, w, widths, texts);
	for (int i = 0; i < COLUMNS; i++) {
		if (!widths[i])
			continue;
		canvas_field(canvas, i == STATE ? state_ink(w) : INK_PLAIN, widths[i], texts[i]);
		canvas_put(canvas, INK_PLAIN, " ");
	}
	canvas_end_line(canvas, INK_PLAIN);
}

void draw_workers(
	struct canvas *canvas, const struct samples *samples, struct rows *rows, struct view *view)
{
	unsigned last = view->live ? 1 : 0; /* the line of the keys */
	size_t room = canvas_rows_left(canvas) > last + 1 ? canvas_rows_left(canvas) - last - 1 : 0;
	int widths[COLUMNS];

	if (canvas_rows_left(canvas) <= last)
		return;
	if (view->scroll + room > rows->count)
		view->scroll = rows->count > room ? rows->count - room : 0;
	lay_out(canvas, samples->look.pools > 1 && view->choice.pool < 0, widths);
	put_head(canvas, widths, &view->choice);
	for (size_t i = 0; i < room && view->scroll + i < rows->count; i++)
		put_row(canvas, rows, &samples->look, &rows->worker[view->scroll + i], widths);
}
