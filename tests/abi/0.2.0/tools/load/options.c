/* options.c - the command line. A wrong one is answered with what was wrong, what would be right, and exit code 2. */
#include "load.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEADLINE_DEFAULT_MS 60000u
#define DEADLINE_STUCK_MS   1000u        /* where the mix has jobs that end in no other way */
#define QUEUE_MS            10000u       /* the library's default */
#define ROOM_NS             (10 * NS_S)
#define NOT_MINE            2            /* option_load(): option_other() knows */

static const char *const kind_names[KINDS] = { "nop", "echo", "crash", "exit", "fail", "hang", "spin", "leak", "throw", "fork" };

static const char *const way_names[WAYS] = { "call", "open", "submit", "fork" };
static const char *const dispatch_names[] = { "auto", "handoff", "lease" };

static const char help[] =
	"Usage: brood-load [OPTION]...\n"
	"Loads a pool of workers, breaks it on purpose, and judges: one verdict a job, replies intact, the pool full\n"
	"again, nothing left. Closed loop: each caller gives its next job when it has the last verdict.\n"
	"\n"
	"  -w, --workers N         workers, 1 to 10000 (default: 8)\n"
	"  -c, --concurrency N     jobs out at any time, 1 to 10000 (default: 64)\n"
	"  -t, --threads N         engine threads that they are spread over, 1 to 256 (default: 2; with --call submit 1: each\n"
	"                          has a queue of its own). With --call call each of the N of -c is a caller that blocks, so\n"
	"                          it is a thread, and -t says nothing\n"
	"  -d, --duration SEC      (default: 10, unless -n is given)\n"
	"  -n, --jobs N            end after so many jobs\n"
	"  -s, --size BYTES,...    of an echo's request and reply (default: 64; suffixes K, M); of several one at random\n"
	"      --call open|call|submit  how jobs are given: call (default): bytes in, bytes out, blocking;\n"
	"                          open: a socket for each, an event loop a thread;\n"
	"                          submit: bytes in, an id out, the results in batches\n"
	"      --dispatch auto|handoff|lease  the way that jobs take to their workers (default: auto)\n"
	"      --compare           the same load by handoff, by lease (call, then submit), and by a fork() for each job, one\n"
	"                          after the other, side by side. Jobs: nop, echo, crash, exit, fail; no kills\n"
	"      --mix KIND=W,...    jobs by weight (default: echo=1):\n"
	"                          nop    returns at once           hang   sleeps for ever: its deadline ends it\n"
	"                          echo   sends its bytes back      spin   computes for ever\n"
	"                          crash  writes to address 0       leak   allocates until the limit (64 MiB a worker)\n"
	"                          exit   calls exit(3), _exit(3)   throw  leaves its frame: longjmp(), pthread_exit()\n"
	"                          fail   returns 7                 fork   leaves child processes behind\n"
	"      --deadline MS       run time of a job (default: 60000; 1000 with hang or spin in the mix)\n"
	"      --kill-rate N       SIGKILL to a random worker, N a second\n"
	"      --kill-all-at SEC,.. SIGKILL to all workers, so long after the load began\n"
	"      --kill-supervisor-at SEC  SIGKILL to the supervisor: the run ends then, and nothing may be left a second later\n"
	"      --idle SEC          no load: start, wait until the pool is ready, do nothing, stop\n"
	"      --seed N            repeats a run's jobs, payloads and choice of victims (default: a new one, shown)\n"
	"      --json FILE|-       results as JSON; with - the table goes to standard error\n"
	"  -q, --quiet             no live line, no table; what broke is still said\n"
	"  -h, --help    -V, --version\n"
	"\n"
	"Exit code: 0 all invariants held; 1 one broke, and is named; 2 wrong usage, or the pool could not be started.\n"
	"Example: brood-load -w 8 -c 64 -d 10 --kill-rate 50 --mix echo=99.9,crash=0.05,exit=0.05\n";

const char *kind_name(enum kind kind)
{
	return kind_names[kind];
}

const char *way_name(enum way way)
{
	return way_names[way];
}

const char *dispatch_name(uint32_t dispatch)
{
	return dispatch_names[dispatch];
}

