/* SPDX-License-Identifier: MIT */
/*
 * figure.h - numbers as people read them: three digits that count, and a unit that fits. For the
 * tables and pages; files for programs have plain numbers.
 */
#ifndef BROOD_LOAD_FIGURE_H
#define BROOD_LOAD_FIGURE_H

#include <stdint.h>

struct figure {
	char text[32];
};
struct figure figure_time(double ns);       /* "870 ns", "21.3 us", "1.40 ms", "2.00 s" */
struct figure figure_count(uint64_t count); /* "1,234,567" */
struct figure figure_short(double value);   /* "950", "1.23 k", "45.6 M" */
/* A round number, as on an axis: without zeros at its end, "50 k". */
struct figure figure_round(struct figure figure);
struct figure figure_bytes(double bytes); /* "64 B", "1.50 KiB" */

/*
 * The distance between the marks of an axis from 0 to `to` with about `marks` marks: 1, 2 or 5
 * times a power of ten. Always a number above 0: 1 if there is no other.
 */
double figure_step(double to, unsigned marks);

#endif
