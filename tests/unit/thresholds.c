/* SPDX-License-Identifier: MIT */
/* thresholds.c - conditions as users write them, and figures on both sides of each limit. */
#include "../../tools/load/thresholds.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

TestSuite(unit_thresholds, .timeout = 60);

static struct threshold read_one(const char *text)
{
	struct threshold t;
	const char *wrong = thresholds_parse(text, &t);

	cr_assert_null(wrong, "\"%s\": %s", text, wrong);
	cr_assert_str_eq(t.text, text);
	return t;
}

static bool is(double a, double b) { return fabs(a - b) <= 1e-9 * fmax(1, fabs(b)); }

Test(unit_thresholds, times)
{
	static const struct {
		const char *text;
		double quantile, ns;
	} all[] = { { "p99>5ms", 0.99, 5e6 }, { "p50 > 250us", 0.5, 250e3 }, { "p0>1ns", 0, 1 },
		{ "p99.99>=1.5s", 0.9999, 1.5e9 }, { " p100 < 3 ms ", 1, 3e6 } };

	for (unsigned i = 0; i + 1 < sizeof all / sizeof all[0]; i++) {
		struct threshold t = read_one(all[i].text);

		cr_assert_eq(t.what, THRESHOLD_QUANTILE);
		cr_assert(is(t.quantile, all[i].quantile), "%s", all[i].text);
		cr_assert(is(t.limit, all[i].ns), "%s", all[i].text);
		cr_assert(t.above);
	}
	cr_assert_eq(read_one("max<1s").what, THRESHOLD_MAX);
	cr_assert_not(read_one("max<1s").above);
}

Test(unit_thresholds, rates_and_counts)
{
	struct threshold t = read_one("rate<20k/s");

	cr_assert_eq(t.what, THRESHOLD_RATE);
	cr_assert(is(t.limit, 20000));
	cr_assert(is(read_one("rate<1000").limit, 1000));
	cr_assert(is(read_one("rate<=1.5M").limit, 1500000));
	t = read_one("refused>0");
	cr_assert_eq(t.what, THRESHOLD_COUNT);
	cr_assert_eq(t.count, THRESHOLD_REFUSED);
	cr_assert_not(t.share);
	t = read_one("late>=1.5%");
	cr_assert_eq(t.count, THRESHOLD_LATE);
	cr_assert(t.share && t.or_equal);
	cr_assert(is(t.limit, 1.5));
	cr_assert_eq(read_one("unsent>0").count, THRESHOLD_UNSENT);
	cr_assert_eq(read_one("timed_out>0").count, THRESHOLD_TIMED_OUT);
	cr_assert_eq(read_one("errors>0").count, THRESHOLD_ERRORS);
	cr_assert_eq(read_one("unaccounted>0").count, THRESHOLD_UNACCOUNTED);
}

/* Each wrong text is answered with what would be right. */
Test(unit_thresholds, wrong_texts)
{
	static const struct {
		const char *text, *word;
	} all[] = { { "", "p99>5ms" }, { "p99", "p99>5ms" }, { "p99>", "p99>5ms" },
		{ ">5ms", "p99>5ms" }, { "p99=5ms", "p99>5ms" }, { "p99>-5ms", "p99>5ms" },
		{ "p99>x", "p99>5ms" }, { "p99>5", "unit" }, { "p99>5m", "unit" },
		{ "p99>5ms x", "unit" }, { "max>5", "unit" }, { "p101>5ms", "figures" },
		{ "p>5ms", "figures" }, { "px>5ms", "figures" }, { "q99>5ms", "figures" },
		{ "rejected>0", "figures" }, { "rate<10x", "a second" }, { "rate<10%", "a second" },
		{ "rate<0x10", "p99>5ms" }, { "p0x10>5ms", "figures" }, { "late>0X1%", "p99>5ms" },
		{ "late>1ms", "share" }, { "late>1 x", "share" },
		{ "p99>0000000000000000000000000000000000000000000000005ms", "p99>5ms" } };

	for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
		struct threshold t = { .limit = 42 };
		const char *wrong = thresholds_parse(all[i].text, &t);

		cr_assert_not_null(wrong, "\"%s\" was taken", all[i].text);
		cr_assert_not_null(strstr(wrong, all[i].word), "\"%s\": %s", all[i].text, wrong);
		cr_assert(is(t.limit, 42), "a wrong text changes nothing");
	}
}

static bool holds(const char *text, const struct threshold_figures *figures)
{
	struct threshold t = read_one(text);
	double figure = -1;

	cr_assert(thresholds_figure(&t, figures, &figure), "%s", text);
	return thresholds_true(&t, figure);
}

Test(unit_thresholds, both_sides_of_each_limit)
{
	struct histogram *h = histogram_init(malloc(histogram_size()));
	struct threshold_figures f = { .latency = h, .rate = 999.5, .given = 1000, .planned = 400 };

	for (uint64_t ns = 1; ns <= 1000; ns++)
		histogram_add(h, ns);
	f.counts[THRESHOLD_REFUSED] = 10;
	f.counts[THRESHOLD_LATE] = 4;
	cr_assert(holds("p50>499ns", &f) && !holds("p50>500ns", &f) && holds("p50>=500ns", &f));
	cr_assert(holds("p50<501ns", &f) && !holds("p50<500ns", &f) && holds("p50<=500ns", &f));
	cr_assert(holds("max>999ns", &f) && !holds("max>1us", &f));
	cr_assert(holds("rate<1000", &f) && !holds("rate<999", &f));
	cr_assert(holds("refused>9", &f) && !holds("refused>10", &f) && holds("refused>=10", &f));
	cr_assert(holds("refused>0.9%", &f) && !holds("refused>1%", &f), "of all given jobs");
	cr_assert(holds("late>0.9%", &f) && !holds("late>1%", &f), "of all planned jobs");
	cr_assert(!holds("lost>0", &f));
	free(h);
}

Test(unit_thresholds, a_run_without_jobs_has_no_figures)
{
	struct threshold_figures none = { .latency = NULL };
	struct threshold p99 = read_one("p99>5ms"), share = read_one("late>1%");
	struct threshold count = read_one("late>0");
	double figure = 7;

	cr_assert_not(thresholds_figure(&p99, &none, &figure));
	cr_assert_not(thresholds_figure(&share, &none, &figure));
	cr_assert(thresholds_figure(&count, &none, &figure));
	cr_assert(is(figure, 0));
}

Test(unit_thresholds, figures_have_the_unit_of_their_condition)
{
	static const struct {
		const char *text;
		double figure;
		const char *right;
	} all[] = { { "p99>5ms", 7123456, "7.12 ms" }, { "p99>5ms", 1500, "1.5 us" },
		{ "max>5ms", 2.5e9, "2.500 s" }, { "rate<5", 12.34, "12.3/s" },
		{ "late>0", 3, "3" }, { "late>1%", 12.5, "12.5 %" } };

	for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
		struct threshold t = read_one(all[i].text);
		char text[32];

		thresholds_format(&t, all[i].figure, text, sizeof text);
		cr_assert_str_eq(text, all[i].right);
	}
}
