/* SPDX-License-Identifier: MIT */
/* options_output.c - what the run tells. */
#include "load.h"
#include "options.h"
#include "options_text.h"

#include <stdio.h>
#include <string.h>

enum { OPT_SEED = OPTIONS_OUTPUT_FIRST, OPT_JSON, OPT_HDR, OPT_REPORT };

static const struct option longs[] = {
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "json", required_argument, NULL, OPT_JSON },
	{ "report", required_argument, NULL, OPT_REPORT },
	{ "hdr", required_argument, NULL, OPT_HDR },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
};

/* Standard output is for the table or the JSON. */
static int file_name(const char *option, const char *text, const char **ret)
{
	*ret = text;
	return *text && strcmp(text, "-") != 0
		? 0
		: options_wrong("%s wants the name of a file, not \"%s\"", option, text);
}

static int together(struct options *o)
{
	if (o->compare && (o->hdr || o->report))
		return options_wrong("--hdr and --report are for one run: they take no --compare");
	return 0;
}

static int take(int option, const char *text, struct options *o)
{
	switch (option) {
	case OPT_SEED: return options_whole("--seed", text, 0, UINT64_MAX, &o->seed);
	case OPT_JSON:
		o->json = text;
		return *text ? 0 : options_wrong("--json wants the name of a file, or -");
	case OPT_REPORT: return file_name("--report", text, &o->report);
	case OPT_HDR: return file_name("--hdr", text, &o->hdr);
	case 'q': o->quiet = true; return 0;
	case 'V': printf("brood-load %s\n", brood_version()); return 1;
	default: return OPTIONS_NOT_MINE;
	}
}

static const char help[] =
	"      --seed N            repeats the jobs, payloads and choice of victims of a run\n"
	"                          (default: a new seed, which is printed)\n"
	"      --json FILE|-       writes the results as JSON; with - the table goes to standard\n"
	"                          error\n"
	"      --report FILE       writes a page of HTML that shows the run: rate and latency "
	"over\n"
	"                          time, percentiles, verdicts, the pool, machine and settings\n"
	"      --hdr FILE          writes the latencies of all jobs as HdrHistogram's percentile\n"
	"                          text, in microseconds\n"
	"  -q, --quiet             no live display and no table; broken invariants are still "
	"named\n"
	"  -h, --help    -V, --version\n";

const struct options_part options_output = { longs, COUNT_OF(longs), take, together, help };
