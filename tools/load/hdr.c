/* SPDX-License-Identifier: MIT */
/*
 * hdr.c - see hdr.h. The lines come closer and closer to 100 %: five of them for each half of what
 * is left, as HdrHistogram's own output has them.
 */
#include "hdr.h"

#include <errno.h>
#include <math.h>

#define TICKS 5 /* lines for each half of the distance to 100 % */

static double middle(const struct histogram_bucket *bucket)
{
	return ((double)bucket->low + (double)bucket->high) / 2;
}

struct hdr_moments hdr_moments(const struct histogram *h)
{
	struct histogram_bucket bucket = { .index = HISTOGRAM_BEFORE };
	double count = (double)histogram_count(h), squares = 0;
	struct hdr_moments m = { 0, 0 };

	while (histogram_next(h, &bucket))
		m.mean += middle(&bucket) * (double)bucket.count / count;
	bucket.index = HISTOGRAM_BEFORE;
	while (histogram_next(h, &bucket))
		squares += (middle(&bucket) - m.mean) * (middle(&bucket) - m.mean) *
			(double)bucket.count;
	if (count > 0)
		m.deviation = sqrt(squares / count);
	return m;
}

/* The next percentile to print a line for. */
static double tick_after(double percentile)
{
	double halves = floor(log2(100 / (100 - percentile))) + 1;

	return percentile + 100 / (TICKS * pow(2, halves));
}

static void line(FILE *file, double ns, double share, uint64_t seen)
{
	fprintf(file, "%12.3f %14.12f %10llu", ns / 1000, share, (unsigned long long)seen);
	if (share < 1)
		fprintf(file, " %14.2f", 1 / (1 - share));
	fputc('\n', file);
}

int hdr_write(const struct histogram *h, FILE *file)
{
	struct histogram_bucket bucket = { .index = HISTOGRAM_BEFORE };
	double count = (double)histogram_count(h), tick = 0, max = (double)histogram_max(h);
	struct hdr_moments m = hdr_moments(h);
	uint64_t seen = 0;

	fprintf(file, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
		"1/(1-Percentile)");
	while (histogram_next(h, &bucket)) {
		double ns = (double)bucket.high < max ? (double)bucket.high : max;

		seen += bucket.count;
		/* the last bucket alone reaches 100 %, where no further tick is */
		for (; seen < histogram_count(h) && tick <= 100 * (double)seen / count;
			tick = tick_after(tick))
			line(file, ns, tick / 100, seen);
	}
	if (seen)
		line(file, max, 1, seen);
	fprintf(file,
		"#[Mean    = %12.3f, StdDeviation   = %12.3f]\n"
		"#[Max     = %12.3f, Total count    = %12llu]\n"
		"#[Buckets = %12d, SubBuckets     = %12d]\n",
		m.mean / 1000, m.deviation / 1000, max / 1000, (unsigned long long)seen,
		HISTOGRAM_POWERS, HISTOGRAM_STEPS);
	return fflush(file) || ferror(file) ? -EIO : 0;
}
