/* SPDX-License-Identifier: MIT */
/*
 * series.h - the run over time: what was given, what came of it and how long it took, in slices of
 * equal width; and the pool beside it.
 *
 * A run of any length fits into the same memory. When the slices are full, each two neighbours are
 * folded into one of twice the width. Each series has one writer. A reader may look at any time at
 * the sums of the whole run; the slices are for the time after the run.
 */
#ifndef BROOD_LOAD_SERIES_H
#define BROOD_LOAD_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERIES_SLICES   512                  /* an even number */
#define SERIES_WIDTH_NS 10000000ull          /* of a slice, at the begin */
#define SERIES_OUTCOMES 9                    /* BROOD_OUTCOMES */
#define SERIES_BITS     5                    /* 32 buckets for each power of two: within 3 % */
#define SERIES_UNIT     4                    /* the smallest bucket has 1 << 4 ns */
#define SERIES_BUCKETS  (28u << SERIES_BITS) /* up to 68 s; the last one has all above, too */

/* ---- latencies ------------------------------------------------------------------------------- */

unsigned series_bucket(uint64_t ns);
uint64_t series_bucket_low(unsigned bucket); /* the smallest time in it */
uint64_t series_total(const uint32_t latency[SERIES_BUCKETS]);
/*
 * Within a bucket the times count as spread evenly. 0: there are no times. Never above max_ns,
 * unless that is 0.
 */
double series_quantile(const uint32_t latency[SERIES_BUCKETS], uint64_t max_ns, double q);

/* ---- jobs ------------------------------------------------------------------------------------ */

struct series_slice {
	uint32_t given, outcomes[SERIES_OUTCOMES];
	uint32_t latency[SERIES_BUCKETS];
	uint64_t max_ns;
};

struct series;
size_t series_size(void);
/* memory: zeroed, of that size, aligned to 64 */
struct series *series_at(void *memory);
void series_begin(struct series *s, uint64_t start_ns);
void series_given(struct series *s, uint64_t now);
void series_ended(struct series *s, uint64_t now, unsigned outcome, uint64_t latency_ns);
void series_refused(struct series *s, uint64_t now, unsigned outcome); /* it has no latency */
/* Adds the latencies of the whole run so far. The sums wrap; differences of them are right. */
void series_add_all(const struct series *s, uint32_t inout_latency[SERIES_BUCKETS]);

/* Several series as one. */
struct series_view {
	uint64_t width_ns, elapsed_ns;
	unsigned count;
	unsigned torn; /* series that are left out: their writer died in the middle of a fold */
	struct series_slice *slice;
};
/*
 * The view begins from_ns after the series, or with the next slice, and ends elapsed_ns after
 * them. It has `most` slices at the most. False: no memory, or no time lies between.
 */
bool series_view(const struct series *const *all, unsigned n, uint64_t from_ns, uint64_t elapsed_ns,
	unsigned most, struct series_view *ret);
void series_view_free(struct series_view *view);
/* How long the slice is: the last one may be shorter. */
double series_seconds(const struct series_view *view, unsigned i);
uint64_t series_verdicts(const struct series_slice *slice);

/* ---- the pool -------------------------------------------------------------------------------- */

struct series_sample {
	uint32_t workers, ready, ready_least, busy, starting, queued;
	uint64_t died;  /* up to here */
	uint32_t taken; /* how many samples; 0: none was taken in this time */
};

struct series_pool;
size_t series_pool_size(void);
struct series_pool *series_pool_at(void *memory); /* as series_at() */
void series_pool_begin(struct series_pool *p, uint64_t start_ns);
void series_pool_note(struct series_pool *p, uint64_t now, const struct series_sample *sample);
/*
 * What the last sample before to_ns says, and the least number of ready workers from from_ns on.
 * Times count from the begin. False: there is no sample.
 */
bool series_pool_look(
	const struct series_pool *p, uint64_t from_ns, uint64_t to_ns, struct series_sample *ret);

#endif
