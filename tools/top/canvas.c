/* SPDX-License-Identifier: MIT */
/*
 * canvas.c - see canvas.h. A line is cleared before it is written: a terminal whose cursor waits
 * behind the last column would clear that column, too.
 */
#include "canvas.h"

#include "words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const inks[][2] = {
	/* without colours, with */
	[INK_PLAIN] = { "", "" },
	[INK_BOLD] = { "\033[1m", "\033[1m" },
	[INK_DIM] = { "", "\033[2m" },
	[INK_BAD] = { "\033[1m", "\033[1;31m" },
	[INK_GOOD] = { "", "\033[32m" },
	[INK_BUSY] = { "", "\033[36m" },
	[INK_WARN] = { "", "\033[33m" },
	[INK_HEAD] = { "\033[7m", "\033[7m" },
};

static void add(struct canvas *canvas, const char *text, size_t size)
{
	if (canvas->text && canvas->length + size > canvas->room) {
		size_t room = 2 * (canvas->room + size);
		char *more = realloc(canvas->text, room);

		if (!more)
			free(canvas->text);
		canvas->text = more;
		canvas->room = room;
	}
	if (!canvas->text)
		return;
	memcpy(canvas->text + canvas->length, text, size);
	canvas->length += size;
}

static void add_text(struct canvas *canvas, const char *text) { add(canvas, text, strlen(text)); }

void canvas_begin(struct canvas *canvas, unsigned columns, unsigned rows)
{
	canvas->columns = columns;
	canvas->rows = rows;
	canvas->column = canvas->row = 0;
	canvas->length = 0;
	if (!canvas->text) {
		canvas->room = 16384;
		canvas->text = malloc(canvas->room);
	}
	if (canvas->screen)
		add_text(canvas, "\033[H\033[K");
}

void canvas_free(struct canvas *canvas)
{
	free(canvas->text);
	canvas->text = NULL;
}

unsigned canvas_left(const struct canvas *canvas) { return canvas->columns - canvas->column; }

unsigned canvas_rows_left(const struct canvas *canvas) { return canvas->rows - canvas->row; }

static const char *ink_of(const struct canvas *canvas, enum ink ink)
{
	return canvas->style == CANVAS_BARE ? "" : inks[ink][canvas->style == CANVAS_COLOURS];
}

static void ink_off(struct canvas *canvas, enum ink ink)
{
	if (ink_of(canvas, ink)[0])
		add_text(canvas, "\033[0m");
}

static void blanks(struct canvas *canvas, unsigned count)
{
	for (; count > 0 && canvas_left(canvas) > 0; count--, canvas->column++)
		add(canvas, " ", 1);
}

void canvas_field(struct canvas *canvas, enum ink ink, int width, const char *text)
{
	unsigned room = (unsigned)(width < 0 ? -width : width), used;
	char shown[WORDS_SHOWN_MAX];

	if (canvas->row >= canvas->rows || canvas_left(canvas) == 0)
		return;
	room = room < canvas_left(canvas) ? room : canvas_left(canvas);
	used = words_shown(shown, text, room);
	add_text(canvas, ink_of(canvas, ink));
	if (width < 0)
		blanks(canvas, room - used);
	add_text(canvas, shown);
	canvas->column += used;
	if (width > 0)
		blanks(canvas, room - used);
	ink_off(canvas, ink);
}

void canvas_put(struct canvas *canvas, enum ink ink, const char *format, ...)
{
	char text[512], shown[WORDS_SHOWN_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (canvas->row >= canvas->rows || canvas_left(canvas) == 0)
		return;
	add_text(canvas, ink_of(canvas, ink));
	canvas->column += words_shown(shown, text, canvas_left(canvas));
	add_text(canvas, shown);
	ink_off(canvas, ink);
}

/* The last line of a screen has no end: it would move all the others up. */
void canvas_end_line(struct canvas *canvas, enum ink ink)
{
	if (canvas->row >= canvas->rows)
		return;
	if (ink == INK_HEAD && canvas->style != CANVAS_BARE) {
		add_text(canvas, ink_of(canvas, ink));
		blanks(canvas, canvas_left(canvas));
		ink_off(canvas, ink);
	}
	canvas->row++;
	canvas->column = 0;
	if (!canvas->screen)
		add_text(canvas, "\n");
	else if (canvas->row < canvas->rows)
		add_text(canvas, "\r\n\033[K");
}
