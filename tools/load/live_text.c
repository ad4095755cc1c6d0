/* SPDX-License-Identifier: MIT */
/*
 * live_text.c - the lines of the live display. Each line is cut at the terminal's width: a line
 * that wraps would take two, and the next display would be written beside the old one.
 */
#include "figure.h"
#include "live.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BLOCKS 24 /* the most workers that are drawn one by one */

struct writer {
	char *at, *end;
	unsigned left; /* columns of this line */
	bool colour;
};

/* One character of `columns` 0 or 1. It is written whole or not at all. */
static void put(struct writer *w, const char *text, size_t size, unsigned columns)
{
	if (columns > w->left || (size_t)(w->end - w->at) <= size)
		return;
	memcpy(w->at, text, size);
	w->at += size;
	w->left -= columns;
}

static void put_char(struct writer *w, const char *character)
{
	put(w, character, strlen(character), 1);
}

static void style(struct writer *w, const char *code)
{
	if (w->colour)
		put(w, code, strlen(code), 0);
}

static void say(struct writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct writer *w, const char *format, ...)
{
	char text[160];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	for (const char *c = text; *c; c++)
		put(w, c, 1, 1);
}

static const char *level(double value, double most, bool utf8)
{
	static const char *const blocks[] = { "\u2581", "\u2582", "\u2583", "\u2584", "\u2585",
		"\u2586", "\u2587", "\u2588" };
	static const char *const plain[] = { "_", ".", ":", "-", "=", "+", "*", "#" };
	unsigned i = most > 0 && value > 0 ? (unsigned)(value / most * 7.999) : 0;

	return (utf8 ? blocks : plain)[i < 8 ? i : 7];
}

static void sparkline(
	struct writer *w, const double *values, unsigned count, const char *code, bool utf8)
{
	double most = 0;

	for (unsigned i = 0; i < count; i++)
		most = values[i] > most ? values[i] : most;
	style(w, code);
	for (unsigned i = count; i < LIVE_HISTORY; i++)
		put_char(w, " ");
	for (unsigned i = 0; i < count; i++)
		put_char(w, level(values[i], most, utf8));
	style(w, "\033[0m");
}

static void workers(struct writer *w, const char *character, uint32_t count, const char *code)
{
	style(w, code);
	for (uint32_t i = 0; i < count; i++)
		put_char(w, character);
	style(w, "\033[0m");
}

static void pool(struct writer *w, const struct live_view *v)
{
	bool utf8 = v->utf8;
	uint32_t there = v->busy + v->idle + v->starting;

	if (v->workers <= BLOCKS && there <= BLOCKS) {
		workers(w, utf8 ? "\u25a0" : "#", v->busy, "\033[32m");
		workers(w, utf8 ? "\u25a1" : "o", v->idle, "\033[32m");
		workers(w, utf8 ? "\u00b7" : ".", v->starting, "\033[33m");
		workers(w, " ", there < v->workers ? v->workers - there : 0, "");
		say(w, "  ");
	}
	say(w, "%u workers: %u busy, %u idle, %u starting", v->workers, v->busy, v->idle,
		v->starting);
	if (v->queued)
		say(w, "; %u wait", v->queued);
	if (v->died || v->killed) {
		style(w, "\033[31m");
		say(w, "; %s died, %s killed from here", figure_count(v->died).text,
			figure_count(v->killed).text);
		style(w, "\033[0m");
	}
}

static void line_end(struct writer *w, const struct live_view *v)
{
	put(w, "\n", 1, 0);
	w->left = v->columns;
}

void live_text(const struct live_view *v, char ret[LIVE_ROOM])
{
	struct writer w = { ret, ret + LIVE_ROOM, v->columns, v->colour };

	style(&w, "\033[1m");
	say(&w, "%8.1f s ", v->seconds);
	style(&w, "\033[0m");
	say(&w, "%11s/s ", figure_count((uint64_t)v->rate).text);
	sparkline(&w, v->rates, v->history, "\033[36m", v->utf8);
	say(&w, "  %s jobs, %s out", figure_count(v->verdicts).text, figure_count(v->out).text);
	line_end(&w, v);
	say(&w, "%10s %9s p99 ", "", v->p99_ns > 0 ? figure_time(v->p99_ns).text : "-");
	sparkline(&w, v->p99s, v->history, "\033[35m", v->utf8);
	say(&w, "  p50 %s", v->p50_ns > 0 ? figure_time(v->p50_ns).text : "-");
	line_end(&w, v);
	say(&w, "%10s ", "pool");
	if (v->workers) /* a peer has none */
		pool(&w, v);
	else
		say(&w, "none of this library");
	*w.at = 0;
}
