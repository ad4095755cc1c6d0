/* SPDX-License-Identifier: MIT */
/*
 * options.c - the command line, put together from its parts. After a wrong option the program says
 * what was wrong and what would be right, and exits with code 2.
 */
#include "options.h"
#include "load.h"
#include "options_text.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define DEADLINE_DEFAULT_MS 60000u
#define DEADLINE_STUCK_MS   1000u  /* where only a deadline ends some jobs of the mix */
#define QUEUE_MS            10000u /* the library's default */
#define ROOM_NS             (10 * NS_S)
#define LONGS_MAX           128

/* In the order of the help. The checks come in this order, too. */
static const struct options_part *const parts[] = { &options_give, &options_jobs, &options_pace,
	&options_chaos, &options_peer, &options_output };

static const char help_begin[] =
	"Usage: brood-load OPTION...\n"
	"       brood-load compare A.json B.json [--report FILE]\n"
	"\n"
	"Load 8 workers as fast as they can; find the rate at which 99 of 100 jobs end in 5 ms:\n"
	"  brood-load -d 10\n"
	"  brood-load --find-max 'p99<5ms' --mix spin=1ms\n"
	"Give 2000 jobs a second, however slow the pool is, and write a page that shows the run:\n"
	"  brood-load --rate 2000 -d 30 --report run.html\n"
	"Break it with crashes, 50 killed workers a second, and a reload each second:\n"
	"  brood-load -d 10 --mix echo=99.9,crash=0.1 --chaos 'kill 50/s; reload every 1s'\n"
	"Compare two runs, and say how sure it is that they differ:\n"
	"  brood-load --rate 2000 -w 8 --json a.json; brood-load --rate 2000 -w 4 --json b.json\n"
	"  brood-load compare a.json b.json --report ab.html\n"
	"\n"
	"Loads a pool of workers, breaks it on purpose, and judges: each job has one verdict,\n"
	"replies are intact, the pool is full again, nothing is left.\n"
	"Without --rate, --ramp, --steps or --find-max the load is a closed loop: each caller\n"
	"gives its next job when it has the last verdict.\n"
	"\n";

static const char help_end[] =
	"\n"
	"Exit code: 0: all invariants held; 1: one broke, and is named; 2: wrong usage, or the\n"
	"pool could not start; 3: a condition of --fail-if is true, or --find-max found no rate.\n"
	"Without any option: this help on standard error, and 2. brood-sizing(7) sizes a pool.\n";

static void print_help(FILE *file)
{
	fputs(help_begin, file);
	for (unsigned i = 0; i < COUNT_OF(parts); i++)
		fputs(parts[i]->help, file);
	fputs(help_end, file);
}

unsigned options_pool_workers(const struct options *o, unsigned pool)
{
	return o->workers / o->pools + (pool < o->workers % o->pools);
}

void options_way(struct options *o, enum way way, uint32_t how)
{
	o->way = way;
	o->dispatch = how;
	o->threads = o->threads_asked ? o->threads_asked : way == WAY_SUBMIT ? 1 : 2;
	if (way == WAY_CALL || way == WAY_CONTROL || way == WAY_FPM || o->threads > o->concurrency)
		o->threads = o->concurrency;
}

static void collect_longs(struct option *ret)
{
	unsigned count = 0;

	for (unsigned i = 0; i < COUNT_OF(parts); i++) {
		memcpy(ret + count, parts[i]->longs, parts[i]->longs_count * sizeof *ret);
		count += parts[i]->longs_count;
	}
	memset(ret + count, 0, sizeof *ret);
}

static int take(int option, const char *text, struct options *o)
{
	switch (option) {
	case 'h': print_help(stdout); return 1;
	case ':': return options_wrong("%s wants a value", text);
	case '?': return options_wrong("there is no option %s", text);
	}
	for (unsigned i = 0; i < COUNT_OF(parts); i++) {
		int r = parts[i]->take(option, text, o);

		if (r != OPTIONS_NOT_MINE)
			return r;
	}
	return options_wrong("there is no option %s", text);
}

int options_parse(int argc, char **argv, struct options *ret)
{
	struct options o = { .workers = 8,
		.pools = 1,
		.concurrency = 64,
		.size_max = 64,
		.way = WAY_CALL,
		.pacing = { .warm_up_s = -1 },
		.kill_supervisor_at = -1,
		.idle_s = -1 };
	struct option longs[LONGS_MAX];
	int option, r;

	job_spec_begin(&o.spec);
	o.mix[KIND_ECHO] = 1;
	if (argc < 2) {
		print_help(stderr);
		return -EINVAL;
	}
	o.seed = payload_mix(load_now() ^ (uint64_t)getpid() << 40) >> 32;
	collect_longs(longs);
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":w:c:t:d:n:s:qhV", longs, NULL)) != -1) {
		const char *text = option == ':' || option == '?' ? argv[optind - 1] : optarg;

		r = take(option, text, &o);
		if (r)
			return r;
	}
	if (optind < argc)
		return options_wrong(
			"\"%s\" is no option, and there are no other arguments", argv[optind]);
	for (unsigned i = 0; i < COUNT_OF(parts); i++) {
		r = parts[i]->together ? parts[i]->together(&o) : 0;
		if (r)
			return r;
	}
	options_way(&o, o.way, o.dispatch);
	*ret = o;
	return 0;
}

unsigned options_run_ms(const struct options *o)
{
	if (o->deadline_ms)
		return o->deadline_ms;
	return job_spec_is_stuck(&o->spec) ? DEADLINE_STUCK_MS : DEADLINE_DEFAULT_MS;
}

uint64_t options_bound_ns(const struct options *o)
{
	return (QUEUE_MS + (uint64_t)options_run_ms(o)) * NS_MS + ROOM_NS;
}
