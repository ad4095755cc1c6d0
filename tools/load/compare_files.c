/* SPDX-License-Identifier: MIT */
/* compare_files.c - see compare_files.h. */
#include "compare_files.h"
#include "figure.h"
#include "options_text.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <string.h>

const struct figure_name run_figures[RUN_FIGURES] = { { "jobs/s", "rate", false },
	{ "p50", "p50", true }, { "p90", "p90", true }, { "p99", "p99", true },
	{ "p99.9", "p99.9", true } };

/* ---- words ----------------------------------------------------------------------------------- */

static double percent(double ratio) { return (ratio - 1) * 100; }

/* With one digit after the point where this says something. */
static int digits(double percents) { return fabs(percents) < 10 ? 1 : 0; }

int compare_files_sentence(
	const struct stats_ratio *ratio, const char *title, char *ret, size_t size)
{
	double change = percent(ratio->ratio), low = percent(ratio->low),
	       high = percent(ratio->high);
	int sign = ratio->ratio > 1 ? 1 : -1;

	if (!ratio->sure) {
		snprintf(ret, size,
			"%s: too few batches for an interval: run for longer (B to A: %+.1f %%)",
			title, change);
		return 0;
	}
	if (ratio->low <= 1 && ratio->high >= 1) {
		snprintf(ret, size, "%s: these runs show no difference: %+.*f %% [%+.*f, %+.*f]",
			title, digits(change), change, digits(change), low, digits(change), high);
		return 0;
	}
	/* "12 % [8, 15] lower" has its bounds in order of size, too */
	if (sign < 0) {
		double swap = low;

		low = -high;
		high = -swap;
	}
	snprintf(ret, size, "B's %s is %.*f %% [%.*f, %.*f] %s", title, digits(change),
		fabs(change), digits(change), low, digits(change), high,
		sign > 0 ? "higher" : "lower");
	return sign;
}

void compare_files_value(const struct json_value *value, char *ret, size_t size)
{
	size_t at = 0;

	for (size_t i = 0; value && i < value->size && at + 1 < size; i++) {
		char c = value->text[i];

		if (c == '\n' || c == '\t' || c == '\r')
			c = ' ';
		if (c == ' ' && at && ret[at - 1] == ' ')
			continue;
		ret[at++] = c >= 0x20 && c < 0x7f ? c : '?';
	}
	if (!value)
		at = (size_t)snprintf(ret, size, "-");
	ret[at] = 0;
}

/* ---- settings in which they differ ----------------------------------------------------------- */

static const struct json_value *find_key(
	const struct json_doc *doc, const struct json_value *in, const struct json_value *key)
{
	const struct json_value *one = json_first(doc, in);

	while (one &&
		(one->key_size != key->key_size || memcmp(one->key, key->key, key->key_size) != 0))
		one = json_next(doc, one);
	return one;
}

static bool is_setting(const struct json_value *value)
{
	static const char *const told[] = { "seed", "when", "load_before" };

	for (unsigned i = 0; i < sizeof told / sizeof told[0]; i++) {
		if (strlen(told[i]) == value->key_size &&
			memcmp(told[i], value->key, value->key_size) == 0)
			return false;
	}
	return true;
}

static void differ(const struct pair *pair, const char *group, compare_files_fn *say, void *context)
{
	const struct json_doc *of_a = &pair->a.doc, *of_b = &pair->b.doc;
	const struct json_value *in_a = json_find(of_a, NULL, group);
	const struct json_value *in_b = json_find(of_b, NULL, group), *a, *b;

	for (a = json_first(of_a, in_a); a && a->key; a = json_next(of_a, a)) {
		b = find_key(of_b, in_b, a);
		if (is_setting(a) &&
			(!b || a->size != b->size || memcmp(a->text, b->text, a->size) != 0))
			say(context, a, a, b);
	}
	for (b = json_first(of_b, in_b); b && b->key; b = json_next(of_b, b)) {
		if (is_setting(b) && !find_key(of_a, in_a, b))
			say(context, b, NULL, b);
	}
}

void compare_files_differ(const struct pair *pair, compare_files_fn *say, void *context)
{
	differ(pair, "config", say, context);
	differ(pair, "machine", say, context);
}

/* ---- the table ------------------------------------------------------------------------------- */

