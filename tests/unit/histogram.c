/* SPDX-License-Identifier: MIT */
/* histogram.c - three digits everywhere, against a sorted array. */
#include "../../tools/load/histogram.h"
#include "unit.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

TestSuite(unit_histogram, .timeout = 60);

static struct histogram *fresh(void)
{
	void *memory = malloc(histogram_size());

	cr_assert_not_null(memory);
	memset(memory, 0xa5, histogram_size());
	return histogram_init(memory);
}

/* Never below the true value, and above it by less than a thousandth. */
static bool close_enough(uint64_t told, uint64_t truth)
{
	return told >= truth && told - truth <= truth / 1024;
}

Test(unit_histogram, empty)
{
	struct histogram *h = fresh();

	cr_assert_eq(histogram_count(h), 0);
	cr_assert_eq(histogram_max(h), 0);
	cr_assert_eq(histogram_quantile(h, 0.5), 0);
	cr_assert_eq(histogram_quantile(h, 1), 0);
	free(h);
}

static void check_value(struct histogram *h, uint64_t value)
{
	uint64_t told;

	histogram_init(h);
	histogram_add(h, value);
	histogram_add(h, UINT64_MAX); /* so that the maximum does not cut the answer */
	told = histogram_quantile(h, 0.5);
	cr_assert(close_enough(told, value), "%lu told as %lu", (unsigned long)value,
		(unsigned long)told);
}

Test(unit_histogram, every_edge_within_a_thousandth)
{
	struct histogram *h = fresh();

	for (uint64_t v = 0; v < 2048; v += 37)
		check_value(h, v);
	for (unsigned bit = 0; bit < 64; bit++) {
		check_value(h, (1ull << bit) - 1);
		check_value(h, 1ull << bit);
		check_value(h, (1ull << bit) + 1);
		check_value(h, (1ull << bit) + (1ull << bit) / 3);
	}
	check_value(h, UINT64_MAX - 1);
	free(h);
}

Test(unit_histogram, small_values_are_exact)
{
	struct histogram *h = fresh();

	for (uint64_t v = 1; v <= 1000; v++)
		histogram_add(h, v);
	cr_assert_eq(histogram_quantile(h, 0), 1);
	cr_assert_eq(histogram_quantile(h, 0.5), 500);
	cr_assert_eq(histogram_quantile(h, 0.07), 70, "rounding of doubles does not move the rank");
	cr_assert_eq(histogram_quantile(h, 0.99), 990);
	cr_assert_eq(histogram_quantile(h, 0.999), 999);
	cr_assert_eq(histogram_quantile(h, 0.9999), 1000);
	cr_assert_eq(histogram_quantile(h, 1), 1000);
	cr_assert_eq(histogram_quantile(h, -1), 1);
	cr_assert_eq(histogram_quantile(h, 2), 1000);
	cr_assert_eq(histogram_quantile(h, (double)NAN), 1);
	free(h);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

#define VALUES 20000

Test(unit_histogram, model_and_merge)
{
	static uint64_t values[VALUES];
	static const double quantiles[] = { 0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1 };
	struct histogram *parts[3] = { fresh(), fresh(), fresh() }, *all = fresh();
	struct unit_random r = { 12345 };

	for (size_t i = 0; i < VALUES; i++) {
		values[i] = unit_random(&r) >> unit_below(&r, 64);
		histogram_add(parts[i % 3], values[i]);
	}
	for (size_t i = 0; i < 3; i++)
		histogram_merge(all, parts[i]);
	qsort(values, VALUES, sizeof values[0], by_value);
	cr_assert_eq(histogram_count(all), VALUES);
	cr_assert_eq(histogram_max(all), values[VALUES - 1]);
	for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
		/* they all divide VALUES */
		size_t rank = (size_t)(quantiles[i] * VALUES + 0.5);
		uint64_t told = histogram_quantile(all, quantiles[i]);

		cr_assert(close_enough(told, values[rank - 1]), "%g: %lu, truly %lu", quantiles[i],
			(unsigned long)told, (unsigned long)values[rank - 1]);
		cr_assert_leq(told, histogram_max(all));
	}
	for (size_t i = 0; i < 3; i++)
		free(parts[i]);
	free(all);
}
