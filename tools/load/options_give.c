/* SPDX-License-Identifier: MIT */
/* options_give.c - the pool, how many jobs, and how they are given. */
#include "load.h"
#include "options.h"
#include "options_text.h"

#include <stdio.h>
#include <string.h>

static const char *const way_names[WAYS] = { "call", "open", "submit", "fork", "posix_spawn",
	"control", "fpm" };
static const char *const dispatch_names[] = { "auto", "handoff", "lease" };

const char *way_name(enum way way) { return way_names[way]; }

const char *dispatch_name(uint32_t dispatch) { return dispatch_names[dispatch]; }

static int call_way(const char *text, struct options *o)
{
	for (unsigned i = 0; i < WAYS; i++) {
		if (i < WAY_FORK && !strcmp(text, way_names[i])) {
			o->way = (enum way)i;
			return 0;
		}
	}
	return options_wrong("--call wants open, call or submit, not \"%s\"", text);
}

static int dispatch(const char *text, struct options *o)
{
	for (unsigned i = 0; i < COUNT_OF(dispatch_names); i++) {
		if (!strcmp(text, dispatch_names[i])) {
			o->dispatch = i;
			return 0;
		}
	}
	return options_wrong("--dispatch wants auto, handoff or lease, not \"%s\"", text);
}

enum { OPT_CALL = OPTIONS_GIVE_FIRST, OPT_DISPATCH, OPT_COMPARE, OPT_POOLS };

static const struct option longs[] = {
	{ "workers", required_argument, NULL, 'w' },
	{ "pools", required_argument, NULL, OPT_POOLS },
	{ "concurrency", required_argument, NULL, 'c' },
	{ "threads", required_argument, NULL, 't' },
	{ "duration", required_argument, NULL, 'd' },
	{ "jobs", required_argument, NULL, 'n' },
	{ "call", required_argument, NULL, OPT_CALL },
	{ "dispatch", required_argument, NULL, OPT_DISPATCH },
	{ "compare", no_argument, NULL, OPT_COMPARE },
};

static int take(int option, const char *text, struct options *o)
{
	switch (option) {
	case 'w': return options_unsigned("--workers", text, 1, 10000, &o->workers);
	case OPT_POOLS: return options_unsigned("--pools", text, 1, BROOD_POOLS_MAX, &o->pools);
	case 'c': return options_unsigned("--concurrency", text, 1, 10000, &o->concurrency);
	case 't': return options_unsigned("--threads", text, 1, 256, &o->threads_asked);
	case 'd': return options_real("--duration", text, 0.001, 1e6, &o->duration_s);
	case 'n': return options_whole("--jobs", text, 1, UINT64_MAX / 2, &o->jobs);
	case OPT_CALL: o->way_given = true; return call_way(text, o);
	case OPT_DISPATCH: o->dispatch_given = true; return dispatch(text, o);
	case OPT_COMPARE: o->compare = true; return 0;
	default: return OPTIONS_NOT_MINE;
	}
}

static int together(struct options *o)
{
	bool kills = options_kill(o);

	if (o->pools > o->workers)
		return options_wrong(
			"--pools %u needs a worker for each: there are %u", o->pools, o->workers);
	if (!o->compare)
		return 0;
	if (kills || o->idle_s >= 0 || o->reload_every_s > 0 || o->resize_ms || options_paced(o) ||
		o->control)
		return options_wrong("--compare is for load alone: it takes no --idle, --chaos, "
				     "--reload-every, --resize, --control, no --kill options, and "
				     "none of the open loop");
	if (o->way_given || o->dispatch_given)
		return options_wrong("--compare has its own ways to give jobs: it takes no --call "
				     "and no --dispatch");
	for (unsigned k = 0; k < KINDS; k++) {
		if (o->mix[k] > 0 && !job_spec_needs_no_pool(&o->spec, (enum kind)k))
			return options_wrong("--compare takes %s: without a pool, a \"%s\" would "
					     "not be ended or "
					     "cleaned up",
				JOB_SPEC_NEEDS_NO_POOL, kind_name((enum kind)k));
	}
	return 0;
}

static const char help[] =
	"  -w, --workers N         workers, 1 to 10000 (default: 8)\n"
	"      --pools N           spreads the workers over N pools, 1 to 64 (default: 1), and "
	"the\n"
	"                          threads, too: each gives its jobs to one pool\n"
	"  -c, --concurrency N     jobs out at any time, 1 to 10000 (default: 64)\n"
	"  -t, --threads N         engine threads that share these jobs, 1 to 256 (default: 2;\n"
	"                          with --call submit 1, and each thread has its own queue).\n"
	"                          With --call call there is one thread for each of the N jobs\n"
	"                          of -c, and -t has no effect\n"
	"  -d, --duration SEC      seconds of load (default: 10, unless -n is given)\n"
	"  -n, --jobs N            ends after N jobs\n"
	"      --call open|call|submit   how jobs are given (default: call)\n"
	"                          call    bytes in, bytes out, blocking\n"
	"                          open    a socket for each job, an event loop for each thread\n"
	"                          submit  bytes in, an id out, the results in batches\n"
	"      --dispatch auto|handoff|lease   how jobs get to their workers (default: auto)\n"
	"      --compare           runs the same load by handoff, by lease (call, then submit),\n"
	"                          and by a fork() for each job, and compares them in a table.\n"
	"                          Jobs: nop, echo, sleep, spin=TIME, alloc, syscalls,\n"
	"                          crash, exit, fail; no kills\n";

const struct options_part options_give = { longs, COUNT_OF(longs), take, together, help };
