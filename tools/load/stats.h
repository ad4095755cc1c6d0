/* SPDX-License-Identifier: MIT */
/*
 * stats.h - how much larger is b than a, and how sure is that? Each run is cut into batches of
 * equal time. A batch gives one figure, such as its p99. The ratio of two runs is the ratio of the
 * geometric means of their figures; its interval is Welch's for the logarithms, 95 %.
 */
#ifndef BROOD_LOAD_STATS_H
#define BROOD_LOAD_STATS_H

#include <stdbool.h>

#define STATS_LEAST 5 /* batches: fewer say nothing */

struct stats_ratio {
	double ratio;     /* b to a */
	double low, high; /* the interval */
	bool sure;        /* there were enough batches for an interval */
};
/* Figures must be above 0; others are left out. */
struct stats_ratio stats_compare(
	const double *a, unsigned a_count, const double *b, unsigned b_count);
/* The t that a Student's t of so many degrees of freedom exceeds with probability (1 - p) / 2. */
double stats_student(double p, double degrees);

#endif
