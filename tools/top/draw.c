/* SPDX-License-Identifier: MIT */
/* draw.c - see draw.h */
#include "draw.h"

#include "words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char top_keys[] = "space  pause, and go on\n"
			"s      sort by: time, slot, jobs done, function\n"
			"r      the other way round\n"
			"/      filter: function, tag, state, pool, slot, pid\n"
			"Esc    no filter\n"
			"d      more deaths, and where the code was; fewer\n"
			"p P    next pool, pool before; all\n"
			"j k    down, up; also arrows, PgDn, PgUp\n"
			"g G    to the top, to the end\n"
			"+ -    look more, less often\n"
			"? h    this help\n"
			"q      quit\n";

static void draw_title(struct canvas *canvas, const struct look *look)
{
	const struct brood_status_brood *b = &look->brood;
	char since[WORDS_MAX], up[WORDS_MAX];

	canvas_put(canvas, INK_BOLD, "%s", b->name);
	canvas_put(canvas, b->state == BROOD_STATUS_SERVING ? INK_GOOD : INK_WARN, " %s %s",
		words_brood_state(b->state), words_since(since, b->state_since_ns, look->now_ns));
	canvas_put(canvas, INK_PLAIN, "  up %s  supervisor %d  engine %d  library %s",
		words_since(up, b->started_ns, look->now_ns), (int)look->page->supervisor,
		b->engine_pid, b->version);
	canvas_end_line(canvas, INK_PLAIN);
}

static void draw_attention(struct canvas *canvas, const struct look *look)
{
	char why[LOOK_WHY_MAX];
	const char *bad = look_unready(look, -1, why);

	if (!bad)
		return;
	canvas_put(canvas, INK_BAD, "! %s", bad);
	canvas_end_line(canvas, INK_PLAIN);
}

/* The last line: the filter while it is typed, or what the keys do. */
static void draw_keys(
	struct canvas *canvas, const struct look *look, const struct rows *rows, struct view *view)
{
	const char *pool = view->choice.pool < 0 ? "all" : look->pool[view->choice.pool].setup.name;

	while (canvas_rows_left(canvas) > 1)
		canvas_end_line(canvas, INK_PLAIN);
	if (view->editing) {
		canvas_put(canvas, INK_HEAD, "filter: %s_", view->filter);
		canvas_end_line(canvas, INK_HEAD);
		return;
	}
	canvas_put(canvas, INK_HEAD, view->paused ? "PAUSED " : "");
	canvas_put(canvas, INK_HEAD, "%zu/%zu ", rows->count, rows->all);
	canvas_put(canvas, INK_HEAD, "q quit ? help s %s p %s ", rows_sort_name(view->choice.sort),
		pool);
	canvas_put(canvas, INK_HEAD, "/ %s ", view->filter[0] ? view->filter : "filter");
	canvas_put(canvas, INK_HEAD, "space pause +- %.3g s", view->delay_s);
	canvas_end_line(canvas, INK_HEAD);
}

static void draw_help(struct canvas *canvas)
{
	for (const char *at = top_keys; *at; at = strchr(at, '\n') + 1) {
		char line[128];

		snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
		canvas_put(canvas, INK_PLAIN, "%s", line);
		canvas_end_line(canvas, INK_PLAIN);
	}
}

/* Deaths have few lines, or with the key "d" as many as half of the screen has. */
static unsigned deaths_room(const struct canvas *canvas, const struct view *view)
{
	if (view->deaths)
		return canvas->rows / 2 < SAMPLE_REPORTS ? canvas->rows / 2 : SAMPLE_REPORTS;
	return canvas->rows >= 40 ? 3 : canvas->rows >= 20 ? 1 : 0;
}

void draw_frame(
	struct canvas *canvas, const struct samples *samples, struct rows *rows, struct view *view)
{
	const struct look *look = &samples->look;
	unsigned third = canvas->rows / 3;

	draw_title(canvas, look);
	draw_attention(canvas, look);
	if (view->help) {
		draw_help(canvas);
	} else {
		draw_totals(canvas, samples, view->choice.pool);
		if (canvas->rows >= 14)
			draw_recent(canvas, samples, view->choice.pool);
		draw_deaths(canvas, samples, view->choice.pool, deaths_room(canvas, view));
		draw_pools(canvas, samples, view->choice.pool, third > 1 ? third : 1);
		draw_workers(canvas, samples, rows, view);
	}
	if (view->live)
		draw_keys(canvas, look, rows, view);
}
