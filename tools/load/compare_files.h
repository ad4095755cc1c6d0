/* SPDX-License-Identifier: MIT */
/*
 * compare_files.h - `brood-load compare A.json B.json`: two runs that were written down, with
 * intervals. A plain verdict says what they show, and what they do not.
 */
#ifndef BROOD_LOAD_COMPARE_FILES_H
#define BROOD_LOAD_COMPARE_FILES_H

#include "histogram.h"
#include "json_read.h"
#include "stats.h"

#include <stdio.h>

#define RUN_BATCHES_MAX 256

enum run_figure { RUN_RATE, RUN_P50, RUN_P90, RUN_P99, RUN_P999 };
#define RUN_FIGURES 5

struct run_file {
	const char *name; /* of the file */
	char *text;
	struct json_doc doc;
	struct histogram *latency; /* of all kinds of jobs together */
	unsigned batches;
	double batch[RUN_FIGURES][RUN_BATCHES_MAX]; /* a second; ns */
	double whole[RUN_FIGURES];                  /* the figures of the whole run */
};
/*
 * run_file.c: reads a file of --json. 0; or -errno, after a message that says what is wrong. The
 * file may be hostile.
 */
int run_file_read(const char *name, struct run_file *ret);
void run_file_free(struct run_file *run);

struct figure_name {
	const char *word;  /* "p99" */
	const char *title; /* "p99" as a sentence says it */
	bool is_time;
};
extern const struct figure_name run_figures[RUN_FIGURES];

struct pair { /* two runs and what their batches say */
	struct run_file a, b;
	struct stats_ratio ratio[RUN_FIGURES];
};
/*
 * "B's p99 is 12 % [8, 15] higher", or that the runs show no difference. Returns -1: lower, 1:
 * higher, 0: neither.
 */
int compare_files_sentence(
	const struct stats_ratio *ratio, const char *title, char *ret, size_t size);
/* Writes a value of the JSON for a person: one line, and nothing that a terminal obeys. */
void compare_files_value(const struct json_value *value, char *ret, size_t size);
/*
 * Calls say for each setting in which the runs differ; a or b is NULL where one has no such
 * setting.
 */
typedef void compare_files_fn(void *context, const struct json_value *key,
	const struct json_value *a, const struct json_value *b);
void compare_files_differ(const struct pair *pair, compare_files_fn *say, void *context);

/* The command. argv[0] is "compare". Returns the exit code. */
int compare_files_main(int argc, char **argv);

/* html_compare.c: 0 or -errno */
int html_compare(const struct pair *pair, FILE *file);

#endif
