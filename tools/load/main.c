/* SPDX-License-Identifier: MIT */
/* main.c - options, the run, the report. See load.h for who does what. */
#include "load.h"
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool open_json(const struct options *o, FILE **ret)
{
	*ret = NULL;
	if (!o->json)
		return true;
	*ret = strcmp(o->json, "-") ? fopen(o->json, "we") : stdout;
	if (!*ret)
		fprintf(stderr, "brood-load: --json %s: %s\nTry: brood-load --help\n", o->json,
			strerror(errno));
	return *ret != NULL;
}

static bool open_log(const struct options *o)
{
	int r = o->log ? log_open(o->log, o->threads) : 0;

	if (r)
		fprintf(stderr, "brood-load: --log %s: %s\nTry: brood-load --help\n", o->log,
			strerror(-r));
	return !r;
}

/* Returns the exit code of a log that is not whole, or `result`. */
static int close_log(const struct options *o, int result)
{
	int r = log_close();

	if (r)
		fprintf(stderr, "brood-load: --log %s: %s\n", o->log, strerror(-r));
	return r ? 2 : result;
}

static int close_json(const struct options *o, FILE *json, int written)
{
	if (written < 0) {
		fprintf(stderr, "brood-load: --json %s: could not be written\n", o->json);
		return 2;
	}
	if (json && json != stdout && fclose(json)) {
		fprintf(stderr, "brood-load: --json %s: %s\n", o->json, strerror(errno));
		return 2;
	}
	return 0;
}

static int run(const struct options *o, FILE *json)
{
	static struct findings findings;
	int r = close_log(o, judge_run(o, &findings)), written;

	if (r == 2)
		return 2;
	if (!o->quiet)
		report_table(&findings, json == stdout ? stderr : stdout);
	fflush(stdout);
	report_breaches(&findings, NULL, stderr);
	written = close_json(o, json, json ? json_write(&findings, json) : 0);
	return written ? written : r;
}

static int compare(const struct options *o, FILE *json)
{
	static struct comparison all[COMPARED_MAX];
	unsigned count = 0;
	int r = compare_run(o, all, &count), written;

	if (r == 2)
		return 2;
	if (!o->quiet)
		report_comparison(all, count, json == stdout ? stderr : stdout);
	fflush(stdout);
	for (unsigned i = 0; i < count; i++)
		report_breaches(&all[i].findings, all[i].name, stderr);
	written = close_json(o, json, json ? json_write_comparison(o, all, count, json) : 0);
	return written ? written : r;
}

int main(int argc, char **argv)
{
	struct options options;
	FILE *json;
	int r = options_parse(argc, argv, &options);

	if (r)
		return r > 0 ? 0 : 2;
	if (!open_json(&options, &json) || !open_log(&options))
		return 2;
	return options.compare ? compare(&options, json) : run(&options, json);
}
