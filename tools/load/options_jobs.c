/* SPDX-License-Identifier: MIT */
/* options_jobs.c - which jobs: their kinds, sizes and times. */
#include "load.h"
#include "options.h"
#include "options_text.h"

#include <stdint.h>
#include <string.h>

static const char *const kind_names[KINDS] = { "nop", "echo", "crash", "exit", "fail", "hang",
	"spin", "leak", "throw", "fork" };

const char *kind_name(enum kind kind) { return kind_names[kind]; }

/* Reads one size from `length` characters of text. */
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
		return options_wrong(
			"--size wants bytes, as in 64, 4K or 16M, not \"%.*s\"", (int)all, text);
	memcpy(digits, text, length);
	digits[length] = 0;
	r = options_whole("--size", digits, 0, (1ull << 30) >> shift, &value);
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
			return options_wrong("--size takes at most %d sizes", SIZES_MAX);
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
		if (strlen(kind_names[k]) == name_length &&
			!strncmp(kind_names[k], item, name_length)) {
			mix[k] = weight;
			return 0;
		}
	}
	return options_wrong(
		"--mix knows no job \"%.*s\"; it knows nop, echo, crash, exit, fail, hang, "
		"spin, leak, throw, fork",
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
			end = options_number(equal + 1, ',', &weight);
		if (!end)
			return options_wrong(
				"--mix wants jobs and weights, as in echo=99.9,crash=0.1, not "
				"\"%s\"",
				text);
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
		return options_wrong("--mix wants at least one weight above 0, not \"%s\"", text);
	memcpy(ret, parsed, sizeof parsed);
	return 0;
}

enum { OPT_MIX = OPTIONS_JOBS_FIRST, OPT_DEADLINE };

static const struct option longs[] = {
	{ "size", required_argument, NULL, 's' },
	{ "mix", required_argument, NULL, OPT_MIX },
	{ "deadline", required_argument, NULL, OPT_DEADLINE },
};

static int take(int option, const char *text, struct options *o)
{
	switch (option) {
	case 's': return sizes(text, o);
	case OPT_MIX: return mix(text, o->mix);
	case OPT_DEADLINE:
		return options_unsigned("--deadline", text, 1, 86400000, &o->deadline_ms);
	default: return OPTIONS_NOT_MINE;
	}
}

static const char help[] =
	"  -s, --size BYTES,...    bytes of an echo's request and reply (default: 64; suffixes\n"
	"                          K, M); of several sizes each job gets one at random\n"
	"      --mix KIND=W,...    jobs by weight (default: echo=1):\n"
	"                          nop    returns at once\n"
	"                          echo   sends its bytes back\n"
	"                          crash  writes to address 0\n"
	"                          exit   calls exit(3) or _exit(3)\n"
	"                          fail   returns 7\n"
	"                          hang   sleeps for ever, until its deadline\n"
	"                          spin   computes for ever, until its deadline\n"
	"                          leak   allocates up to the limit (64 MiB for each worker)\n"
	"                          throw  leaves its frame: longjmp() or pthread_exit()\n"
	"                          fork   leaves child processes behind\n"
	"      --deadline MS       run time of a job (default: 60000; with hang or spin 1000)\n";

const struct options_part options_jobs = { longs, COUNT_OF(longs), take, NULL, help };
