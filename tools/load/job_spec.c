/* SPDX-License-Identifier: MIT */
/* job_spec.c - see job_spec.h. */
#include "job_spec.h"
#include "payload.h"

#include <brood.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the value of a kind means. */
enum measure { MEASURE_NONE, MEASURE_TIME, MEASURE_BYTES, MEASURE_COUNT };

static const struct {
	const char *name;
	enum measure measure;
} kinds[KINDS] = {
	[KIND_NOP] = { "nop", MEASURE_NONE },
	[KIND_ECHO] = { "echo", MEASURE_NONE },
	[KIND_CRASH] = { "crash", MEASURE_NONE },
	[KIND_EXIT] = { "exit", MEASURE_NONE },
	[KIND_FAIL] = { "fail", MEASURE_NONE },
	[KIND_HANG] = { "hang", MEASURE_NONE },
	[KIND_SPIN] = { "spin", MEASURE_TIME },
	[KIND_LEAK] = { "leak", MEASURE_NONE },
	[KIND_THROW] = { "throw", MEASURE_NONE },
	[KIND_FORK] = { "fork", MEASURE_NONE },
	[KIND_SLEEP] = { "sleep", MEASURE_TIME },
	[KIND_ALLOC] = { "alloc", MEASURE_BYTES },
	[KIND_SYSCALLS] = { "syscalls", MEASURE_COUNT },
	[KIND_USER] = { "user", MEASURE_NONE },
};

struct unit {
	const char *name;
	double factor;
};

/* The units of each measure; the largest value of the measure; and an example. */
static const struct {
	struct unit unit[8];
	double max;
	const char *what, *example;
} measures[] = {
	[MEASURE_TIME] = { { { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 } }, 3600e9,
		"a time with its unit (us, ms, s), an hour at most,", "1ms, or 50us:99,50ms:1" },
	[MEASURE_BYTES] = { { { "", 1 }, { "K", 0x1p10 }, { "KB", 0x1p10 }, { "M", 0x1p20 },
				    { "MB", 0x1p20 }, { "G", 0x1p30 }, { "GB", 0x1p30 } },
		0x1p40, "bytes", "10MB, or 64K:9,10MB:1" },
	[MEASURE_COUNT] = { { { "", 1 } }, 1e9, "how many, up to a thousand million,",
		"10, or 10:9,1000:1" },
};

static const struct {
	const char *name;
	uint64_t value;
} priorities[] = { { "normal", BROOD_NORMAL }, { "background", BROOD_BACKGROUND } };

const char *kind_name(enum kind kind) { return kinds[kind].name; }

/* ---- reading --------------------------------------------------------------------------------- */

/* A piece of the command line. */
struct part {
	const char *at;
	size_t length;
};

__attribute__((format(printf, 2, 3))) static int wrong(
	struct job_spec_why *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why->text, sizeof why->text, format, args);
	va_end(args);
	return -EINVAL;
}

static struct part part_of(const char *text, char end)
{
	const char *stop = strchr(text, end);

	return (struct part){ text, stop ? (size_t)(stop - text) : strlen(text) };
}

/*
 * Cuts `part` before the first `mark`. True: there is one, and *ret is what stands behind it.
 * False: *ret is empty.
 */
static bool cut(struct part *part, char mark, struct part *ret)
{
	const char *at = memchr(part->at, mark, part->length);

	*ret = (struct part){ "", 0 };
	if (!at)
		return false;
	*ret = (struct part){ at + 1, (size_t)(part->at + part->length - at - 1) };
	part->length = (size_t)(at - part->at);
	return true;
}

static bool is_word(struct part part, const char *word)
{
	return part.length == strlen(word) && !memcmp(part.at, word, part.length);
}

/* Reads a number at the begin of the part. *ret_unit is what stands behind the number. */
static bool number(struct part part, double *ret, struct part *ret_unit)
{
	char digits[32], *end;

	if (part.length >= sizeof digits || !part.length ||
		!((*part.at >= '0' && *part.at <= '9') || *part.at == '.'))
		return false;
	memcpy(digits, part.at, part.length);
	digits[part.length] = 0;
	*ret = strtod(digits, &end);
	*ret_unit = (struct part){ part.at + (end - digits), part.length - (size_t)(end - digits) };
	return end > digits && isfinite(*ret) && !strpbrk(digits, "xX"); /* strtod() takes 0x10 */
}

static bool weight(struct part part, double *ret)
{
	struct part unit;

	return number(part, ret, &unit) && !unit.length;
}

