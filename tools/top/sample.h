/* SPDX-License-Identifier: MIT */
/* sample.h - looks at a brood one after the other, and what has happened between them. */
#ifndef TOP_SAMPLE_H
#define TOP_SAMPLE_H

#include "look.h"
#include "report.h"

#define SAMPLE_REPORTS  16 /* the newest death reports */
#define SAMPLE_RECENT_S 60 /* recent deaths: so many seconds */

struct sample_pool {
	double jobs, deaths;                    /* a second, since the look before */
	double outcomes[BROOD_STATUS_OUTCOMES]; /* jobs a second */
	uint64_t queue_p50, queue_p99, run_p50, run_p99;
	uint64_t recent[BROOD_STATUS_CAUSES]; /* deaths of the last minute */
};
/* What was counted at a look before. */
struct sample_mark {
	uint64_t at_ns; /* 0: not yet */
	uint64_t jobs[BROOD_STATUS_OUTCOMES];
	uint64_t deaths[BROOD_STATUS_CAUSES];
};
struct sample_past;
struct samples {
	const struct status_page *page;
	struct look look; /* the last one */
	struct sample_pool *pool;
	struct sample_past *past; /* for each pool */
	struct report *report;    /* SAMPLE_REPORTS, the newest first */
	size_t reports;
	uint64_t newest; /* the number of the newest report of all */
};
/* Takes the first look. 0, or -ENOMEM. */
int samples_begin(struct samples *samples, const struct status_page *page);
/* Takes the next one. 0, or -ENOMEM: the former one stays. */
int samples_next(struct samples *samples);
void samples_end(struct samples *samples);

#endif
