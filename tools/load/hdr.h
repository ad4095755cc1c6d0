/* SPDX-License-Identifier: MIT */
/*
 * hdr.h - HdrHistogram's percentile text, which plotters of many tools read: Value, Percentile,
 * TotalCount, 1/(1-Percentile), and a footer. Values are in microseconds.
 */
#ifndef BROOD_LOAD_HDR_H
#define BROOD_LOAD_HDR_H

#include "histogram.h"

#include <stdio.h>

struct hdr_moments {
	double mean, deviation;
};
/* As if each value stood in the middle of its bucket. */
struct hdr_moments hdr_moments(const struct histogram *h);
int hdr_write(const struct histogram *h, FILE *file); /* 0 or -errno */

#endif