static bool measured(struct part part, enum measure measure, uint64_t *ret)
{
	const struct unit *units = measures[measure].unit;
	struct part rest;
	double value;

	if (!number(part, &value, &rest))
		return false;
	for (unsigned i = 0; units[i].name; i++) {
		if (!is_word(rest, units[i].name))
			continue;
		value = value * units[i].factor;
		*ret = value <= measures[measure].max ? (uint64_t)(value + 0.5) : 0;
		return value >= 1 && value <= measures[measure].max;
	}
	return false;
}

/* Gives each item its share of all draws. An item without weight is taken out. */
static int settle(
	struct job_spec_list *list, const char *option, struct part text, struct job_spec_why *why)
{
	double all = 0, sum = 0;
	unsigned count = 0;

	for (unsigned i = 0; i < list->count; i++) {
		if (list->item[i].weight > 0)
			list->item[count++] = list->item[i];
	}
	list->count = count;
	for (unsigned i = 0; i < count; i++)
		all += list->item[i].weight;
	if (!count || !isfinite(all))
		return wrong(why, "%s wants at least one weight above 0, not \"%.*s\"", option,
			(int)text.length, text.at);
	for (unsigned i = 0; i < count; i++) {
		sum += list->item[i].weight;
		list->item[i].below = sum < all ? (uint64_t)(sum / all * 0x1p64) : UINT64_MAX;
	}
	return 0;
}

static int add(struct job_spec_list *list, const char *option, unsigned max,
	const struct job_spec_item *item, struct job_spec_why *why)
{
	if (list->count == max)
		return wrong(why, "%s takes at most %u of them", option, max);
	list->item[list->count++] = *item;
	return 0;
}

static int mix_kind(struct part name, enum kind *ret, struct job_spec_why *why)
{
	char names[160] = "";

	for (unsigned k = 0; k < KINDS; k++) {
		if (is_word(name, kinds[k].name)) {
			*ret = (enum kind)k;
			return 0;
		}
		strcat(names, k ? ", " : "");
		strcat(names, kinds[k].name);
	}
	return wrong(
		why, "--mix knows no job \"%.*s\"; it knows %s", (int)name.length, name.at, names);
}

static int mix_wrong(const char *text, struct job_spec_why *why)
{
	return wrong(why,
		"--mix wants jobs and weights, as in echo=99.9,crash=0.1, or as in "
		"spin=50us:99,50ms:1,echo=100, not \"%.100s\"",
		text);
}

/* Reads VALUE[:WEIGHT] of a kind that has a measure. */
static int mix_value(struct part part, struct job_spec_item *item, struct job_spec_why *why)
{
	enum measure measure = kinds[item->kind].measure;
	struct part value = part, behind = { NULL, 0 };
	bool colon = cut(&value, ':', &behind);

	item->weight = 1;
	if (measured(value, measure, &item->value) && (!colon || weight(behind, &item->weight)))
		return 0;
	return wrong(why,
		"--mix %s= wants %s and perhaps a colon and a weight, as in %s=%s%s; not \"%.*s\"",
		kinds[item->kind].name, measures[measure].what, kinds[item->kind].name,
		measures[measure].example,
		item->kind == KIND_SPIN ? " (a weight alone, as in spin=1, spins for ever)" : "",
		(int)part.length, part.at);
}

/*
 * Reads KIND=WEIGHT, KIND=VALUE[:WEIGHT], or behind a value one more VALUE[:WEIGHT] of this kind.
 * A kind with a measure has a value. Of spin a number alone is a weight, because a time has a unit.
 */
static int mix_part(
	struct part part, const char *text, struct job_spec_item *item, struct job_spec_why *why)
{
	struct part name = part, behind;
	int r;

	if (!cut(&name, '=', &behind))
		return item->value ? mix_value(part, item, why) : mix_wrong(text, why);
	r = mix_kind(name, &item->kind, why);
	if (r)
		return r;
	item->value = 0;
	if ((kinds[item->kind].measure == MEASURE_NONE || item->kind == KIND_SPIN) &&
		weight(behind, &item->weight))
		return 0;
	return kinds[item->kind].measure == MEASURE_NONE ? mix_wrong(text, why)
							 : mix_value(behind, item, why);
}

