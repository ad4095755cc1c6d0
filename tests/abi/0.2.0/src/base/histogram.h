/*
 * histogram.h - counts of values by log-linear buckets: within 1/1024 of the true value (3 digits) from 1 to 2^63. Fixed size, no allocation after
 * histogram_new(); merging is adding. For latencies in nanoseconds.
 */
#ifndef BROOD_HISTOGRAM_H
#define BROOD_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

struct histogram;
size_t histogram_size(void);                                  /* bytes, for placing one in shared memory */
struct histogram *histogram_init(void *memory);               /* memory of that size, aligned to 8 */
void histogram_add(struct histogram *h, uint64_t value);
void histogram_merge(struct histogram *h, const struct histogram *other);
uint64_t histogram_count(const struct histogram *h);
uint64_t histogram_max(const struct histogram *h);            /* exact */
uint64_t histogram_quantile(const struct histogram *h, double q);   /* 0 when empty; never above max */

#endif
