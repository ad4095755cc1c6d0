/* SPDX-License-Identifier: MIT */
/* load_figures.c - what brood-load computes and writes for people: intervals, units, lines. */
#include "../../tools/load/figure.h"
#include "../../tools/load/hdr.h"
#include "../../tools/load/live.h"
#include "../../tools/load/stats.h"
#include "unit.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

TestSuite(unit_load_figures, .timeout = 60);

/* ---- stats.c --------------------------------------------------------------------------------- */

Test(unit_load_figures, student_as_in_the_tables)
{
	static const struct {
		double degrees, t;
	} known[] = { { 1, 12.706 }, { 2, 4.303 }, { 4, 2.776 }, { 8, 2.306 }, { 18, 2.101 },
		{ 30, 2.042 }, { 58, 2.0017 }, { 120, 1.980 }, { 1e6, 1.960 } };

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		double t = stats_student(0.95, known[i].degrees);

		cr_assert(fabs(t - known[i].t) < 0.001, "%g degrees: %g", known[i].degrees, t);
	}
	cr_assert(fabs(stats_student(0.99, 10) - 3.169) < 0.001);
}

static double noise(struct unit_random *random)
{
	double sum = -6;

	for (int i = 0; i < 12; i++)
		sum += (double)unit_below(random, 1 << 20) / (1 << 20);
	return sum;
}

/* Of intervals of 95 %, about 95 in a hundred have the truth in them. */
Test(unit_load_figures, intervals_cover_the_truth)
{
	struct unit_random random = { 99 };
	unsigned covered = 0;

	for (unsigned run = 0; run < 2000; run++) {
		double a[12], b[30];
		struct stats_ratio r;

		for (unsigned i = 0; i < 12; i++)
			a[i] = exp(0.3 * noise(&random));
		for (unsigned i = 0; i < 30; i++)
			b[i] = 1.1 * exp(0.1 * noise(&random));
		r = stats_compare(a, 12, b, 30);
		cr_assert(r.sure && r.low <= r.ratio && r.ratio <= r.high);
		covered += r.low <= 1.1 && 1.1 <= r.high;
	}
	cr_assert(covered > 1850 && covered < 1945, "%u of 2000", covered);
}

Test(unit_load_figures, few_batches_are_not_sure)
{
	const double four[] = { 1, 2, 3, 4 }, five[] = { 2, 2, 2, 2, 2 }, none[] = { 0, NAN };
	struct stats_ratio r = stats_compare(four, 4, five, 5);

	cr_assert_not(r.sure);
	cr_assert_float_eq(r.ratio, 2 / pow(24, 0.25), 1e-12);
	r = stats_compare(five, 5, five, 5);
	cr_assert(r.sure && r.ratio == 1 && r.low == 1 && r.high == 1);
	r = stats_compare(none, 2, five, 5);
	cr_assert(!r.sure && r.ratio == 1);
}

/* ---- figure.c -------------------------------------------------------------------------------- */

Test(unit_load_figures, units)
{
	cr_assert_str_eq(figure_time(0).text, "0 ns");
	cr_assert_str_eq(figure_time(999).text, "999 ns");
	cr_assert_str_eq(figure_time(999.7).text, "1.00 us");
	cr_assert_str_eq(figure_time(21340).text, "21.3 us");
	cr_assert_str_eq(figure_time(999960).text, "1.00 ms");
	cr_assert_str_eq(figure_time(1.4e6).text, "1.40 ms");
	cr_assert_str_eq(figure_time(9.99e9).text, "9.99 s");
	cr_assert_str_eq(figure_time(1e12).text, "1000 s");
	cr_assert_str_eq(figure_count(0).text, "0");
	cr_assert_str_eq(figure_count(999).text, "999");
	cr_assert_str_eq(figure_count(1234567).text, "1,234,567");
	cr_assert_str_eq(figure_count(UINT64_MAX).text, "18,446,744,073,709,551,615");
	cr_assert_str_eq(figure_short(0).text, "0");
	cr_assert_str_eq(figure_short(950).text, "950");
	cr_assert_str_eq(figure_short(1234).text, "1.23 k");
	cr_assert_str_eq(figure_bytes(64).text, "64 B");
	cr_assert_str_eq(figure_bytes(1536).text, "1.50 KiB");
}

Test(unit_load_figures, steps_of_an_axis)
{
	for (double to = 1e-6; to < 1e12; to *= 1.37) {
		double step = figure_step(to, 5), digit = step / pow(10, floor(log10(step) + 1e-9));

		cr_assert(to / step <= 5.001 && to / step > 1.9, "%g: %g", to, step);
		cr_assert(
			fabs(digit - 1) < 1e-6 || fabs(digit - 2) < 1e-6 || fabs(digit - 5) < 1e-6,
			"%g: %g", to, step);
	}
	cr_assert_eq(figure_step(0, 5), 1);
}

