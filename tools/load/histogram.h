/* SPDX-License-Identifier: MIT */
/*
 * histogram.h - counts of values by log-linear buckets: within 1/1024 of the true value (3 digits)
 * from 1 to 2^63. Fixed size, no allocation after histogram_init(); merging is adding. For
 * latencies in nanoseconds.
 */
#ifndef BROOD_HISTOGRAM_H
#define BROOD_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_STEPS  1024 /* buckets for each power of two */
#define HISTOGRAM_POWERS 55

struct histogram;
/* bytes, for placing one in shared memory */
size_t histogram_size(void);
/* memory of that size, aligned to 8 */
struct histogram *histogram_init(void *memory);
void histogram_add(struct histogram *h, uint64_t value);
void histogram_add_many(struct histogram *h, uint64_t value, uint64_t count);
/* An empty one; free() it. NULL: no memory. */
struct histogram *histogram_new(void);
void histogram_merge(struct histogram *h, const struct histogram *other);
uint64_t histogram_count(const struct histogram *h);
uint64_t histogram_max(const struct histogram *h); /* not rounded to a bucket, as quantiles are */
/* 0 when empty; never above max */
uint64_t histogram_quantile(const struct histogram *h, double q);

struct histogram_bucket {
	size_t index;
	uint64_t low, high, count; /* from low to high, both of them in it */
};
/*
 * The first bucket after bucket->index that has values. False: there is none. Begin with index
 * HISTOGRAM_BEFORE.
 */
#define HISTOGRAM_BEFORE SIZE_MAX
bool histogram_next(const struct histogram *h, struct histogram_bucket *inout_bucket);

#endif
