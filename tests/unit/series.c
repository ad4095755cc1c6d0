/* SPDX-License-Identifier: MIT */
/* series.c - no job is lost when slices are folded, and figures are those of a sorted array. */
#include "../../tools/load/series.h"
#include "unit.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define MS 1000000ull
#define S  1000000000ull

TestSuite(unit_series, .timeout = 60);

static struct series *fresh(uint64_t start)
{
	struct series *s = series_at(calloc(1, series_size()));

	cr_assert_not_null(s);
	series_begin(s, start);
	return s;
}

static struct series_view view_of(const struct series *s, uint64_t elapsed, unsigned most)
{
	struct series_view view;

	cr_assert(series_view(&s, 1, 0, elapsed, most, &view));
	return view;
}

Test(unit_series, buckets_are_in_order_and_narrow)
{
	for (unsigned i = 0; i + 1 < SERIES_BUCKETS; i++) {
		uint64_t low = series_bucket_low(i), next = series_bucket_low(i + 1);

		cr_assert_lt(low, next);
		cr_assert_eq(series_bucket(low), i, "bucket %u", i);
		cr_assert_eq(series_bucket(next - 1), i, "bucket %u", i);
		cr_assert(next - low <= 16 || (next - low) * 32 <= low, "bucket %u is wide", i);
	}
	cr_assert_eq(series_bucket(UINT64_MAX), SERIES_BUCKETS - 1);
	cr_assert_gt(series_bucket_low(SERIES_BUCKETS - 1), 60 * S);
}

Test(unit_series, quantiles_are_near_the_truth)
{
	struct series *s = fresh(1);
	struct series_view view;

	for (uint64_t us = 1; us <= 10000; us++)
		series_ended(s, 1 + us, 1, us * 1000);
	view = view_of(s, 10 * MS, 1);
	for (double q = 0.05; q < 1; q += 0.05) {
		double told = series_quantile(view.slice[0].latency, view.slice[0].max_ns, q);

		cr_assert(told > q * 1e7 * 0.97 && told < q * 1e7 * 1.03, "%g: %g", q, told);
	}
	cr_assert_eq(series_quantile(view.slice[0].latency, view.slice[0].max_ns, 1), 1e7);
	cr_assert_eq(view.slice[0].max_ns, 10000000);
	series_view_free(&view);
	free(s);
}

Test(unit_series, no_times_no_quantile)
{
	uint32_t latency[SERIES_BUCKETS] = { 0 };

	cr_assert_eq(series_quantile(latency, 0, 0.99), 0);
	cr_assert_eq(series_total(latency), 0);
}

Test(unit_series, folds_lose_nothing)
{
	struct unit_random random = { 7 };
	struct series *s = fresh(5 * S);
	uint64_t now = 5 * S, given = 0, done = 0, crashed = 0, seen[3] = { 0 };
	struct series_view view;

	while (now < 5 * S + 100 * S) { /* ten times what the first width has room for */
		now += unit_below(&random, 20 * MS);
		series_given(s, now);
		given++;
		if (unit_below(&random, 10)) {
			series_ended(s, now, 1, unit_below(&random, S));
			done++;
		} else {
			series_refused(s, now, 7);
			crashed++;
		}
	}
	view = view_of(s, now - 5 * S, SERIES_SLICES);
	cr_assert_leq(view.count, SERIES_SLICES);
	cr_assert_geq(view.count, SERIES_SLICES / 2 - 1);
	for (unsigned i = 0; i < view.count; i++) {
		seen[0] += view.slice[i].given;
		seen[1] += view.slice[i].outcomes[1];
		seen[2] += view.slice[i].outcomes[7];
		cr_assert_eq(series_total(view.slice[i].latency), view.slice[i].outcomes[1]);
		cr_assert_eq(series_verdicts(&view.slice[i]),
			view.slice[i].outcomes[1] + view.slice[i].outcomes[7]);
	}
	cr_assert_eq(seen[0], given);
	cr_assert_eq(seen[1], done);
	cr_assert_eq(seen[2], crashed);
	series_view_free(&view);
	free(s);
}

Test(unit_series, a_fold_keeps_each_job_in_its_time)
{
	struct series *s = fresh(0);
	struct series_view view;

	for (uint64_t ms = 0; ms < 40000; ms += 10)
		series_given(s, ms * MS);
	view = view_of(s, 40 * S, SERIES_SLICES);
	cr_assert_eq(view.width_ns, 80 * MS);
	cr_assert_eq(view.count, 500);
	for (unsigned i = 0; i < view.count; i++)
		cr_assert_eq(view.slice[i].given, 8, "slice %u has %u", i, view.slice[i].given);
	series_view_free(&view);
	free(s);
}

Test(unit_series, series_of_several_widths_are_one)
{
	struct series *s[2] = { fresh(0), fresh(0) };
	struct series_view view;

	series_given(s[0], 1 * MS);
	series_given(s[0], 25 * MS);
	series_given(s[1], 2 * MS);
	series_given(s[1], 6 * S); /* this one has folded */
	cr_assert(series_view(
		(const struct series *const *)s, 2, 0, 6001 * MS, SERIES_SLICES, &view));
	cr_assert_eq(view.width_ns, 20 * MS);
	cr_assert_eq(view.slice[0].given, 2);
	cr_assert_eq(view.slice[1].given, 1);
	cr_assert_eq(view.slice[300].given, 1);
	cr_assert_eq(view.torn, 0);
	series_view_free(&view);
	free(s[0]);
	free(s[1]);
}

