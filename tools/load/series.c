/* SPDX-License-Identifier: MIT */
/*
 * series.c - see series.h. The folding is the same for jobs and for the pool: a slice's place is
 * its time divided by the width; when that lies behind the last slice, the width doubles.
 */
#include "series.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* ---- latencies ------------------------------------------------------------------------------- */

unsigned series_bucket(uint64_t ns)
{
	uint64_t value = ns >> SERIES_UNIT;
	unsigned shift = 0, bucket;

	if (value >= 2u << SERIES_BITS)
		shift = 63 - (unsigned)__builtin_clzll(value) - SERIES_BITS;
	bucket = (shift << SERIES_BITS) + (unsigned)(value >> shift);
	return bucket < SERIES_BUCKETS ? bucket : SERIES_BUCKETS - 1;
}

uint64_t series_bucket_low(unsigned bucket)
{
	unsigned shift;

	if (bucket < 2u << SERIES_BITS)
		return (uint64_t)bucket << SERIES_UNIT;
	shift = (bucket >> SERIES_BITS) - 1;
	return (uint64_t)(bucket - (shift << SERIES_BITS)) << shift << SERIES_UNIT;
}

uint64_t series_total(const uint32_t latency[SERIES_BUCKETS])
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < SERIES_BUCKETS; i++)
		sum += latency[i];
	return sum;
}

double series_quantile(const uint32_t latency[SERIES_BUCKETS], uint64_t max_ns, double q)
{
	double total = (double)series_total(latency), target = q * total, seen = 0, value = 0;

	for (unsigned i = 0; i < SERIES_BUCKETS && total > 0; i++) {
		double low = (double)series_bucket_low(i), high = (double)series_bucket_low(i + 1);

		if (!latency[i])
			continue;
		value = high;
		if (seen + latency[i] >= target) {
			value = low + (high - low) * (target - seen) / latency[i];
			break;
		}
		seen += latency[i];
	}
	return max_ns && value > (double)max_ns ? (double)max_ns : value;
}

/* ---- jobs ------------------------------------------------------------------------------------ */

struct series {
	uint64_t start_ns, width_ns;
	_Atomic uint32_t folding;
	uint32_t all[SERIES_BUCKETS];
	struct series_slice slice[SERIES_SLICES];
};

size_t series_size(void) { return sizeof(struct series); }

struct series *series_at(void *memory)
{
	struct series *s = memory;

	s->width_ns = SERIES_WIDTH_NS;
	return s;
}

void series_begin(struct series *s, uint64_t start_ns) { s->start_ns = start_ns; }

static void add_up(uint32_t *inout_sum, uint32_t more)
{
	if (__builtin_add_overflow(*inout_sum, more, inout_sum))
		*inout_sum = UINT32_MAX;
}

static void add_slice(struct series_slice *sum, const struct series_slice *other)
{
	add_up(&sum->given, other->given);
	for (unsigned i = 0; i < SERIES_OUTCOMES; i++)
		add_up(&sum->outcomes[i], other->outcomes[i]);
	for (unsigned i = 0; i < SERIES_BUCKETS; i++)
		add_up(&sum->latency[i], other->latency[i]);
	if (other->max_ns > sum->max_ns)
		sum->max_ns = other->max_ns;
}

static void fold(struct series *s)
{
	const unsigned half = SERIES_SLICES / 2;

	atomic_store(&s->folding, 1);
	for (unsigned i = 0; i < half; i++) {
		if (i)
			s->slice[i] = s->slice[2 * i];
		add_slice(&s->slice[i], &s->slice[2 * i + 1]);
	}
	memset(s->slice + half, 0, half * sizeof s->slice[0]);
	s->width_ns *= 2;
	atomic_store(&s->folding, 0);
}

static struct series_slice *slice_of(struct series *s, uint64_t now)
{
	uint64_t time = now > s->start_ns ? now - s->start_ns : 0;

	while (time / s->width_ns >= SERIES_SLICES)
		fold(s);
	return &s->slice[time / s->width_ns];
}

void series_given(struct series *s, uint64_t now) { add_up(&slice_of(s, now)->given, 1); }

void series_refused(struct series *s, uint64_t now, unsigned outcome)
{
	add_up(&slice_of(s, now)->outcomes[outcome], 1);
}

void series_ended(struct series *s, uint64_t now, unsigned outcome, uint64_t latency_ns)
{
	struct series_slice *slice = slice_of(s, now);
	unsigned bucket = series_bucket(latency_ns);

	add_up(&slice->outcomes[outcome], 1);
	add_up(&slice->latency[bucket], 1);
	if (latency_ns > slice->max_ns)
		slice->max_ns = latency_ns;
	s->all[bucket]++;
}

void series_add_all(const struct series *s, uint32_t inout_latency[SERIES_BUCKETS])
{
	for (unsigned i = 0; i < SERIES_BUCKETS; i++)
		inout_latency[i] += s->all[i];
}

