/* SPDX-License-Identifier: MIT */
/*
 * html_curve.c - latency by percentile. The axis gives each further nine the same room: the slowest
 * job in ten, in a hundred and in a thousand are equally far apart.
 */
#include "html.h"

#include <math.h>

#define POINTS  240
#define FASTEST 3 /* points that are left out at the left */

/* So many nines that ten jobs are still slower. */
static double last_nine(const struct html_curve *curves, unsigned count)
{
	uint64_t most = 0;
	double nines;

	for (unsigned i = 0; i < count; i++) {
		if (histogram_count(curves[i].histogram) > most)
			most = histogram_count(curves[i].histogram);
	}
	nines = most > 10 ? log10((double)most / 10) : 1;
	return nines < 1 ? 1 : nines > 7 ? 7 : nines;
}

void html_curves(FILE *file, const struct html_curve *curves, unsigned count)
{
	static double x[POINTS], y[HTML_CURVES][POINTS];
	struct html_line lines[HTML_CURVES];
	struct html_chart chart = { .title = "Latency by percentile",
		.unit = UNIT_TIME,
		.log = true,
		.nines = true,
		.rows = 21,
		.x = x,
		.count = POINTS,
		.lines = lines,
		.lines_count = count };

	chart.x_to = last_nine(curves, count);
	for (unsigned i = 0; i < POINTS; i++)
		x[i] = chart.x_to * i / (POINTS - 1);
	for (unsigned l = 0; l < count; l++) {
		double there = (double)histogram_count(curves[l].histogram);

		for (unsigned i = 0; i < POINTS; i++)
			y[l][i] = there > 0 && pow(10, x[i]) <= there
				? (double)histogram_quantile(
					  curves[l].histogram, 1 - pow(10, -x[i]))
				: NAN;
		lines[l] = (struct html_line){ .name = curves[l].name,
			.style = curves[l].style,
			.y = y[l],
			.dashed = curves[l].dashed };
	}
	/* The fastest jobs would take half of the drawing: their line begins a little later. */
	chart.x += FASTEST;
	chart.count -= FASTEST;
	for (unsigned l = 0; l < count; l++)
		lines[l].y += FASTEST;
	html_fit(&chart);
	html_chart(file, &chart);
}