int job_spec_mix(const char *text, struct job_spec *inout, struct job_spec_why *why)
{
	struct job_spec_list list = { 0 };
	struct job_spec_item item = { 0 };
	int r;

	for (const char *at = text;; at++) {
		struct part part = part_of(at, ',');

		at += part.length;
		r = mix_part(part, text, &item, why);
		r = r ? r : add(&list, "--mix", JOB_SPEC_ITEMS_MAX, &item, why);
		if (r || !*at)
			break;
	}
	r = r ? r : settle(&list, "--mix", part_of(text, 0), why);
	if (!r)
		inout->mix = list;
	return r;
}

static bool size_of(struct part part, uint64_t *ret)
{
	size_t digits = strspn(part.at, "0123456789");

	if (!digits || digits > 10 || (digits < part.length && !strchr("KM", part.at[digits])))
		return false;
	if (digits + 1 < part.length)
		return false;
	*ret = strtoull(part.at, NULL, 10) << (digits == part.length ? 0
			       : part.at[digits] == 'K'              ? 10
								     : 20);
	return *ret <= 1ull << 30;
}

int job_spec_sizes(const char *text, struct job_spec *inout, struct job_spec_why *why)
{
	struct job_spec_list list = { 0 };
	int r = 0;

	for (const char *at = text; !r; at++) {
		struct job_spec_item item = { .weight = 1 };
		struct part part = part_of(at, ','), size = part, behind;
		bool colon = cut(&size, ':', &behind);

		at += part.length;
		if (!size_of(size, &item.value) || (colon && !weight(behind, &item.weight)))
			return wrong(why,
				"--size wants bytes, 1024M at most, as in 64, 4K or 16M, or with "
				"weights, as in 64:90,4K:10, not \"%.*s\"",
				(int)part.length, part.at);
		r = add(&list, "--size", JOB_SPEC_SIZES_MAX, &item, why);
		if (!*at)
			break;
	}
	r = r ? r : settle(&list, "--size", part_of(text, 0), why);
	if (!r)
		inout->sizes = list;
	return r;
}

int job_spec_priorities(const char *text, struct job_spec *inout, struct job_spec_why *why)
{
	struct job_spec_list list = { 0 };
	int r;

	for (const char *at = text;; at++) {
		struct job_spec_item item = { 0 };
		struct part part = part_of(at, ','), name = part, behind;
		unsigned i = 0;
		bool equal = cut(&name, '=', &behind);

		at += part.length;
		while (i < 2 && !is_word(name, priorities[i].name))
			i++;
		if (!equal || i == 2 || list.count == 2 || !weight(behind, &item.weight))
			return wrong(why,
				"--priority wants weights, as in normal=9,background=1, not "
				"\"%.100s\"",
				text);
		item.value = priorities[i].value;
		list.item[list.count++] = item;
		if (!*at)
			break;
	}
	r = settle(&list, "--priority", part_of(text, 0), why);
	if (!r)
		inout->priorities = list;
	return r;
}

void job_spec_begin(struct job_spec *ret)
{
	const struct job_spec_item echo = { .kind = KIND_ECHO, .weight = 1, .below = UINT64_MAX },
				   size = { .value = 64, .weight = 1, .below = UINT64_MAX },
				   normal = {
					   .value = BROOD_NORMAL, .weight = 1, .below = UINT64_MAX
				   };

	*ret = (struct job_spec){
		.mix = { { echo }, 1 }, .sizes = { { size }, 1 }, .priorities = { { normal }, 1 }
	};
}

/* ---- telling --------------------------------------------------------------------------------- */

/* In the largest unit of which the value is a multiple. */
void job_spec_value_text(enum kind kind, uint64_t value, char ret[static JOB_SPEC_VALUE_TEXT])
{
	const struct unit *units = measures[kinds[kind].measure].unit, *best = units;

	ret[0] = 0;
	if (!value)
		return;
	for (unsigned i = 0; units[i].name; i++) {
		if (value % (uint64_t)units[i].factor == 0)
			best = &units[i];
	}
	snprintf(ret, JOB_SPEC_VALUE_TEXT, "%llu%s",
		(unsigned long long)(value / (uint64_t)best->factor), best->name);
}

