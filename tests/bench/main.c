/* SPDX-License-Identifier: MIT */
/* main.c - the command line, and the run over all groups. bench.h lists the files. */
#include "peers.h"

#include <errno.h>
#include <fnmatch.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS       25u
#define BLOCK_MS     25u
#define MANY         5000u
#define QUICK_ROUNDS 2u
#define QUICK_MS     4u
#define QUICK_MANY   64u

static const char help[] =
	"Usage: brood-bench [OPTION]...\n"
	"Measures handoff, open, call and submit, each beside the least that the kernel takes\n"
	"for the same thing (its floor), in the same seconds. Then prints which bounds hold.\n"
	"Every reply is compared, every verdict checked.\n"
	"\n"
	"  -r, --rows PATTERN     only the rows (and their floors) whose name matches, as in\n"
	"                         'submit.w8.*'; * and ? and [..]\n"
	"  -n, --rounds N         rounds in which a group is measured; the figures are medians\n"
	"                         of the rounds (default: 25)\n"
	"  -b, --block MS         approximate time of one measurement (default: 25)\n"
	"  -p, --pinned-only      only with all processes on one CPU, where figures repeat\n"
	"  -u, --unpinned-only    only with the processes where the kernel puts them\n"
	"  -c, --cpu N            the CPU for pinned rows (default: the first allowed one)\n"
	"  -t, --cpu-time         in pinned rows, counts the CPU time of all processes instead of\n"
	"                         the time that passed: the same on a quiet machine, and still\n"
	"                         right on a machine that others use, too\n"
	"  -m, --many N           workers of many.all and of the crowd (default: 5000)\n"
	"      --peers            only this: the library beside what programs would take instead\n"
	"                         (plain workers in C, node, php-fpm, Python, a process for each\n"
	"                         job), those that are installed; and how the library's cost "
	"grows.\n"
	"                         Not pinned first\n"
	"      --markdown         prints the results of --peers as the README has them, too\n"
	"  -q, --quick            a smoke run in seconds, whose figures mean little\n"
	"      --check            exit status 1 if a bound is missed\n"
	"  -l, --list             lists the rows\n"
	"  -j, --json FILE|-      writes the results as JSON; with - the table goes to standard\n"
	"                         error\n"
	"  -h, --help    -V, --version\n"
	"\n"
	"Exit status: 0; 1: a bound was missed (--check); 2: wrong usage, or a wrong reply or\n"
	"verdict.\n";

static int wrong(const char *what, const char *text)
{
	fprintf(stderr, "brood-bench: %s%s%s%s\nTry: brood-bench --help\n", what,
		text ? ", not \"" : "", text ? text : "", text ? "\"" : "");
	return 2;
}

static bool whole(const char *text, uint32_t min, uint32_t max, uint32_t *ret)
{
	char *end = NULL;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || value < min || value > max)
		return false;
	*ret = (uint32_t)value;
	return true;
}

static int first_cpu(void)
{
	cpu_set_t set;

	if (!sched_getaffinity(0, sizeof set, &set)) {
		for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
			if (CPU_ISSET((size_t)cpu, &set))
				return cpu;
		}
	}
	return 0;
}

static void be_quick(struct settings *s)
{
	s->quick = true;
	s->rounds = QUICK_ROUNDS;
	s->block_ms = QUICK_MS;
	s->many = QUICK_MANY;
}

/* Returns -1 to go on, else the exit status. */
static int option(struct settings *s, int c, const char *text)
{
	uint32_t cpu = 0;

	switch (c) {
	case 'r': s->rows = text; return -1;
	case 'n':
		return whole(text, 1, ROUNDS_MAX, &s->rounds)
			? -1
			: wrong("--rounds wants a whole number from 1 to 99", text);
	case 'b':
		return whole(text, 1, 10000, &s->block_ms)
			? -1
			: wrong("--block wants milliseconds, 1 to 10000", text);
	case 'm':
		return whole(text, 1, 10000, &s->many)
			? -1
			: wrong("--many wants a whole number from 1 to 10000", text);
	case 'c':
		if (!whole(text, 0, CPU_SETSIZE - 1, &cpu))
			return wrong("--cpu wants the number of a CPU", text);
		s->cpu = (int)cpu;
		return -1;
	case 'p': s->modes[UNPINNED] = false; return -1;
	case 'u': s->modes[PINNED] = false; return -1;
	case 'q': be_quick(s); return -1;
	case 't': s->cpu_time = true; return -1;
	case 'k': s->check = true; return -1;
	case 'P': s->peers = true; return -1;
	case 'M': s->markdown = true; return -1;
	case 'l': s->list = true; return -1;
	case 'j': s->json = text; return -1;
	case 'h': fputs(help, stdout); return 0;
	case 'V': printf("brood-bench %s\n", brood_version()); return 0;
	default: return wrong("what is that?", NULL);
	}
}

