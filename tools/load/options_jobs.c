/* SPDX-License-Identifier: MIT */
/* options_jobs.c - which jobs: their kinds, sizes and times. */
#include "load.h"
#include "options.h"
#include "options_text.h"

#include <stdint.h>

/* A worker needs the rest for itself. */
#define ALLOC_BESIDE_LEAK (32ull << 20)

static int sizes(const char *text, struct options *o)
{
	struct job_spec_why why;

	if (job_spec_sizes(text, &o->spec, &why))
		return options_wrong("%s", why.text);
	o->size_max = (size_t)job_spec_most(&o->spec.sizes, KIND_NOP);
	return 0;
}

static int mix(const char *text, struct options *o)
{
	struct job_spec_why why;

	if (job_spec_mix(text, &o->spec, &why))
		return options_wrong("%s", why.text);
	for (unsigned k = 0; k < KINDS; k++)
		o->mix[k] = job_spec_weight(&o->spec, (enum kind)k);
	return 0;
}

static int priority(const char *text, struct options *o)
{
	struct job_spec_why why;

	return job_spec_priorities(text, &o->spec, &why) ? options_wrong("%s", why.text) : 0;
}

enum {
	OPT_MIX = OPTIONS_JOBS_FIRST,
	OPT_DEADLINE,
	OPT_KEYS,
	OPT_TAGS,
	OPT_PRIORITY,
	OPT_LOG,
	OPT_USER_JOB
};

/* Whether --mix was given: --user-job alone means jobs of this kind alone. */
static bool mix_given;

static const struct option longs[] = {
	{ "size", required_argument, NULL, 's' },
	{ "mix", required_argument, NULL, OPT_MIX },
	{ "deadline", required_argument, NULL, OPT_DEADLINE },
	{ "keys", required_argument, NULL, OPT_KEYS },
	{ "tags", no_argument, NULL, OPT_TAGS },
	{ "priority", required_argument, NULL, OPT_PRIORITY },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "user-job", required_argument, NULL, OPT_USER_JOB },
};

static int take(int option, const char *text, struct options *o)
{
	switch (option) {
	case 's': return sizes(text, o);
	case OPT_MIX: mix_given = true; return mix(text, o);
	case OPT_DEADLINE:
		return options_unsigned("--deadline", text, 1, 86400000, &o->deadline_ms);
	case OPT_KEYS: return options_whole("--keys", text, 1, UINT64_MAX / 2, &o->spec.keys);
	case OPT_TAGS: o->spec.tags = true; return 0;
	case OPT_PRIORITY: return priority(text, o);
	case OPT_USER_JOB: o->user_job = text; return 0;
	case OPT_LOG:
		o->log = text;
		return *text ? 0 : options_wrong("--log wants the name of a file");
	default: return OPTIONS_NOT_MINE;
	}
}

static int user_job(struct options *o)
{
	if (!o->user_job)
		return o->mix[KIND_USER] > 0
			? options_wrong("--mix user=... wants --user-job LIB.so:SYMBOL, too")
			: 0;
	if (!mix_given)
		return mix("user=1", o);
	return o->mix[KIND_USER] > 0
		? 0
		: options_wrong("--user-job wants jobs of this kind: give user=W in --mix, or no "
				"--mix");
}

static int together(struct options *o)
{
	uint64_t alloc = job_spec_most(&o->spec.mix, KIND_ALLOC);

	if (o->mix[KIND_LEAK] > 0 && alloc > ALLOC_BESIDE_LEAK)
		return options_wrong("--mix leak=... gives each worker %llu MiB at most: alloc may "
				     "take %llu MiB of them",
			WORKER_MEMORY >> 20, ALLOC_BESIDE_LEAK >> 20);
	if (o->log && o->compare)
		return options_wrong("--log is for one run: it takes no --compare");
	if (o->compare && (o->spec.tags || o->spec.keys || o->spec.priorities.count > 1))
		return options_wrong(
			"--compare takes no --keys, --tags and --priority: a fork() has none");
	return user_job(o);
}

static const char help[] =
	"  -s, --size BYTES[:W],...   bytes of the request of an echo (its reply has as many) and\n"
	"                          of a user job (default: 64; suffixes K, M); of several sizes\n"
	"                          each such job gets one at random, by weight\n"
	"      --mix JOB,...       jobs by weight (default: echo=1). A JOB is one of\n"
	"                          nop=W          returns at once\n"
	"                          echo=W         sends its bytes back\n"
	"                          sleep=TIME[:W] sleeps, as in sleep=1ms\n"
	"                          spin=TIME[:W]  uses so much CPU time, as in spin=50us\n"
	"                          alloc=BYTES[:W]   takes and gives back memory, as in "
	"alloc=10MB\n"
	"                          syscalls=N[:W] makes N system calls\n"
	"                          crash=W        writes to address 0\n"
	"                          exit=W         calls exit(3) or _exit(3)\n"
	"                          fail=W         returns 7\n"
	"                          hang=W         sleeps for ever, until its deadline\n"
	"                          spin=W         computes for ever, until its deadline\n"
	"                          leak=W         allocates up to the limit (64 MiB a worker)\n"
	"                          throw=W        leaves its frame: longjmp() or pthread_exit()\n"
	"                          fork=W         leaves child processes behind\n"
	"                          user=W         runs the function of --user-job\n"
	"                          Behind a TIME, BYTES or N more of them may follow: of\n"
	"                          spin=50us:99,50ms:1 one job in a hundred is a long one\n"
	"      --deadline MS       limit of a job's run time (default: 60000; 1000 with hang or\n"
	"                          spin=W)\n"
	"      --keys N            each job has one of N keys: those of one key prefer one worker\n"
	"      --tags              each job has a tag, as in echo-17\n"
	"      --priority normal=W,background=W   the priorities of jobs (default: normal=1)\n"
	"      --user-job LIB.so:SYMBOL   jobs of the kind user run this function: an\n"
	"                          int f(struct brood_job *). Without --mix all jobs do\n"
	"      --log FILE          writes a line for each job that is given. With one --seed and\n"
	"                          one -n two runs have the same lines of jobs; sort them to\n"
	"                          compare\n";

const struct options_part options_jobs = { longs, COUNT_OF(longs), take, together, help };