/* ---- several as one -------------------------------------------------------------------------- */

static void add_series(const struct series *s, uint64_t from_ns, struct series_view *view)
{
	for (unsigned i = 0; i < SERIES_SLICES; i++) {
		uint64_t time = i * s->width_ns, at;

		if (time < from_ns)
			continue;
		at = (time - from_ns) / view->width_ns;
		if (at >= view->count)
			at = view->count - 1;
		add_slice(&view->slice[at], &s->slice[i]);
	}
}

bool series_view(const struct series *const *all, unsigned n, uint64_t from_ns, uint64_t elapsed_ns,
	unsigned most, struct series_view *ret)
{
	uint64_t width = SERIES_WIDTH_NS, count;

	*ret = (struct series_view){ 0 };
	for (unsigned i = 0; i < n; i++) {
		if (all[i]->width_ns > width)
			width = all[i]->width_ns;
	}
	from_ns = (from_ns + width - 1) / width * width;
	ret->elapsed_ns = elapsed_ns > from_ns ? elapsed_ns - from_ns : 0;
	count = (ret->elapsed_ns + width - 1) / width;
	if (!count || !most)
		return false;
	ret->width_ns = width * ((count + most - 1) / most);
	ret->count = (unsigned)((ret->elapsed_ns + ret->width_ns - 1) / ret->width_ns);
	ret->slice = calloc(ret->count, sizeof *ret->slice);
	for (unsigned i = 0; i < n && ret->slice; i++) {
		if (atomic_load(&all[i]->folding))
			ret->torn++;
		else
			add_series(all[i], from_ns, ret);
	}
	return ret->slice;
}

void series_view_free(struct series_view *view)
{
	free(view->slice);
	view->slice = NULL;
	view->count = 0;
}

double series_seconds(const struct series_view *view, unsigned i)
{
	uint64_t from = i * view->width_ns, to = from + view->width_ns;

	if (to > view->elapsed_ns)
		to = view->elapsed_ns;
	return (double)(to - from) / 1e9;
}

uint64_t series_verdicts(const struct series_slice *slice)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < SERIES_OUTCOMES; i++)
		sum += slice->outcomes[i];
	return sum;
}

/* ---- the pool -------------------------------------------------------------------------------- */

struct series_pool {
	uint64_t start_ns, width_ns; /* start_ns 0: not begun */
	_Atomic uint32_t folding;
	struct series_sample slice[SERIES_SLICES];
};

size_t series_pool_size(void) { return sizeof(struct series_pool); }

struct series_pool *series_pool_at(void *memory)
{
	struct series_pool *p = memory;

	p->width_ns = SERIES_WIDTH_NS;
	return p;
}

void series_pool_begin(struct series_pool *p, uint64_t start_ns) { p->start_ns = start_ns; }

/* `later` comes after what `into` has. */
static void add_sample(struct series_sample *into, const struct series_sample *later)
{
	uint32_t least = later->ready_least, taken = into->taken;

	if (!later->taken)
		return;
	if (taken && into->ready_least < least)
		least = into->ready_least;
	*into = *later;
	into->ready_least = least;
	add_up(&into->taken, taken);
}

static void fold_pool(struct series_pool *p)
{
	const unsigned half = SERIES_SLICES / 2;

	atomic_store(&p->folding, 1);
	for (unsigned i = 0; i < half; i++) {
		if (i)
			p->slice[i] = p->slice[2 * i];
		add_sample(&p->slice[i], &p->slice[2 * i + 1]);
	}
	memset(p->slice + half, 0, half * sizeof p->slice[0]);
	p->width_ns *= 2;
	atomic_store(&p->folding, 0);
}

void series_pool_note(struct series_pool *p, uint64_t now, const struct series_sample *sample)
{
	struct series_sample one = *sample;
	uint64_t time = now - p->start_ns;

	if (!p->start_ns || now < p->start_ns)
		return;
	while (time / p->width_ns >= SERIES_SLICES)
		fold_pool(p);
	one.ready_least = one.ready;
	one.taken = 1;
	add_sample(&p->slice[time / p->width_ns], &one);
}

bool series_pool_look(
	const struct series_pool *p, uint64_t from_ns, uint64_t to_ns, struct series_sample *ret)
{
	struct series_sample sum = { 0 };

	if (atomic_load(&p->folding))
		return false;
	for (unsigned i = 0; i < SERIES_SLICES && i * p->width_ns < to_ns; i++) {
		/* what was before from_ns still holds, until a later sample says otherwise */
		if (p->slice[i].taken && (i + 1) * p->width_ns <= from_ns) {
			sum = p->slice[i];
			sum.ready_least = sum.ready;
		} else {
			add_sample(&sum, &p->slice[i]);
		}
	}
	*ret = sum;
	return sum.taken;
}