static int parse(int argc, char **argv, struct settings *s)
{
	static const struct option options[] = { { "rows", required_argument, NULL, 'r' },
		{ "rounds", required_argument, NULL, 'n' },
		{ "block", required_argument, NULL, 'b' },
		{ "pinned-only", no_argument, NULL, 'p' },
		{ "unpinned-only", no_argument, NULL, 'u' },
		{ "cpu", required_argument, NULL, 'c' }, { "cpu-time", no_argument, NULL, 't' },
		{ "many", required_argument, NULL, 'm' }, { "quick", no_argument, NULL, 'q' },
		{ "peers", no_argument, NULL, 'P' }, { "markdown", no_argument, NULL, 'M' },
		{ "check", no_argument, NULL, 'k' }, { "list", no_argument, NULL, 'l' },
		{ "json", required_argument, NULL, 'j' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' }, { 0 } };
	int c, r = -1;

	*s = (struct settings){ .rounds = ROUNDS,
		.block_ms = BLOCK_MS,
		.many = MANY,
		.cpu = first_cpu(),
		.modes = { true, true } };
	while (r < 0 && (c = getopt_long(argc, argv, "r:n:b:puc:tm:qlj:hV", options, NULL)) >= 0)
		r = option(s, c, optarg);
	if (r >= 0)
		return r;
	if (optind < argc)
		return wrong("only options are taken", argv[optind]);
	if (s->markdown && !s->peers)
		return wrong("--markdown needs --peers", NULL);
	if (!s->modes[PINNED] && !s->modes[UNPINNED])
		return wrong("neither pinned nor unpinned leaves nothing", NULL);
	return -1;
}

/*
 * Marks the rows that match, and the rows that these are compared with. Returns the number of rows.
 */
static uint32_t choose(struct plan *plan, const char *pattern)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < plan->count; i++) {
		struct group *g = &plan->groups[i];

		for (uint32_t j = 0; j < g->rows_count; j++) {
			struct row *row = &g->rows[j];

			row->wanted = !pattern || !fnmatch(pattern, row->name, 0);
			if (!row->wanted)
				continue;
			count++;
			g->stands[row->of.stand].wanted = g->stands[row->floor.stand].wanted = true;
			for (uint32_t k = 0; k < g->bounds_count; k++) {
				if (g->bounds[k].row == j)
					g->stands[g->bounds[k].against.stand].wanted = true;
			}
		}
	}
	return count;
}

static bool group_wanted(const struct group *g, enum mode mode)
{
	for (uint32_t i = 0; i < g->rows_count; i++) {
		if (g->rows[i].wanted)
			return g->modes & ONLY(mode);
	}
	return false;
}

/* Prints one line for each row: its modes, its name, its description. */
static void list(const struct plan *plan)
{
	for (uint32_t i = 0; i < plan->count; i++) {
		const struct group *g = &plan->groups[i];

		for (uint32_t j = 0; j < g->rows_count; j++) {
			if (g->rows[j].wanted)
				printf("%-15s %-20s %s\n",
					g->modes == BOTH                  ? "pinned,unpinned"
						: g->modes & ONLY(PINNED) ? "pinned"
									  : "unpinned",
					g->rows[j].name, g->rows[j].what);
		}
	}
}

static bool measure(FILE *file, struct plan *plan, const struct settings *settings)
{
	bool failed = false;

	table_machine(file, settings);
	for (int m = 0; m < MODES; m++) {
		int mode = settings->peers ? MODES - 1 - m : m;

		if (!settings->modes[mode])
			continue;
		table_mode(file, (enum mode)mode, settings);
		for (uint32_t i = 0; i < plan->count; i++) {
			struct group *g = &plan->groups[i];

			if (!group_wanted(g, (enum mode)mode))
				continue;
			failed = group_run(g, (enum mode)mode, settings) < 0 || failed;
			table_group(file, g, (enum mode)mode);
		}
	}
	return failed;
}

static int run(struct plan *plan, const struct settings *settings)
{
	FILE *json = NULL, *table = stdout;
	uint32_t missed;
	bool failed;

	if (settings->json && !strcmp(settings->json, "-")) {
		json = stdout;
		table = stderr;
	} else if (settings->json) {
		json = fopen(settings->json, "we");
		if (!json) {
			fprintf(stderr, "brood-bench: --json %s: %s\n", settings->json,
				strerror(errno));
			return 2;
		}
	}
	failed = measure(table, plan, settings);
	missed = settings->peers ? 0 : table_bounds(table, plan, settings);
	if (settings->markdown)
		markdown_write(table, plan, settings);
	if (json && (json_write(json, plan, settings) < 0 || (json != stdout && fclose(json)))) {
		fprintf(stderr, "brood-bench: --json %s: could not be written\n", settings->json);
		return 2;
	}
	if (failed)
		fprintf(stderr, "brood-bench: something that was measured failed: see the notes\n");
	return failed ? 2 : settings->check && missed ? 1 : 0;
}

int main(int argc, char **argv)
{
	static struct plan plan;
	struct settings settings;
	int r;

	if (argc == 2 && !strcmp(argv[1], "--spawned"))
		return spawned_echo();
	r = parse(argc, argv, &settings);
	if (r >= 0)
		return r;
	signal(SIGPIPE, SIG_IGN); /* a dead station is noticed in another way */
	plan_make(&plan, &settings);
	if (!choose(&plan, settings.rows))
		return wrong("--rows wants the name of a row (--list)", settings.rows);
	if (settings.list) {
		list(&plan);
		return 0;
	}
	return run(&plan, &settings);
}