struct differences {
	FILE *file;
	unsigned count;
};

static void print_difference(void *context, const struct json_value *key,
	const struct json_value *a, const struct json_value *b)
{
	struct json_value name = { .text = key->key, .size = key->key_size };
	char words[3][120];
	struct differences *d = context;

	compare_files_value(&name, words[0], sizeof words[0]);
	compare_files_value(a, words[1], sizeof words[1]);
	compare_files_value(b, words[2], sizeof words[2]);
	if (!d->count++)
		fputs("They differ in more than their figures:\n", d->file);
	fprintf(d->file, "  %-18s A %s, B %s\n", words[0], words[1], words[2]);
}

static struct figure shown(unsigned figure, double value)
{
	return run_figures[figure].is_time ? figure_time(value) : figure_count((uint64_t)value);
}

static void print(const struct pair *pair, FILE *file)
{
	struct differences differences = { file, 0 };
	char text[200];

	fprintf(file, "A  %s (%u batches)\nB  %s (%u batches)\n", pair->a.name, pair->a.batches,
		pair->b.name, pair->b.batches);
	compare_files_differ(pair, print_difference, &differences);
	fprintf(file, "\n  %-10s%14s %14s   %s\n", "whole run", "A", "B",
		"B to A, of batches, with the interval of 95 %");
	for (unsigned i = 0; i < RUN_FIGURES; i++) {
		const struct stats_ratio *r = &pair->ratio[i];

		fprintf(file, "  %-10s%14s %14s   %+.1f %%", run_figures[i].word,
			shown(i, pair->a.whole[i]).text, shown(i, pair->b.whole[i]).text,
			percent(r->ratio));
		if (r->sure)
			fprintf(file, " [%+.1f, %+.1f]\n", percent(r->low), percent(r->high));
		else
			fputs(" [?]\n", file);
	}
	fputc('\n', file);
	for (unsigned i = 0; i < RUN_FIGURES; i++) {
		compare_files_sentence(&pair->ratio[i], run_figures[i].title, text, sizeof text);
		fprintf(file, "%s\n", text);
	}
}

/* ---- the command ----------------------------------------------------------------------------- */

static const char help[] =
	"Usage: brood-load compare A.json B.json [--report FILE]\n"
	"Compares two runs that --json has written. Each run is cut into up to 30 parts; the "
	"interval\n"
	"of 95 % is Welch's, for the logarithms of the parts' figures.\n"
	"\n"
	"      --report FILE       writes a page of HTML that shows both runs\n"
	"  -h, --help\n"
	"\n"
	"Exit code: 0: compared; 2: wrong usage, or a file that cannot be read.\n";

static int write_page(const struct pair *pair, const char *name)
{
	FILE *file = fopen(name, "we");
	int r;

	if (!file) {
		fprintf(stderr, "brood-load: --report %s: %s\n", name, strerror(errno));
		return 2;
	}
	r = html_compare(pair, file);
	if (fclose(file) || r < 0) {
		fprintf(stderr, "brood-load: --report %s: could not be written\n", name);
		return 2;
	}
	return 0;
}

static int run(char **names, const char *report)
{
	static struct pair pair;
	int r = 2;

	if (run_file_read(names[0], &pair.a) == 0 && run_file_read(names[1], &pair.b) == 0) {
		for (unsigned i = 0; i < RUN_FIGURES; i++)
			pair.ratio[i] = stats_compare(
				pair.a.batch[i], pair.a.batches, pair.b.batch[i], pair.b.batches);
		print(&pair, stdout);
		r = report ? write_page(&pair, report) : 0;
	}
	run_file_free(&pair.a);
	run_file_free(&pair.b);
	return r;
}

int compare_files_main(int argc, char **argv)
{
	static const struct option longs[] = { { "report", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' }, { 0 } };
	const char *report = NULL;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
		switch (option) {
		case 'r': report = optarg; break;
		case 'h': fputs(help, stdout); return 0;
		case ':': options_wrong("%s wants a value", argv[optind - 1]); return 2;
		default: options_wrong("compare has no option %s", argv[optind - 1]); return 2;
		}
	}
	if (argc - optind != 2) {
		options_wrong("compare wants two files of --json, as in: brood-load compare "
			      "before.json after.json");
		return 2;
	}
	return run(argv + optind, report);
}
