/* SPDX-License-Identifier: MIT */
/*
 * histogram.c - see histogram.h. Values below 2048 have a bucket each; from there on every power of
 * two is cut into 1024 buckets of equal width, up to the last value of 64 bits. A bucket's place is
 * a shift and an addition: no search, no floating point.
 */
#include "histogram.h"

#include <stdlib.h>
#include <string.h>

#define HISTOGRAM_BITS    10
#define HISTOGRAM_SUB     (1u << HISTOGRAM_BITS)
#define HISTOGRAM_SHIFTS  (64 - HISTOGRAM_BITS) /* shifts 0 (exact) to 53 */
#define HISTOGRAM_BUCKETS ((HISTOGRAM_SHIFTS + 1) * HISTOGRAM_SUB)

_Static_assert(HISTOGRAM_SUB == HISTOGRAM_STEPS && HISTOGRAM_SHIFTS + 1 == HISTOGRAM_POWERS,
	"histogram.h tells what is here");

struct histogram {
	uint64_t count, max;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

static size_t histogram_bucket(uint64_t value)
{
	unsigned shift = 0;

	if (value >= 2 * HISTOGRAM_SUB)
		shift = 63 - (unsigned)__builtin_clzll(value) - HISTOGRAM_BITS;
	return (size_t)shift * HISTOGRAM_SUB + (size_t)(value >> shift);
}

/* The largest value that falls into the bucket: a latency is never told better than it was. */
static uint64_t histogram_highest(size_t bucket)
{
	unsigned shift;
	uint64_t low;

	if (bucket < 2 * HISTOGRAM_SUB)
		return bucket;
	shift = (unsigned)(bucket / HISTOGRAM_SUB) - 1;
	low = (uint64_t)(bucket - (size_t)shift * HISTOGRAM_SUB) << shift;
	return low + ((1ull << shift) - 1);
}

size_t histogram_size(void) { return sizeof(struct histogram); }

struct histogram *histogram_init(void *memory)
{
	memset(memory, 0, sizeof(struct histogram));
	return memory;
}

void histogram_add(struct histogram *h, uint64_t value)
{
	h->buckets[histogram_bucket(value)]++;
	h->count++;
	if (value > h->max)
		h->max = value;
}

void histogram_add_many(struct histogram *h, uint64_t value, uint64_t count)
{
	if (!count)
		return;
	h->buckets[histogram_bucket(value)] += count;
	h->count += count;
	if (value > h->max)
		h->max = value;
}

struct histogram *histogram_new(void)
{
	void *memory = malloc(sizeof(struct histogram));

	return memory ? histogram_init(memory) : NULL;
}

void histogram_merge(struct histogram *h, const struct histogram *other)
{
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		h->buckets[i] += other->buckets[i];
	h->count += other->count;
	if (other->max > h->max)
		h->max = other->max;
}

uint64_t histogram_count(const struct histogram *h) { return h->count; }

uint64_t histogram_max(const struct histogram *h) { return h->max; }

/*
 * Which value in order of size is the quantile: the smallest rank that covers q of all. 0.07 * 100
 * is 7.000000000000001 and still means the seventh.
 */
static uint64_t histogram_rank(uint64_t count, double q)
{
	double target;
	uint64_t rank;

	if (!(q > 0))
		return 1;
	if (q >= 1)
		return count;
	target = q * (double)count * (1 - 1e-12);
	if (target >= (double)count)
		return count;
	rank = (uint64_t)target;
	if ((double)rank < target)
		rank++;
	return rank < 1 ? 1 : rank > count ? count : rank;
}

uint64_t histogram_quantile(const struct histogram *h, double q)
{
	uint64_t rank, seen = 0;

	if (h->count == 0)
		return 0;
	rank = histogram_rank(h->count, q);
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->buckets[i];
		if (seen >= rank) {
			uint64_t value = histogram_highest(i);

			return value < h->max ? value : h->max;
		}
	}
	return h->max;
}

bool histogram_next(const struct histogram *h, struct histogram_bucket *inout_bucket)
{
	for (size_t i = inout_bucket->index + 1; i < HISTOGRAM_BUCKETS; i++) {
		if (!h->buckets[i])
			continue;
		inout_bucket->index = i;
		inout_bucket->low = i ? histogram_highest(i - 1) + 1 : 0;
		inout_bucket->high = histogram_highest(i);
		inout_bucket->count = h->buckets[i];
		return true;
	}
	return false;
}