static int wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int wrong(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("brood-load: ", stderr);
	vfprintf(stderr, format, args);
	fputs("\nTry: brood-load --help\n", stderr);
	va_end(args);
	return -EINVAL;
}

static int whole(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	char *end = NULL;
	unsigned long long value = 0;

	errno = 0;
	if (*text >= '0' && *text <= '9')
		value = strtoull(text, &end, 10);
	if (!end || *end || errno || value < min || value > max)
		return wrong("%s wants a whole number from %llu to %llu, not \"%s\"", name, (llu)min, (llu)max, text);
	*ret = value;
	return 0;
}

static int whole_unsigned(const char *name, const char *text, unsigned min, unsigned max, unsigned *ret)
{
	uint64_t value = 0;
	int r = whole(name, text, min, max, &value);

	if (!r)
		*ret = (unsigned)value;
	return r;
}

/* A number that ends where `text` does, or at `stop`. NULL: it is none. */
static const char *number(const char *text, char stop, double *ret)
{
	char *end = NULL;
	double value;

	if (!((*text >= '0' && *text <= '9') || *text == '.'))
		return NULL;
	value = strtod(text, &end);
	if (end == text || (*end && *end != stop) || !isfinite(value))
		return NULL;
	*ret = value;
	return end;
}

static int real(const char *name, const char *text, double min, double max, double *ret)
{
	double value = 0;

	if (!number(text, 0, &value) || value < min || value > max)
		return wrong("%s wants a number from %g to %g, not \"%s\"", name, min, max, text);
	*ret = value;
	return 0;
}

/* One size, `length` characters of text. */
static int size_bytes(const char *text, size_t length, size_t *ret)
{
	char digits[24];
	size_t all = length;
	uint64_t value = 0;
	unsigned shift = 0;
	int r;

	if (length && (text[length - 1] == 'K' || text[length - 1] == 'M')) {
		shift = text[length - 1] == 'K' ? 10 : 20;
		length--;
	}
	if (!length || length >= sizeof digits || strspn(text, "0123456789") < length)
		return wrong("--size wants bytes, as in 64, 4K or 16M, not \"%.*s\"", (int)all, text);
	memcpy(digits, text, length);
	digits[length] = 0;
	r = whole("--size", digits, 0, (1ull << 30) >> shift, &value);
	if (!r)
		*ret = (size_t)(value << shift);
	return r;
}

static int sizes(const char *text, struct options *o)
{
	o->sizes_count = 0;
	o->size_max = 0;
	for (;;) {
		size_t length = strcspn(text, ","), *one = &o->sizes[o->sizes_count];
		int r;

		if (o->sizes_count == SIZES_MAX)
			return wrong("--size takes at most %d sizes", SIZES_MAX);
		r = size_bytes(text, length, one);
		if (r)
			return r;
		if (*one > o->size_max)
			o->size_max = *one;
		o->sizes_count++;
		if (!text[length])
			return 0;
		text += length + 1;
	}
}

static int mix_one(const char *item, size_t name_length, double weight, double *mix)
{
	for (unsigned k = 0; k < KINDS; k++) {
		if (strlen(kind_names[k]) == name_length && !strncmp(kind_names[k], item, name_length)) {
			mix[k] = weight;
			return 0;
		}
	}
	return wrong("--mix knows no job \"%.*s\"; it knows nop, echo, crash, exit, fail, hang, spin, leak, throw, fork",
	             (int)name_length, item);
}

static int mix(const char *text, double *ret)
{
	double parsed[KINDS] = { 0 }, sum = 0;
	const char *at = text;

	for (;;) {
		const char *equal = strchr(at, '='), *end = NULL;
		double weight = 0;
		int r;

		if (equal)
			end = number(equal + 1, ',', &weight);
		if (!end)
			return wrong("--mix wants jobs and weights, as in echo=99.9,crash=0.1, not \"%s\"", text);
		r = mix_one(at, (size_t)(equal - at), weight, parsed);
		if (r)
			return r;
		if (!*end)
			break;
		at = end + 1;
	}
	for (unsigned k = 0; k < KINDS; k++)
		sum += parsed[k];
	if (sum <= 0)
		return wrong("--mix wants at least one weight above 0, not \"%s\"", text);
	memcpy(ret, parsed, sizeof parsed);
	return 0;
}

