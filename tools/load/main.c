/* main.c - options, the run, the report. See load.h for who does what. */
#include "load.h"

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
		fprintf(stderr, "brood-load: --json %s: %s\nTry: brood-load --help\n", o->json, strerror(errno));
	return *ret != NULL;
}

int main(int argc, char **argv)
{
	static struct findings findings;
	struct options options;
	FILE *json;
	int r = options_parse(argc, argv, &options);

	if (r)
		return r > 0 ? 0 : 2;
	if (!open_json(&options, &json))
		return 2;
	r = judge_run(&options, &findings);
	if (r == 2)
		return 2;
	if (!options.quiet)
		report_table(&findings, json == stdout ? stderr : stdout);
	fflush(stdout);
	report_breaches(&findings, stderr);
	if (json && json_write(&findings, json) < 0) {
		fprintf(stderr, "brood-load: --json %s: could not be written\n", options.json);
		return 2;
	}
	if (json && json != stdout && fclose(json)) {
		fprintf(stderr, "brood-load: --json %s: %s\n", options.json, strerror(errno));
		return 2;
	}
	return r;
}
