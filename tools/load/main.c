/* SPDX-License-Identifier: MIT */
/* main.c - options, the run, the reports. See load.h for who does what. */
#include "compare_files.h"
#include "find_run.h"
#include "findings.h"
#include "hdr.h"
#include "html_report.h"
#include "log.h"
#include "peer.h"
#include "rates.h"
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_THRESHOLD 3 /* a condition of --fail-if is true, or --find-max found no rate */

/*
 * The files of the results. They are opened before the run: a wrong name costs no minutes. NULL:
 * not asked for.
 */
struct outputs {
	FILE *json, *hdr, *report;
};

static bool open_one(const char *option, const char *name, FILE **ret)
{
	*ret = NULL;
	if (!name)
		return true;
	*ret = strcmp(name, "-") ? fopen(name, "we") : stdout;
	if (!*ret)
		fprintf(stderr, "brood-load: %s %s: %s\nTry: brood-load --help\n", option, name,
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

/* Returns 0, or 2 when the log is not whole. */
static int close_log(const struct options *o)
{
	int r = log_close();

	if (r)
		fprintf(stderr, "brood-load: --log %s: %s\n", o->log, strerror(-r));
	return r ? 2 : 0;
}

/* Returns 0, or 2 when the file is not whole. */
static int close_one(const char *option, const char *name, FILE *file, int written)
{
	if (written < 0) {
		fprintf(stderr, "brood-load: %s %s: could not be written\n", option, name);
		return 2;
	}
	if (file && file != stdout && fclose(file)) {
		fprintf(stderr, "brood-load: %s %s: %s\n", option, name, strerror(errno));
		return 2;
	}
	return 0;
}

static bool open_outputs(const struct options *o, struct outputs *ret)
{
	return open_one("--json", o->json, &ret->json) && open_one("--hdr", o->hdr, &ret->hdr) &&
		open_one("--report", o->report, &ret->report);
}

static int write_hdr(const struct findings *f, FILE *file)
{
	struct histogram *all = findings_latency(f);
	int r = all ? hdr_write(all, file) : -ENOMEM;

	free(all);
	return r;
}

static int run(const struct options *o, const struct about *about, const struct outputs *out)
{
	static struct findings findings;
	FILE *table = o->quiet ? NULL : out->json == stdout ? stderr : stdout;
	int r = o->pacing.find_max.count ? find_run(o, &findings, table) : judge_run(o, &findings);
	int written = close_log(o);

	if (r == 2)
		return 2;
	if (table)
		report_table(&findings, table);
	fflush(stdout);
	report_breaches(&findings, NULL, stderr);
	if (rates_failed(&findings, stderr) && r == 0)
		r = EXIT_THRESHOLD;
	written |= close_one("--json", o->json, out->json,
		out->json ? json_write(&findings, about, out->json) : 0);
	written |= close_one("--report", o->report, out->report,
		out->report ? html_report(&findings, about, out->report) : 0);
	written |= close_one(
		"--hdr", o->hdr, out->hdr, out->hdr ? write_hdr(&findings, out->hdr) : 0);
	return written ? written : r;
}

static int compare(const struct options *o, const struct about *about, const struct outputs *out)
{
	static struct comparison all[COMPARED_MAX];
	unsigned count = 0;
	int r = compare_run(o, all, &count), written;

	if (r == 2)
		return 2;
	if (!o->quiet)
		report_comparison(all, count, out->json == stdout ? stderr : stdout);
	fflush(stdout);
	for (unsigned i = 0; i < count; i++)
		report_breaches(&all[i].findings, all[i].name, stderr);
	written = close_one("--json", o->json, out->json,
		out->json ? json_write_comparison(all, count, about, out->json) : 0);
	return written ? written : r;
}

int main(int argc, char **argv)
{
	struct outputs out = { 0 };
	struct options options;
	struct about about;
	int r;

	if (argc > 1 && !strcmp(argv[1], PEER_CHILD))
		return peer_spawn_main(argc, argv);
	if (argc > 1 && strcmp(argv[1], "compare") == 0)
		return compare_files_main(argc - 1, argv + 1);
	r = options_parse(argc, argv, &options);
	if (r)
		return r > 0 ? 0 : 2;
	findings_about(argc, argv, &about);
	if (!open_outputs(&options, &out) || !open_log(&options))
		return 2;
	return options.compare ? compare(&options, &about, &out) : run(&options, &about, &out);
}
