/* SPDX-License-Identifier: MIT */
/*
 * find_max.h - which rate to try next, to find the highest one that keeps a condition. No clock and
 * no system call is here: the caller tries each rate, and tells whether the condition held.
 *
 * First the rate is doubled until one fails (or halved, until one holds). Then the gap is cut in
 * two until it is small. At last the highest rate that held is tried for longer; if it fails now,
 * lower ones are tried, in steps that grow. A rate that fails once is tried a second time,
 * because the first trial may have met a moment in which the machine was busy.
 */
#ifndef BROOD_LOAD_FIND_MAX_H
#define BROOD_LOAD_FIND_MAX_H

#include <stdbool.h>

#define FIND_MAX_LOWEST   1.0
#define FIND_MAX_HIGHEST  1e7
#define FIND_MAX_GAP      0.02 /* the search ends when low and high are this near */
#define FIND_MAX_STEP     0.02 /* from one confirming rate down to the next; then twice this, ... */
#define FIND_MAX_CONFIRMS 6

enum find_max_phase { FIND_MAX_SEARCH, FIND_MAX_CONFIRM, FIND_MAX_FOUND, FIND_MAX_NONE };

struct find_max {
	enum find_max_phase phase;
	double rate; /* to try next; when found, the answer */
	double low;  /* the highest rate that held; 0: none yet */
	double high; /* the lowest rate that failed; infinite: none yet */
	bool again;  /* `rate` has failed once */
	unsigned confirms;
};

/* first: the rate to begin with */
void find_max_begin(struct find_max *f, double first);
/* True: f->rate is to be tried, for longer if f->phase is FIND_MAX_CONFIRM. False: it is over. */
static inline bool find_max_goes_on(const struct find_max *f) { return f->phase < FIND_MAX_FOUND; }
/* Tells what came of f->rate, and chooses the next rate. */
void find_max_tell(struct find_max *f, bool held);

#endif