static int kill_times(const char *text, struct options *o)
{
	const char *at = text;

	for (o->kill_all_count = 0;;) {
		double when = 0;
		const char *end = number(at, ',', &when);

		if (!end)
			return wrong("--kill-all-at wants seconds, as in 2,4,6, not \"%s\"", text);
		if (o->kill_all_count == KILL_TIMES_MAX)
			return wrong("--kill-all-at takes at most %d times", KILL_TIMES_MAX);
		if (o->kill_all_count && when < o->kill_all_at[o->kill_all_count - 1])
			return wrong("--kill-all-at wants its times in order, not \"%s\"", text);
		o->kill_all_at[o->kill_all_count++] = when;
		if (!*end)
			return 0;
		at = end + 1;
	}
}

static int call_way(const char *text, struct options *o)
{
	for (unsigned i = 0; i < WAYS; i++) {
		if (i != WAY_FORK && !strcmp(text, way_names[i])) {
			o->way = (enum way)i;
			return 0;
		}
	}
	return wrong("--call wants open, call or submit, not \"%s\"", text);
}

static int dispatch(const char *text, struct options *o)
{
	for (unsigned i = 0; i < COUNT_OF(dispatch_names); i++) {
		if (!strcmp(text, dispatch_names[i])) {
			o->dispatch = i;
			return 0;
		}
	}
	return wrong("--dispatch wants auto, handoff or lease, not \"%s\"", text);
}

enum { OPT_CALL = 256, OPT_DISPATCH, OPT_COMPARE, OPT_MIX, OPT_DEADLINE, OPT_KILL_RATE, OPT_KILL_ALL, OPT_KILL_SUPERVISOR, OPT_IDLE, OPT_SEED, OPT_JSON };

