/* SPDX-License-Identifier: MIT */
/*
 * canvas.h - one frame, as it is written: lines of at most so many columns, from the top. What does
 * not fit is left out. All texts pass words_shown().
 */
#ifndef TOP_CANVAS_H
#define TOP_CANVAS_H

#include <stdbool.h>
#include <stddef.h>

enum ink {
	INK_PLAIN,
	INK_BOLD,
	INK_DIM,
	INK_BAD,
	INK_GOOD,
	INK_BUSY,
	INK_WARN,
	INK_HEAD, /* reversed, to the end of the line */
};
enum canvas_style {
	CANVAS_BARE,  /* letters alone: a file, or a dumb terminal */
	CANVAS_PLAIN, /* bold and reversed, no colours */
	CANVAS_COLOURS
};
struct canvas {
	char *text; /* NULL: there was no memory */
	size_t length, room;
	enum canvas_style style;
	bool screen; /* with the sequences that clear each line */
	unsigned columns, rows;
	unsigned column, row;
};
void canvas_begin(struct canvas *canvas, unsigned columns, unsigned rows);
void canvas_put(struct canvas *canvas, enum ink ink, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A text in `width` columns, filled up with blanks; width < 0: they stand before the text. */
void canvas_field(struct canvas *canvas, enum ink ink, int width, const char *text);
/* Goes on to the next line. */
void canvas_end_line(struct canvas *canvas, enum ink ink);
unsigned canvas_left(const struct canvas *canvas); /* columns left in this line */
unsigned canvas_rows_left(const struct canvas *canvas);
void canvas_free(struct canvas *canvas);

#endif
