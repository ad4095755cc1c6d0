/* SPDX-License-Identifier: MIT */
/* thresholds.c - see thresholds.h. */
#include "thresholds.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const threshold_names[THRESHOLD_COUNTS] = { "failed", "crashed", "exited",
	"timed_out", "cancelled", "refused", "lost", "errors", "late", "unsent", "unaccounted" };

static const char wants_form[] =
	"a figure, one of > >= < <=, and a limit, as in 'p99>5ms', 'refused>0', 'late>1%' or "
	"'rate<1000'";
static const char wants_figure[] =
	"one of the figures p0 to p100 (such as p50, p99 or p99.9), max, rate, failed, crashed, "
	"exited, timed_out, cancelled, refused, lost, errors, late, unsent, unaccounted";
static const char wants_time[] = "a time with its unit (ns, us, ms or s), as in 'p99>5ms'";
static const char wants_rate[] = "a number of jobs a second, as in 'rate<1000' or 'rate<20k'";
static const char wants_count[] =
	"a number of jobs, or their share of all jobs, as in 'late>0' or 'late>1%'";

/* ---- reading --------------------------------------------------------------------------------- */

static const char *threshold_blanks(const char *text) { return text + strspn(text, " \t"); }

static const char *threshold_number(const char *text, double *ret)
{
	char *end = NULL;

	if (!((*text >= '0' && *text <= '9') || *text == '.'))
		return NULL;
	if (*text == '0' && (text[1] == 'x' || text[1] == 'X'))
		return NULL; /* strtod() would read it */
	*ret = strtod(text, &end);
	return end != text && isfinite(*ret) ? end : NULL;
}

static bool threshold_quantile(const char *name, size_t size, struct threshold *t)
{
	const char *end = NULL;
	double value = 0;

	if (size > 1 && name[0] == 'p')
		end = threshold_number(name + 1, &value);
	if (!end || end != name + size || value > 100)
		return false;
	t->what = THRESHOLD_QUANTILE;
	t->quantile = value / 100;
	return true;
}

static bool threshold_name(const char *name, size_t size, struct threshold *t)
{
	if (threshold_quantile(name, size, t))
		return true;
	if (size == 3 && !memcmp(name, "max", 3)) {
		t->what = THRESHOLD_MAX;
		return true;
	}
	if (size == 4 && !memcmp(name, "rate", 4)) {
		t->what = THRESHOLD_RATE;
		return true;
	}
	for (unsigned i = 0; i < THRESHOLD_COUNTS; i++) {
		if (strlen(threshold_names[i]) == size && !memcmp(name, threshold_names[i], size)) {
			t->what = THRESHOLD_COUNT;
			t->count = (enum threshold_count)i;
			return true;
		}
	}
	return false;
}

static const char *threshold_unit_time(const char *unit, struct threshold *t)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = { { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 } };

	for (unsigned i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (!strcmp(unit, units[i].name)) {
			t->limit *= units[i].ns;
			return NULL;
		}
	}
	return wants_time;
}

static const char *threshold_unit_rate(const char *unit, struct threshold *t)
{
	if (*unit == 'k' || *unit == 'K' || *unit == 'M')
		t->limit *= *unit++ == 'M' ? 1e6 : 1e3;
	return *unit && strcmp(unit, "/s") ? wants_rate : NULL;
}

static const char *threshold_unit(const char *unit, struct threshold *t)
{
	if (t->what == THRESHOLD_QUANTILE || t->what == THRESHOLD_MAX)
		return threshold_unit_time(unit, t);
	if (t->what == THRESHOLD_RATE)
		return threshold_unit_rate(unit, t);
	t->share = !strcmp(unit, "%");
	return *unit && !t->share ? wants_count : NULL;
}

const char *thresholds_parse(const char *text, struct threshold *ret)
{
	struct threshold t = { .above = false };
	const char *name = threshold_blanks(text), *at = name + strcspn(name, " \t<>=");
	size_t size = (size_t)(at - name);
	const char *end, *wrong;

	if (strlen(text) >= sizeof t.text)
		return wants_form;
	memcpy(t.text, text, strlen(text) + 1);
	at = threshold_blanks(at);
	if (!size || (*at != '<' && *at != '>'))
		return wants_form;
	if (!threshold_name(name, size, &t))
		return wants_figure;
	t.above = *at++ == '>';
	if (*at == '=') {
		t.or_equal = true;
		at++;
	}
	end = threshold_number(threshold_blanks(at), &t.limit);
	if (!end)
		return wants_form;
	wrong = threshold_unit(threshold_blanks(end), &t);
	if (!wrong)
		*ret = t;
	return wrong;
}

/* ---- judging --------------------------------------------------------------------------------- */

bool thresholds_figure(
	const struct threshold *t, const struct threshold_figures *figures, double *ret)
{
	bool measured = figures->latency && histogram_count(figures->latency);
	uint64_t all;

	switch (t->what) {
	case THRESHOLD_QUANTILE:
		*ret = measured ? (double)histogram_quantile(figures->latency, t->quantile) : 0;
		return measured;
	case THRESHOLD_MAX:
		*ret = measured ? (double)histogram_max(figures->latency) : 0;
		return measured;
	case THRESHOLD_RATE: *ret = figures->rate; return true;
	case THRESHOLD_COUNT: break;
	}
	*ret = (double)figures->counts[t->count];
	all = t->count == THRESHOLD_LATE || t->count == THRESHOLD_UNSENT ? figures->planned
									 : figures->given;
	if (t->share)
		*ret = all ? *ret * 100 / (double)all : 0;
	return !t->share || all;
}

bool thresholds_true(const struct threshold *t, double figure)
{
	if (t->or_equal && !(figure < t->limit) && !(figure > t->limit))
		return true;
	return t->above ? figure > t->limit : figure < t->limit;
}

static void threshold_format_time(double ns, char *ret, size_t size)
{
	if (ns < 1e6)
		snprintf(ret, size, "%.1f us", ns / 1e3);
	else if (ns < 1e9)
		snprintf(ret, size, "%.2f ms", ns / 1e6);
	else
		snprintf(ret, size, "%.3f s", ns / 1e9);
}

void thresholds_format(const struct threshold *t, double figure, char *ret, size_t size)
{
	if (t->what == THRESHOLD_QUANTILE || t->what == THRESHOLD_MAX)
		threshold_format_time(figure, ret, size);
	else if (t->what == THRESHOLD_RATE)
		snprintf(ret, size, "%.1f/s", figure);
	else if (t->share)
		snprintf(ret, size, "%.3g %%", figure);
	else
		snprintf(ret, size, "%.0f", figure);
}
