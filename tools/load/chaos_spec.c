/* SPDX-License-Identifier: MIT */
/*
 * chaos_spec.c - see chaos_spec.h.
 *
 * The text is a list of acts with ";" between them. An act is the name of a kind, perhaps a value
 * of its own (50/s, 4..64, 300ms), and perhaps clauses: at T, every T, for T. A table says what
 * each kind takes, and what it does when nothing is said.
 */
#include "chaos_spec.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS       1000000ull
#define S        1000000000ull
#define WORD_MAX 32
#define TIME_MAX (1000000ull * S)

enum { TAKES_RATE = 1, TAKES_FOR = 2, TAKES_END = 4, TAKES_LENGTH = 8, TAKES_SIZES = 16 };

/*
 * An act without a time has these. every_ns 0: it has no time of its own, unless it is `at end`.
 * for_ns above 0: the act lasts.
 */
static const struct {
	const char *name, *example;
	unsigned takes;
	uint64_t every_ns, for_ns;
} kinds[CHAOS_KINDS] = {
	[CHAOS_KILL] = { "kill", "kill 50/s", TAKES_RATE | TAKES_END, 0, 0 },
	[CHAOS_KILL_ALL] = { "kill-all", "kill-all at 2s", TAKES_END, 0, 0 },
	[CHAOS_STOP] = { "stop", "stop 1/s for 200ms", TAKES_RATE | TAKES_FOR, 0, 100 * MS },
	[CHAOS_FD_PRESSURE] = { "fd-pressure", "fd-pressure at 5s for 2s", TAKES_FOR, 2 * S,
		500 * MS },
	[CHAOS_MEMORY_PRESSURE] = { "memory-pressure", "memory-pressure every 2s for 500ms",
		TAKES_FOR, 2 * S, 500 * MS },
	[CHAOS_DISK_FULL] = { "disk-full", "disk-full every 2s for 500ms", TAKES_FOR, 2 * S,
		500 * MS },
	[CHAOS_ENGINE_STALL] = { "engine-stall", "engine-stall 300ms every 2s",
		TAKES_FOR | TAKES_LENGTH, 2 * S, 200 * MS },
	[CHAOS_RELOAD] = { "reload", "reload every 1s", 0, S, 0 },
	[CHAOS_RESIZE] = { "resize", "resize 4..64 every 3s", TAKES_SIZES, S, 0 },
	[CHAOS_SUPERVISOR_KILL] = { "supervisor-kill", "supervisor-kill at end", TAKES_END, 0, 0 },
};

const char *chaos_name(uint32_t kind) { return kind < CHAOS_KINDS ? kinds[kind].name : "?"; }

struct reader {
	const char *at;
	char word[WORD_MAX]; /* "": the act is over */
	char *wrong;
	struct chaos_act act;
	bool timed; /* a rate or a clause says when */
};

__attribute__((format(printf, 2, 3))) static int wrong(struct reader *r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(r->wrong, CHAOS_WRONG_SIZE, format, args);
	va_end(args);
	return -EINVAL;
}

/* A word that is too long is cut: no word that means something is so long. */
static void next_word(struct reader *r)
{
	size_t used = 0;

	while (isspace((unsigned char)*r->at))
		r->at++;
	for (; *r->at && *r->at != ';' && !isspace((unsigned char)*r->at); r->at++) {
		if (used + 1 < sizeof r->word)
			r->word[used++] = *r->at;
	}
	r->word[used] = 0;
}

/* Returns the rest of the text behind the number; NULL: there is no number. */
static const char *number(const char *text, double *ret)
{
	char *end = NULL;

	if (!isdigit((unsigned char)*text) && *text != '.')
		return NULL;
	if (*text == '0' && (text[1] == 'x' || text[1] == 'X'))
		return NULL; /* strtod() would read it */
	*ret = strtod(text, &end);
	return end == text ? NULL : end;
}