/* A step of 0 would lead nowhere: the loops that draw an axis would not end. */
Test(unit_load_figures, steps_at_the_ends_of_the_doubles)
{
	static const double all[] = { 5e-324, 1e-323, 2.5e-322, 1e-310, 2.3e-308, 1e308,
		1.7976931348623157e308, INFINITY, NAN, -1 };

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		for (unsigned marks = 1; marks <= 10; marks++) {
			double step = figure_step(all[i], marks);

			cr_assert(step > 0 && isfinite(step), "%g: %g", all[i], step);
		}
	}
}

/* ---- live_text.c ----------------------------------------------------------------------------- */

static struct live_view live_example(void)
{
	struct live_view v = { .seconds = 3.2, .rate = 40123, .p50_ns = 21e3, .p99_ns = 143e3 };

	v.verdicts = 128402;
	v.workers = 8;
	v.busy = 5;
	v.idle = 2;
	v.starting = 1;
	v.history = 3;
	v.rates[0] = 1;
	v.rates[1] = 50;
	v.rates[2] = 100;
	v.columns = 200;
	return v;
}

Test(unit_load_figures, live_lines)
{
	struct live_view v = live_example();
	char text[LIVE_ROOM];

	live_text(&v, text);
	cr_assert(
		strstr(text, "3.2 s") && strstr(text, "40,123/s") && strstr(text, "128,402 jobs"));
	cr_assert(strstr(text, "143 us p99") && strstr(text, "p50 21.0 us"));
	cr_assert(strstr(text, "#####oo.  8 workers: 5 busy, 2 idle, 1 starting"));
	cr_assert(strstr(text, "_-#"), "the sparkline of rates: %s", text);
	cr_assert_null(strchr(text, '\033'), "no colour was asked for");
	cr_assert_null(strstr(text, "died"));
	v.died = 3;
	v.colour = v.utf8 = true;
	live_text(&v, text);
	cr_assert(strstr(text, "3 died") && strchr(text, '\033') &&
		strstr(text, "\u2581\u2584\u2588"));
}

/* Columns without escapes and without the further bytes of UTF-8. */
static unsigned columns_of(const char *line, const char *end)
{
	unsigned columns = 0;

	for (; line < end; line++) {
		if (*line == '\033')
			while (*line != 'm')
				line++;
		else if (((unsigned char)*line & 0xc0) != 0x80)
			columns++;
	}
	return columns;
}

Test(unit_load_figures, live_lines_never_wrap)
{
	struct live_view v = live_example();
	char text[LIVE_ROOM];

	v.died = v.killed = UINT64_MAX;
	v.queued = v.workers = v.busy = UINT32_MAX;
	v.rate = 1e18;
	v.verdicts = v.out = UINT64_MAX;
	v.seconds = 1e9;
	v.history = LIVE_HISTORY;
	v.colour = v.utf8 = true;
	for (v.columns = 1; v.columns < 250; v.columns++) {
		const char *at = text;

		live_text(&v, text);
		for (unsigned line = 1; line <= LIVE_LINES; line++) {
			const char *end = strchr(at, '\n');

			cr_assert((end == NULL) == (line == LIVE_LINES));
			end = end ? end : at + strlen(at);
			cr_assert_leq(columns_of(at, end), v.columns);
			at = end + 1;
		}
	}
}

/* ---- hdr.c ----------------------------------------------------------------------------------- */

Test(unit_load_figures, hdr_text)
{
	struct histogram *h = histogram_init(malloc(histogram_size()));
	char *text = NULL, *line;
	double before = -1, last = 0;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	unsigned lines = 0;

	for (uint64_t us = 1; us <= 1000; us++)
		histogram_add(h, us * 1000);
	cr_assert_eq(hdr_write(h, file), 0);
	fclose(file);
	line = strchr(text, '\n') + 2;
	for (; *line != '#'; line = strchr(line, '\n') + 1, lines++) {
		double value, share, odds = 0;
		unsigned long long count;
		int n = sscanf(line, "%lf %lf %llu %lf", &value, &share, &count, &odds);

		cr_assert(n == 4 || (n == 3 && share == 1));
		cr_assert(share > before && value >= last);
		cr_assert((double)count >= share * 1000 - 1e-6);
		cr_assert(fabs(value - (double)count) <= 1.5, "%g at %llu", value, count);
		before = share;
		last = value;
	}
	cr_assert(before == 1 && last == 1000 && lines > 25);
	cr_assert(strstr(text, "Total count    =         1000]"));
	cr_assert(fabs(hdr_moments(h).mean - 500500) < 500);
	cr_assert(fabs(hdr_moments(h).deviation - 288675) < 500);
	free(text);
	free(h);
}

Test(unit_load_figures, hdr_text_of_nothing)
{
	struct histogram *h = histogram_init(malloc(histogram_size()));
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	cr_assert_eq(hdr_write(h, file), 0);
	fclose(file);
	cr_assert(strstr(text, "Total count    =            0]"));
	cr_assert_null(strstr(text, "nan"));
	free(text);
	free(h);
}
