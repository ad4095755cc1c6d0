/* SPDX-License-Identifier: MIT */
/*
 * rates.h - what a run says about its pace: the rate that was intended and the one that came of it,
 * late and unsent jobs, both kinds of latency, and the conditions of --fail-if.
 */
#ifndef BROOD_LOAD_RATES_H
#define BROOD_LOAD_RATES_H

#include "load.h"

struct rates {
	double measured_s; /* without the warm-up, and until the end of the time */
	double intended;   /* jobs a second; 0: a closed loop */
	double achieved;   /* verdicts a second */
	uint64_t planned;  /* sent and unsent jobs */
	struct pacer_count count;
};

void rates_of(const struct findings *f, struct rates *ret);
double rates_achieved(const struct findings *f);
/* Like findings_latency(), from the real send. */
struct histogram *rates_raw(const struct findings *f);

/* One condition, held against a run. */
struct rates_verdict {
	bool there; /* the run has such a figure */
	double figure;
	bool is_true;
};
struct rates_verdict rates_judge(const struct findings *f, const struct threshold *t);
/* Names each condition of --fail-if that is true. Returns how many. */
unsigned rates_failed(const struct findings *f, FILE *file);

void rates_head(const struct options *o, FILE *file); /* "open loop: 1000 jobs a second" */
void rates_table(const struct findings *f, FILE *file);
/* "pace", "latency_raw_us", "thresholds" and "find_max" */
void rates_json(const struct findings *f, FILE *file);

#endif