static bool read_time(const char *text, uint64_t *ret)
{
	static const struct {
		const char *unit;
		double ns;
	} units[] = { { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { "min", 60e9 } };
	double value = 0;
	const char *unit = number(text, &value);

	for (unsigned i = 0; unit && i < sizeof units / sizeof units[0]; i++) {
		if (strcmp(unit, units[i].unit) == 0 && value * units[i].ns <= (double)TIME_MAX) {
			*ret = (uint64_t)(value * units[i].ns);
			return true;
		}
	}
	return false;
}

/* Reads the time behind a clause; the reader stands on the clause's word. */
static int clause_time(struct reader *r, uint64_t min, uint64_t *ret)
{
	char clause[WORD_MAX];

	memcpy(clause, r->word, sizeof clause);
	next_word(r);
	if (!*r->word)
		return wrong(r, "%s: \"%s\" wants a time behind it, as in %s 200ms",
			chaos_name(r->act.kind), clause, clause);
	if (!read_time(r->word, ret))
		return wrong(r,
			"%s: \"%s %s\" is no time: give a number and us, ms, s or min, as "
			"in %s 200ms",
			chaos_name(r->act.kind), clause, r->word, clause);
	if (*ret < min)
		return wrong(r, "%s: \"%s %s\" is too short: give 1ms at least",
			chaos_name(r->act.kind), clause, r->word);
	return 0;
}

/* What a kind takes, in words for messages. */
static const char *takes_text(uint32_t kind)
{
	switch (kinds[kind].takes) {
	case TAKES_RATE | TAKES_END: return "N/s, at T, every T, at end";
	case TAKES_END: return kind == CHAOS_KILL_ALL ? "at T, every T, at end" : "at T, at end";
	case TAKES_RATE | TAKES_FOR: return "N/s, at T, every T, for T";
	case TAKES_FOR: return "at T, every T, for T";
	case TAKES_FOR | TAKES_LENGTH: return "a time, at T, every T, for T";
	case TAKES_SIZES: return "MIN..MAX, at T, every T";
	default: return "at T, every T";
	}
}

static int not_taken(struct reader *r)
{
	return wrong(r, "%s takes %s, not \"%s\": as in '%s'", chaos_name(r->act.kind),
		takes_text(r->act.kind), r->word, kinds[r->act.kind].example);
}

/* ---- values that belong to a kind ------------------------------------------------------------ */

static int take_rate(struct reader *r, bool *ret_taken)
{
	double rate = 0;
	const char *rest = number(r->word, &rate);

	*ret_taken = rest && strcmp(rest, "/s") == 0;
	if (!*ret_taken)
		return 0;
	if (rate < 0.001 || rate > CHAOS_RATE_MAX)
		return wrong(r, "%s: \"%s\" is no rate: give 0.001/s to %d/s",
			chaos_name(r->act.kind), r->word, CHAOS_RATE_MAX);
	if (r->act.every_ns)
		return wrong(r, "%s: say either %s or every T, not both", chaos_name(r->act.kind),
			r->word);
	r->act.every_ns = (uint64_t)((double)S / rate);
	r->act.scattered = r->timed = true;
	return 0;
}

static int take_sizes(struct reader *r, bool *ret_taken)
{
	unsigned min = 0, max = 0;
	int end = -1;

	*ret_taken = strstr(r->word, "..") != NULL;
	if (!*ret_taken)
		return 0;
	if (strspn(r->word, "0123456789.") != strlen(r->word) ||
		sscanf(r->word, "%5u..%5u%n", &min, &max, &end) != 2 || r->word[end] || min < 1 ||
		min > max)
		return wrong(r,
			"resize: \"%s\" are no sizes: give the least and the most workers, as in "
			"4..64",
			r->word);
	r->act.min = min;
	r->act.max = max;
	return 0;
}

static int take_value(struct reader *r)
{
	unsigned takes = kinds[r->act.kind].takes;
	bool taken = false;
	uint64_t length = 0;
	int error = 0;

	if (takes & TAKES_RATE)
		error = take_rate(r, &taken);
	if (!error && !taken && takes & TAKES_SIZES)
		error = take_sizes(r, &taken);
	if (!error && !taken && takes & TAKES_LENGTH && read_time(r->word, &length)) {
		taken = true;
		r->act.for_ns = length;
		if (length < MS)
			error = wrong(r, "%s: \"%s\" is too short: give 1ms at least",
				chaos_name(r->act.kind), r->word);
	}
	return error ? error : taken ? 0 : not_taken(r);
}

/* ---- clauses --------------------------------------------------------------------------------- */

static int take_at(struct reader *r)
{
	const char *behind = r->at;
	uint64_t at = 0;
	int error;

	next_word(r);
	if (strcmp(r->word, "end") == 0) {
		if (!(kinds[r->act.kind].takes & TAKES_END))
			return wrong(r, "%s cannot be \"at end\": give a time, as in '%s'",
				chaos_name(r->act.kind), kinds[r->act.kind].example);
		r->act.at_end = r->timed = true;
		return 0;
	}
	r->at = behind;
	memcpy(r->word, "at", sizeof "at");
	error = clause_time(r, 0, &at);
	if (!error)
		r->act.at_ns = at;
	r->timed = true;
	return error;
}

static int take_every(struct reader *r)
{
	if (r->act.kind == CHAOS_SUPERVISOR_KILL)
		return not_taken(r);
	if (r->act.every_ns)
		return wrong(r, "%s: say once how often, with N/s or with every T",
			chaos_name(r->act.kind));
	r->timed = true;
	return clause_time(r, MS, &r->act.every_ns);
}

static int take_word(struct reader *r)
{
	if (strcmp(r->word, "at") == 0)
		return take_at(r);
	if (strcmp(r->word, "every") == 0)
		return take_every(r);
	if (strcmp(r->word, "for") == 0 && kinds[r->act.kind].takes & TAKES_FOR)
		return clause_time(r, MS, &r->act.for_ns);
	return take_value(r);
}

/* ---- acts ------------------------------------------------------------------------------------ */

/* What is missing gets the default of its kind; then all of it must fit together. */
static int complete(struct reader *r)
{
	struct chaos_act *a = &r->act;
	const char *name = chaos_name(a->kind);

	if (!r->timed && a->kind == CHAOS_SUPERVISOR_KILL)
		a->at_end = r->timed = true;
	if (!r->timed)
		a->every_ns = kinds[a->kind].every_ns;
	if (!r->timed && !a->every_ns)
		return wrong(r, "%s wants to know when (%s): as in '%s'", name, takes_text(a->kind),
			kinds[a->kind].example);
	if (a->at_end && (a->every_ns || a->at_ns != CHAOS_NEVER))
		return wrong(r,
			"%s: at end is once: give the other times as an act of their own, "
			"with \";\" between them",
			name);
	if (a->kind == CHAOS_RESIZE && !a->max)
		return wrong(r, "resize wants the least and the most workers, as in '%s'",
			kinds[a->kind].example);
	if (a->kind == CHAOS_STOP && a->every_ns && a->for_ns / a->every_ns >= CHAOS_HELD_MAX)
		return wrong(r,
			"stop: more than %d workers would be stopped at a time: give a "
			"shorter \"for\"",
			CHAOS_HELD_MAX);
	if (a->kind != CHAOS_STOP && a->for_ns && a->every_ns && a->for_ns >= a->every_ns)
		return wrong(
			r, "%s: it would never end: \"every\" must be longer than \"for\"", name);
	return 0;
}

static int find_kind(struct reader *r)
{
	char names[CHAOS_WRONG_SIZE] = "";
	size_t used = 0;

	for (uint32_t i = 0; i < CHAOS_KINDS; i++) {
		if (strcmp(r->word, kinds[i].name) == 0) {
			r->act = chaos_spec_once(i, CHAOS_NEVER);
			return 0;
		}
		used += (size_t)snprintf(
			names + used, sizeof names - used, "%s%s", i ? ", " : "", kinds[i].name);
	}
	return wrong(r, "there is no \"%s\": give one of %s", r->word, names);
}

static int read_act(struct reader *r, struct chaos_spec *inout)
{
	int error = find_kind(r);

	r->timed = false;
	for (next_word(r); !error && *r->word; next_word(r))
		error = take_word(r);
	if (!error)
		error = complete(r);
	if (!error && chaos_spec_add(inout, &r->act) < 0)
		error = wrong(r, "these are more than %d acts: give fewer", CHAOS_ACTS_MAX);
	return error;
}

int chaos_spec_parse(
	const char *text, struct chaos_spec *inout, char wrong_text[static CHAOS_WRONG_SIZE])
{
	struct reader r = { .at = text, .wrong = wrong_text };
	unsigned before = inout->count;
	int error = 0;

	for (;;) {
		next_word(&r);
		if (*r.word)
			error = read_act(&r, inout);
		if (error || !*r.at)
			break;
		r.at += *r.at == ';';
	}
	if (!error)
		snprintf(inout->text + strlen(inout->text),
			sizeof inout->text - strlen(inout->text), "%s%s", *inout->text ? "; " : "",
			text);
	if (!error && inout->count == before)
		error = wrong(&r,
			"nothing is asked for: give acts, as in 'kill 50/s; reload every "
			"1s'");
	return error;
}

int chaos_spec_add(struct chaos_spec *inout, const struct chaos_act *act)
{
	if (inout->count == CHAOS_ACTS_MAX)
		return -EINVAL;
	inout->act[inout->count++] = *act;
	return 0;
}

struct chaos_act chaos_spec_once(uint32_t kind, uint64_t at_ns)
{
	return (struct chaos_act){ .kind = kind, .at_ns = at_ns, .for_ns = kinds[kind].for_ns };
}

bool chaos_spec_has(const struct chaos_spec *spec, uint32_t kind)
{
	for (unsigned i = 0; i < spec->count; i++) {
		if (spec->act[i].kind == kind)
			return true;
	}
	return false;
}

const struct chaos_act *chaos_spec_late(const struct chaos_spec *spec, uint64_t end_ns)
{
	for (unsigned i = 0; i < spec->count; i++) {
		const struct chaos_act *a = &spec->act[i];
		uint64_t first = a->at_ns != CHAOS_NEVER ? a->at_ns : a->every_ns;

		if (!a->at_end && !a->scattered && first > end_ns)
			return a;
	}
	return NULL;
}

uint32_t chaos_spec_workers(const struct chaos_spec *spec)
{
	uint32_t most = 0;

	for (unsigned i = 0; i < spec->count; i++)
		most = spec->act[i].max > most ? spec->act[i].max : most;
	return most;
}
