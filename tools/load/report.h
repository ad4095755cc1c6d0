/* SPDX-License-Identifier: MIT */
/* report.h - what a run tells: the table, the broken invariants, the JSON; and --compare. */
#ifndef BROOD_LOAD_REPORT_H
#define BROOD_LOAD_REPORT_H

#include "load.h"

struct about;
struct comparison;
void report_table(const struct findings *f, FILE *file);
/* of: the run's name; NULL: there is only one run. */
void report_breaches(const struct findings *f, const char *of, FILE *file);
void report_comparison(const struct comparison *all, unsigned count, FILE *file);
/* These return 0 or -errno. */
int json_write(const struct findings *f, const struct about *about, FILE *file);
int json_write_comparison(
	const struct comparison *all, unsigned count, const struct about *about, FILE *file);
/* json_series.c: the run over time, and all buckets of the latencies */
void json_put_series(FILE *file, const struct findings *f);
void json_put_batches(FILE *file, const struct findings *f);
void json_put_histograms(FILE *file, const struct findings *f);
/* ---- compare.c: the same load in several ways, one after the other --------------------------- */

#define COMPARED_MAX 4

struct comparison {
	const char *name;
	struct options options;
	struct findings findings;
	struct histogram *latency; /* of all kinds together; NULL: there is none */
	double rate, to_fork;      /* to_fork < 0: not known */
};
/* Returns like judge_run(), for the worst run; *ret_count: how many runs there were. */
int compare_run(const struct options *o, struct comparison *all, unsigned *ret_count);

#endif
