/* SPDX-License-Identifier: MIT */
/* draw_deaths.c - the last deaths of workers, a line for each: when, who, why, and where. */
#include "draw.h"
#include "words.h"

#include "../../src/wire/report_text.h"

#include <stdio.h>
#include <string.h>

#define FRAMES_SHOWN 3

/* "3.2 s ago  job 17 upper, worker 3 (pid 47): crashed, SIGSEGV; in parse < upper; stderr: ..." */
static void draw_death(struct canvas *canvas, const struct report *r, uint64_t now_ns)
{
	char age[WORDS_MAX], head[512], last[BROOD_REPORT_TEXT];
	const struct brood_report *report = &r->report;

	words_time_short(age, now_ns > r->at_ns ? now_ns - r->at_ns : 0);
	canvas_field(canvas, INK_DIM, -7, age);
	canvas_put(canvas, INK_DIM, " ago ");
	report_text_head(report, head, sizeof head);
	canvas_put(canvas, report->cause == BROOD_REPORT_SLOW ? INK_WARN : INK_BAD, "%s", head);
	for (uint32_t i = 0; i < report->frames_count && i < FRAMES_SHOWN; i++) {
		const struct brood_report_frame *f = &report->frames[i];

		canvas_put(canvas, INK_PLAIN, "%s%s", i == 0 ? "; in " : " < ",
			f->function[0]         ? f->function
				: f->module[0] ? f->module
					       : "?");
	}
	if (report_text_last_line(report, last, sizeof last) > 0)
		canvas_put(canvas, INK_DIM, "; stderr: %s", last);
	canvas_end_line(canvas, INK_PLAIN);
}

void draw_deaths(struct canvas *canvas, const struct samples *samples, int pool, unsigned room)
{
	for (size_t i = 0; i < samples->reports && room > 0; i++) {
		if (pool >= 0 && (uint32_t)pool != samples->report[i].pool)
			continue;
		draw_death(canvas, &samples->report[i], samples->look.now_ns);
		room--;
	}
}
