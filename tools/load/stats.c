/* SPDX-License-Identifier: MIT */
/* stats.c - see stats.h. */
#include "stats.h"

#include <math.h>

/* ---- Student's t ----------------------------------------------------------------------------- */

/* The continued fraction of the incomplete beta function, by Lentz. */
static double beta_fraction(double a, double b, double x)
{
	double c = 1, d = 1 - (a + b) * x / (a + 1), h;

	d = 1 / (fabs(d) < 1e-300 ? 1e-300 : d);
	h = d;
	for (int m = 1; m <= 300; m++) {
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		double step;

		d = 1 / (1 + even * d);
		c = 1 + even / c;
		h *= d * c;
		d = 1 / (1 + odd * d);
		c = 1 + odd / c;
		step = d * c;
		h *= step;
		if (fabs(step - 1) < 1e-14)
			break;
	}
	return h;
}

/* The regularised incomplete beta function. */
static double beta(double a, double b, double x)
{
	double front;

	if (x <= 0 || x >= 1)
		return x > 0;
	front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(1 - x));
	if (x < (a + 1) / (a + b + 2))
		return front * beta_fraction(a, b, x) / a;
	return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

/* With which probability a Student's t lies between -t and t. */
static double student_inside(double t, double degrees)
{
	return 1 - beta(degrees / 2, 0.5, degrees / (degrees + t * t));
}

double stats_student(double p, double degrees)
{
	double low = 0, high = 1;

	while (high < 1e6 && student_inside(high, degrees) < p)
		high *= 2;
	for (int i = 0; i < 80; i++) {
		double middle = (low + high) / 2;

		if (student_inside(middle, degrees) < p)
			low = middle;
		else
			high = middle;
	}
	return high;
}

/* ---- ratios ---------------------------------------------------------------------------------- */

struct sample {
	unsigned count;
	double mean, error; /* error: the variance of the mean */
};

static struct sample sample_logs(const double *values, unsigned count)
{
	struct sample s = { 0 };
	double squares = 0;

	for (unsigned i = 0; i < count; i++) {
		double value, apart;

		if (!(values[i] > 0) || !isfinite(values[i]))
			continue;
		/* Welford: the sum of squares keeps its digits */
		value = log(values[i]);
		apart = value - s.mean;
		s.mean += apart / ++s.count;
		squares += apart * (value - s.mean);
	}
	if (s.count > 1)
		s.error = squares / (s.count - 1) / s.count;
	return s;
}

struct stats_ratio stats_compare(
	const double *a, unsigned a_count, const double *b, unsigned b_count)
{
	struct sample of_a = sample_logs(a, a_count), of_b = sample_logs(b, b_count);
	double apart = of_b.mean - of_a.mean, error = of_a.error + of_b.error, degrees, wide = 0;
	struct stats_ratio r = { .ratio = 1, .low = 1, .high = 1 };

	if (!of_a.count || !of_b.count)
		return r;
	r.ratio = r.low = r.high = exp(apart);
	r.sure = of_a.count >= STATS_LEAST && of_b.count >= STATS_LEAST;
	if (!r.sure)
		return r;
	if (error > 0) {
		degrees = error * error /
			(of_a.error * of_a.error / (of_a.count - 1) +
				of_b.error * of_b.error / (of_b.count - 1));
		wide = stats_student(0.95, degrees) * sqrt(error);
	}
	r.low = exp(apart - wide);
	r.high = exp(apart + wide);
	return r;
}