void job_spec_mix_text(const struct job_spec *s, char ret[static JOB_SPEC_TEXT])
{
	FILE *file = fmemopen(ret, JOB_SPEC_TEXT, "w");
	char value[JOB_SPEC_VALUE_TEXT];
	bool valued = false;

	ret[0] = 0;
	for (unsigned i = 0; file && i < s->mix.count; i++) {
		const struct job_spec_item *item = &s->mix.item[i];
		bool same = valued && s->mix.item[i - 1].kind == item->kind;

		valued = item->value > 0;
		fprintf(file, "%s", i ? "," : "");
		if (!same || !valued)
			fprintf(file, "%s=", kinds[item->kind].name);
		job_spec_value_text(item->kind, item->value, value);
		fprintf(file, "%s%s%.9g", value, valued ? ":" : "", item->weight);
	}
	if (file)
		fclose(file);
	ret[JOB_SPEC_TEXT - 1] = 0;
}

void job_spec_sizes_text(const struct job_spec *s, char ret[static JOB_SPEC_TEXT])
{
	size_t used = 0;

	ret[0] = 0;
	for (unsigned i = 0; i < s->sizes.count && used < JOB_SPEC_TEXT; i++) {
		const struct job_spec_item *item = &s->sizes.item[i];

		used += (size_t)snprintf(ret + used, JOB_SPEC_TEXT - used, "%s%llu", i ? "," : "",
			(unsigned long long)item->value);
		if (item->weight != 1 && used < JOB_SPEC_TEXT)
			used += (size_t)snprintf(
				ret + used, JOB_SPEC_TEXT - used, ":%.9g", item->weight);
	}
}

void job_spec_priorities_text(const struct job_spec *s, char ret[static JOB_SPEC_TEXT])
{
	size_t used = 0;

	ret[0] = 0;
	for (unsigned i = 0; i < s->priorities.count && used < JOB_SPEC_TEXT; i++) {
		const struct job_spec_item *item = &s->priorities.item[i];

		used += (size_t)snprintf(ret + used, JOB_SPEC_TEXT - used, "%s%s=%.9g",
			i ? "," : "", priorities[item->value == BROOD_BACKGROUND].name,
			item->weight);
	}
}

double job_spec_weight(const struct job_spec *s, enum kind kind)
{
	double sum = 0;

	for (unsigned i = 0; i < s->mix.count; i++)
		sum += s->mix.item[i].kind == kind ? s->mix.item[i].weight : 0;
	return sum;
}

uint64_t job_spec_most(const struct job_spec_list *list, enum kind kind)
{
	uint64_t most = 0;

	for (unsigned i = 0; i < list->count; i++) {
		if (list->item[i].kind == kind && list->item[i].value > most)
			most = list->item[i].value;
	}
	return most;
}

static bool spins_for_ever(const struct job_spec *s)
{
	for (unsigned i = 0; i < s->mix.count; i++) {
		if (s->mix.item[i].kind == KIND_SPIN && !s->mix.item[i].value)
			return true;
	}
	return false;
}

bool job_spec_is_stuck(const struct job_spec *s)
{
	return job_spec_weight(s, KIND_HANG) > 0 || spins_for_ever(s);
}

bool job_spec_needs_no_pool(const struct job_spec *s, enum kind kind)
{
	switch (kind) {
	case KIND_HANG:
	case KIND_LEAK:
	case KIND_THROW:
	case KIND_FORK:
	case KIND_USER: return false;
	case KIND_SPIN: return !spins_for_ever(s);
	default: return true;
	}
}

/* ---- choosing -------------------------------------------------------------------------------- */

/* `base`: a random number of its own for each draw of a job. Most lists have one item. */
static const struct job_spec_item *draw(const struct job_spec_list *list, uint64_t base)
{
	uint64_t number = list->count > 1 ? payload_mix(base) : 0;
	unsigned i = 0;

	while (i + 1 < list->count && number >= list->item[i].below)
		i++;
	return &list->item[i];
}

void job_spec_choose(
	const struct job_spec *s, uint64_t seed, uint64_t number, struct job_choice *ret)
{
	/* payload_mix() is a bijection: no two jobs of a run have the same base, or payload key. */
	uint64_t base = payload_mix(payload_mix(seed) + number);
	const struct job_spec_item *work = draw(&s->mix, base);

	ret->kind = work->kind;
	ret->value = work->value;
	ret->payload_key = payload_mix(base + 1);
	ret->size = 0;
	if (work->kind == KIND_ECHO || work->kind == KIND_USER)
		ret->size = (size_t)draw(&s->sizes, base + 2)->value;
	ret->key = s->keys ? 1 + payload_mix(base + 3) % s->keys : 0;
	ret->priority = (uint32_t)draw(&s->priorities, base + 4)->value;
	ret->variant = (uint32_t)(base >> 33);
}