static const struct option longs[] = {
	{ "workers", required_argument, NULL, 'w' }, { "concurrency", required_argument, NULL, 'c' },
	{ "threads", required_argument, NULL, 't' }, { "duration", required_argument, NULL, 'd' },
	{ "jobs", required_argument, NULL, 'n' }, { "size", required_argument, NULL, 's' },
	{ "call", required_argument, NULL, OPT_CALL }, { "dispatch", required_argument, NULL, OPT_DISPATCH },
	{ "compare", no_argument, NULL, OPT_COMPARE }, { "mix", required_argument, NULL, OPT_MIX },
	{ "deadline", required_argument, NULL, OPT_DEADLINE }, { "kill-rate", required_argument, NULL, OPT_KILL_RATE },
	{ "kill-all-at", required_argument, NULL, OPT_KILL_ALL }, { "kill-supervisor-at", required_argument, NULL, OPT_KILL_SUPERVISOR },
	{ "idle", required_argument, NULL, OPT_IDLE }, { "seed", required_argument, NULL, OPT_SEED },
	{ "json", required_argument, NULL, OPT_JSON }, { "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static int option_load(int option, const char *text, struct options *o)
{
	switch (option) {
	case 'w': return whole_unsigned("--workers", text, 1, 10000, &o->workers);
	case 'c': return whole_unsigned("--concurrency", text, 1, 10000, &o->concurrency);
	case 't': return whole_unsigned("--threads", text, 1, 256, &o->threads_asked);
	case 'd': return real("--duration", text, 0.001, 1e6, &o->duration_s);
	case 'n': return whole("--jobs", text, 1, UINT64_MAX / 2, &o->jobs);
	case 's': return sizes(text, o);
	case OPT_CALL: o->way_given = true; return call_way(text, o);
	case OPT_DISPATCH: o->dispatch_given = true; return dispatch(text, o);
	case OPT_COMPARE: o->compare = true; return 0;
	case OPT_MIX: return mix(text, o->mix);
	case OPT_DEADLINE: return whole_unsigned("--deadline", text, 1, 86400000, &o->deadline_ms);
	default: return NOT_MINE;
	}
}

static int option_other(int option, const char *text, struct options *o)
{
	switch (option) {
	case OPT_KILL_RATE: return real("--kill-rate", text, 0, 10000, &o->kill_rate);
	case OPT_KILL_ALL: return kill_times(text, o);
	case OPT_KILL_SUPERVISOR: return real("--kill-supervisor-at", text, 0, 1e6, &o->kill_supervisor_at);
	case OPT_IDLE: return real("--idle", text, 0, 1e6, &o->idle_s);
	case OPT_SEED: return whole("--seed", text, 0, UINT64_MAX, &o->seed);
	case OPT_JSON: o->json = text; return *text ? 0 : wrong("--json wants the name of a file, or -");
	case 'q': o->quiet = true; return 0;
	case 'h': fputs(help, stdout); return 1;
	case 'V': printf("brood-load %s\n", brood_version()); return 1;
	case ':': return wrong("%s wants a value", text);
	default: return wrong("there is no option %s", text);
	}
}

static int compare_together(const struct options *o, bool kills)
{
	if (kills || o->idle_s >= 0)
		return wrong("--compare is for load alone: it takes no --idle and no --kill options");
	if (o->way_given || o->dispatch_given)
		return wrong("--compare has its own ways to give jobs: it takes no --call and no --dispatch");
	for (unsigned k = 0; k < KINDS; k++) {
		if (o->mix[k] > 0 && k != KIND_NOP && k != KIND_ECHO && k != KIND_CRASH && k != KIND_EXIT && k != KIND_FAIL)
			return wrong("--compare has nobody to end or clean up a \"%s\" that was forked: it takes nop, echo, crash, exit, fail", kind_names[k]);
	}
	return 0;
}

/* What each option alone cannot know. */
static int options_together(struct options *o)
{
	bool kills = o->kill_rate > 0 || o->kill_all_count || o->kill_supervisor_at >= 0;

	if (o->idle_s >= 0 && (kills || o->jobs || o->duration_s > 0))
		return wrong("--idle is a run without load: it takes no -d, -n or --kill options");
	if (!o->jobs && o->duration_s <= 0)
		o->duration_s = 10;
	if (!o->jobs && o->kill_supervisor_at > o->duration_s)
		return wrong("--kill-supervisor-at %g comes after the end: give a longer --duration", o->kill_supervisor_at);
	if (!o->jobs && o->kill_all_count && o->kill_all_at[o->kill_all_count - 1] > o->duration_s)
		return wrong("--kill-all-at %g comes after the end: give a longer --duration", o->kill_all_at[o->kill_all_count - 1]);
	return o->compare ? compare_together(o, kills) : 0;
}

void options_way(struct options *o, enum way way, uint32_t how)
{
	o->way = way;
	o->dispatch = how;
	o->threads = o->threads_asked ? o->threads_asked : way == WAY_SUBMIT ? 1 : 2;
	if (way == WAY_CALL || o->threads > o->concurrency)
		o->threads = o->concurrency;
}

int options_parse(int argc, char **argv, struct options *ret)
{
	struct options o = { .workers = 8, .concurrency = 64, .sizes = { 64 }, .sizes_count = 1, .size_max = 64,
	                     .way = WAY_CALL, .kill_supervisor_at = -1, .idle_s = -1 };
	int option, r;

	o.mix[KIND_ECHO] = 1;
	o.seed = payload_mix(load_now() ^ (uint64_t)getpid() << 40) >> 32;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":w:c:t:d:n:s:qhV", longs, NULL)) != -1) {
		const char *text = optarg;

		if (option == ':' || option == '?')
			text = argv[optind - 1];
		r = option_load(option, text, &o);
		if (r == NOT_MINE)
			r = option_other(option, text, &o);
		if (r)
			return r;
	}
	if (optind < argc)
		return wrong("\"%s\" is no option, and there are no other arguments", argv[optind]);
	r = options_together(&o);
	if (r)
		return r;
	options_way(&o, o.way, o.dispatch);
	*ret = o;
	return 0;
}

unsigned options_run_ms(const struct options *o)
{
	if (o->deadline_ms)
		return o->deadline_ms;
	return o->mix[KIND_HANG] > 0 || o->mix[KIND_SPIN] > 0 ? DEADLINE_STUCK_MS : DEADLINE_DEFAULT_MS;
}

uint64_t options_bound_ns(const struct options *o)
{
	return (QUEUE_MS + (uint64_t)options_run_ms(o)) * NS_MS + ROOM_NS;
}
