/* SPDX-License-Identifier: MIT */
/*
 * live.h - what the judge shows on standard error while the load runs, if this is a terminal: a few
 * lines that are written over and over. A file or a pipe gets nothing.
 */
#ifndef BROOD_LOAD_LIVE_H
#define BROOD_LOAD_LIVE_H

#include <stdbool.h>
#include <stdint.h>

/* How long to wait from one live_show() to the next; very long, if there is no terminal. */
uint64_t live_every_ns(void);
struct tally;
/* killed: the workers that the judge has killed so far. */
void live_show(const struct tally *t, uint64_t killed);
/* Takes the lines away, because other words come now. */
void live_end(void);

/* ---- live_text.c: the lines, pure ------------------------------------------------------------ */

#define LIVE_HISTORY 24 /* points of a sparkline */
#define LIVE_LINES   3
#define LIVE_ROOM    2048 /* for the text of all lines */

struct live_view {
	double seconds, rate;
	double p50_ns, p99_ns; /* of the last moment; 0: no job ended */
	uint64_t verdicts, out, died, killed;
	uint32_t workers, busy, idle, starting, queued;
	double rates[LIVE_HISTORY], p99s[LIVE_HISTORY]; /* the oldest first */
	unsigned history;                               /* how many of them there are */
	unsigned columns;                               /* of the terminal */
	bool colour, utf8;
};
/* Writes LIVE_LINES lines of at most `columns` columns; the last one has no newline. */
void live_text(const struct live_view *view, char ret[LIVE_ROOM]);

#endif
