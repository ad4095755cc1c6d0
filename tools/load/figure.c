/* SPDX-License-Identifier: MIT */
/* figure.c - see figure.h. */
#include "figure.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Three digits that count, and none after the point from 100 on. */
static struct figure scaled(double value, const char *unit)
{
	struct figure f;
	int digits = value >= 99.95 ? 0 : value >= 9.995 ? 1 : value > 0 ? 2 : 0;

	snprintf(f.text, sizeof f.text, "%.*f%s%s", digits, value, *unit ? " " : "", unit);
	return f;
}

static struct figure by_unit(double value, double step, const char *const *units, unsigned count)
{
	unsigned i = 0;

	/* 999.6 would be printed as 1000 */
	for (; i + 1 < count && value >= step * 0.9995; i++)
		value /= step;
	return scaled(value, units[i]);
}

struct figure figure_time(double ns)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };

	if (ns < 999.5) {
		struct figure f;

		snprintf(f.text, sizeof f.text, "%.0f ns", ns > 0 ? ns : 0);
		return f;
	}
	return by_unit(ns, 1000, units, 4);
}

struct figure figure_short(double value)
{
	static const char *const units[] = { "", "k", "M", "G", "T" };

	if (value < 999.5 && value == floor(value)) {
		struct figure f;

		snprintf(f.text, sizeof f.text, "%.0f", value);
		return f;
	}
	return by_unit(value, 1000, units, 5);
}

struct figure figure_bytes(double bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };

	if (bytes < 1024) {
		struct figure f;

		snprintf(f.text, sizeof f.text, "%.0f B", bytes);
		return f;
	}
	return by_unit(bytes / 1024, 1024, units, 4);
}

struct figure figure_round(struct figure f)
{
	size_t digits = strspn(f.text, "0123456789."), kept = digits;

	if (!memchr(f.text, '.', digits))
		return f;
	while (kept && f.text[kept - 1] == '0')
		kept--;
	kept -= kept && f.text[kept - 1] == '.';
	memmove(f.text + kept, f.text + digits, strlen(f.text + digits) + 1);
	return f;
}

struct figure figure_count(uint64_t count)
{
	char digits[24];
	struct figure f;
	size_t length, at = 0;

	snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
	length = strlen(digits);
	for (size_t i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			f.text[at++] = ',';
		f.text[at++] = digits[i];
	}
	f.text[at] = 0;
	return f;
}

double figure_step(double to, unsigned marks)
{
	double rough, power, step;

	if (!(to > 0) || !isfinite(to) || !marks)
		return 1;
	rough = to / marks;
	power = pow(10, floor(log10(rough)));
	step = rough <= power        ? power
		: rough <= 2 * power ? 2 * power
		: rough <= 5 * power ? 5 * power
				     : 10 * power;
	/* Near the least and the largest double there is no such number. */
	return step > 0 && isfinite(step) ? step : 1;
}
