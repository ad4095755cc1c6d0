/* SPDX-License-Identifier: MIT */
/*
 * thresholds.h - conditions on the figures of a run, as in 'p99>5ms', 'refused>0' or 'late>=1%':
 * reads them, and says whether they are true. No clock and no system call is here.
 */
#ifndef BROOD_LOAD_THRESHOLDS_H
#define BROOD_LOAD_THRESHOLDS_H

#include "histogram.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define THRESHOLDS_MAX      16 /* of one option */
#define THRESHOLDS_TEXT_MAX 48

/* What is counted. A condition may name the count, or its share of all such jobs. */
enum threshold_count {
	THRESHOLD_FAILED,
	THRESHOLD_CRASHED,
	THRESHOLD_EXITED,
	THRESHOLD_TIMED_OUT,
	THRESHOLD_CANCELLED,
	THRESHOLD_REFUSED,
	THRESHOLD_LOST,
	THRESHOLD_ERRORS, /* all verdicts but "done" */
	THRESHOLD_LATE,
	THRESHOLD_UNSENT,
	THRESHOLD_UNACCOUNTED
};
#define THRESHOLD_COUNTS 11

enum threshold_what { THRESHOLD_COUNT, THRESHOLD_QUANTILE, THRESHOLD_MAX, THRESHOLD_RATE };

struct threshold {
	char text[THRESHOLDS_TEXT_MAX]; /* as the user wrote it */
	enum threshold_what what;
	enum threshold_count count;
	double quantile; /* 0 to 1 */
	bool share;      /* of a count: in percent of the jobs */
	bool above;      /* > or >= */
	bool or_equal;   /* >= or <= */
	double limit;    /* ns, jobs a second, a number of jobs, or percent */
};
struct thresholds {
	struct threshold one[THRESHOLDS_MAX];
	unsigned count;
};

struct threshold_figures {
	const struct histogram *latency; /* ns, of all kinds together; NULL: there is none */
	double rate;                     /* verdicts a second */
	uint64_t given, planned;         /* of `planned` are the late and the unsent ones */
	uint64_t counts[THRESHOLD_COUNTS];
};

/* NULL: *ret is the condition. Else a sentence says what a right one looks like. */
const char *thresholds_parse(const char *text, struct threshold *ret);
/* False: the run has no such figure, because it measured no job. */
bool thresholds_figure(
	const struct threshold *t, const struct threshold_figures *figures, double *ret);
bool thresholds_true(const struct threshold *t, double figure);
/* Writes a figure in the unit of its condition, such as "7.12 ms", "3" or "0.40 %". */
void thresholds_format(const struct threshold *t, double figure, char *ret, size_t size);

#endif