Test(unit_series, a_view_has_no_more_slices_than_asked_for)
{
	struct series *s = fresh(0);

	for (uint64_t ms = 0; ms < 3000; ms++)
		series_given(s, ms * MS);
	for (unsigned most = 1; most < 400; most += 7) {
		struct series_view view = view_of(s, 3 * S, most);
		double seconds = 0;
		uint64_t sum = 0;

		cr_assert_leq(view.count, most);
		for (unsigned i = 0; i < view.count; i++) {
			sum += view.slice[i].given;
			seconds += series_seconds(&view, i);
		}
		cr_assert_eq(sum, 3000);
		cr_assert_float_eq(seconds, 3, 1e-9);
		series_view_free(&view);
	}
	free(s);
}

Test(unit_series, a_view_may_begin_later)
{
	struct series *s = fresh(0);
	struct series_view view;
	uint64_t sum = 0;

	for (uint64_t ms = 0; ms < 3000; ms++)
		series_given(s, ms * MS);
	cr_assert(series_view((const struct series *const *)&s, 1, 995 * MS, 3 * S, 30, &view));
	cr_assert_eq(view.elapsed_ns, 2 * S);
	for (unsigned i = 0; i < view.count; i++)
		sum += view.slice[i].given;
	cr_assert_eq(sum, 2000);
	series_view_free(&view);
	cr_assert_not(series_view((const struct series *const *)&s, 1, 4 * S, 3 * S, 30, &view));
	free(s);
}

Test(unit_series, what_comes_before_or_after_counts_at_the_ends)
{
	struct series *s = fresh(S);
	struct series_view view;

	series_given(s, 0);
	series_given(s, S + 500 * MS);
	view = view_of(s, 100 * MS, 10);
	cr_assert_eq(view.count, 10);
	cr_assert_eq(view.slice[0].given, 1);
	cr_assert_eq(view.slice[9].given, 1);
	series_view_free(&view);
	cr_assert_not(series_view((const struct series *const *)&s, 1, 0, 0, 10, &view));
	free(s);
}

Test(unit_series, sums_of_the_whole_run_stand_ready)
{
	uint32_t before[SERIES_BUCKETS] = { 0 }, after[SERIES_BUCKETS] = { 0 };
	struct series *s = fresh(0);

	series_ended(s, 1, 1, 5000);
	series_add_all(s, before);
	series_ended(s, 2, 1, 5000);
	series_ended(s, 3, 3, 90000);
	series_add_all(s, after);
	cr_assert_eq(after[series_bucket(5000)] - before[series_bucket(5000)], 1);
	cr_assert_eq(after[series_bucket(90000)] - before[series_bucket(90000)], 1);
	free(s);
}

/* ---- the pool -------------------------------------------------------------------------------- */

static void note(struct series_pool *p, uint64_t now, uint32_t ready, uint64_t died)
{
	series_pool_note(p, now, &(struct series_sample){ .ready = ready, .died = died });
}

Test(unit_series, the_pool_keeps_its_dips)
{
	struct series_pool *p = series_pool_at(calloc(1, series_pool_size()));
	struct series_sample sample;

	note(p, 1, 9, 0); /* not begun: forgotten */
	series_pool_begin(p, S);
	cr_assert_not(series_pool_look(p, 0, S, &sample));
	note(p, S + 1 * MS, 8, 0);
	note(p, S + 12 * MS, 3, 5);
	note(p, S + 13 * MS, 8, 5);
	cr_assert(series_pool_look(p, 0, 10 * MS, &sample));
	cr_assert_eq(sample.ready_least, 8);
	cr_assert(series_pool_look(p, 0, 100 * MS, &sample));
	cr_assert_eq(sample.ready, 8);
	cr_assert_eq(sample.ready_least, 3);
	cr_assert_eq(sample.died, 5);
	/* later there is no sample: the last one holds, and the dip is over */
	cr_assert(series_pool_look(p, 50 * MS, 100 * MS, &sample));
	cr_assert_eq(sample.ready, 8);
	cr_assert_eq(sample.ready_least, 8);
	free(p);
}

Test(unit_series, the_pool_folds)
{
	struct series_pool *p = series_pool_at(calloc(1, series_pool_size()));
	struct series_sample sample;

	series_pool_begin(p, 1);
	for (uint64_t i = 0; i < 10000; i++)
		note(p, 1 + i * 7 * MS, i == 4321 ? 2 : 8, i);
	cr_assert(series_pool_look(p, 0, 70 * S, &sample));
	cr_assert_eq(sample.ready_least, 2);
	cr_assert_eq(sample.died, 9999);
	cr_assert(series_pool_look(p, 0, 4000 * 7 * MS, &sample));
	cr_assert_eq(sample.ready_least, 8);
	free(p);
}
