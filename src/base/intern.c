/* SPDX-License-Identifier: MIT */
/*
 * intern.c - see intern.h.
 *
 * A hash table with open addressing. A place is filled once, and never changed or emptied, so a
 * reader takes no lock. If two threads see a new function at once, a compare-and-exchange decides
 * which of the two names stays. Names are copied, since a program may reuse the memory of a text.
 */
#include "base.h"

#include "intern.h"

#include <stdatomic.h>
#include <stdlib.h>

#define PLACES (2 * INTERN_FUNCTIONS_MAX)
#define MARK   0xf8u

struct named {
	uintptr_t function;
	char name[INTERN_NAME_MAX];
};

static _Atomic(struct named *) places[PLACES];
static _Atomic uint32_t taken;

struct span {
	const char *text;
	size_t size;
};

/* The end of a literal that begins at `at`: behind the closing quote. */
static size_t literal_end(const char *text, size_t at)
{
	char quote = text[at++];

	while (text[at] && text[at] != quote)
		at += text[at] == '\\' && text[at + 1] ? 2 : 1;
	return text[at] ? at + 1 : at;
}

/*
 * Where the commas between a macro's arguments are: the last `room` of them, in the order of the
 * text. *ret_first is the first comma of all. Commas in brackets and literals do not count.
 */
static size_t commas_of(const char *text, size_t *commas, size_t room, size_t *ret_first)
{
	size_t count = 0;
	int depth = 0;

	for (size_t at = 0; text[at];) {
		if (text[at] == '"' || text[at] == '\'') {
			at = literal_end(text, at);
			continue;
		}
		depth += strchr("([{", text[at]) != NULL;
		depth -= strchr(")]}", text[at]) != NULL;
		if (text[at] == ',' && depth == 0) {
			if (count == 0)
				*ret_first = at;
			if (count == room)
				memmove(commas, commas + 1, (room - 1) * sizeof *commas);
			commas[MIN(count, room - 1)] = at;
			count = MIN(count + 1, room);
		}
		at++;
	}
	return count;
}

/*
 * Cuts the job's function out of the text of a macro's arguments. The function is the second
 * argument, and `behind` more follow: of "brood, fn, a, b" with behind 2 the answer is "fn". The
 * end is counted from the last argument, because a C++ function may have commas of its own
 * ("f<a, b>"). Without enough commas the answer is all behind the first comma, or all of text.
 */
static struct span second_argument(const char *text, size_t behind)
{
	size_t commas[8], first = 0, count = commas_of(text, commas, behind, &first);
	size_t end = count == behind ? commas[0] : strlen(text);

	if (count == 0 || end <= first)
		return (struct span){ text, strlen(text) };
	return (struct span){ text + first + 1, end - first - 1 };
}

static void copy_name(char name[INTERN_NAME_MAX], const char *text)
{
	struct span s = { text, text ? strlen(text) : 0 };
	size_t n = 0;

	if (s.size > 0 && (unsigned char)text[0] > MARK)
		s = second_argument(text + 1, (unsigned char)text[0] - MARK);
	for (; s.size > 0 && *s.text == ' '; s.text++)
		s.size--;
	for (; n < s.size && n < INTERN_NAME_MAX - 1; n++)
		name[n] = (unsigned char)s.text[n] < ' ' ? ' ' : s.text[n];
	if (n == 0)
		name[n++] = '?';
	name[n] = '\0';
}

static struct named *make(uintptr_t function, const char *text)
{
	struct named *new = NULL;

	if (atomic_fetch_add_explicit(&taken, 1, memory_order_relaxed) < INTERN_FUNCTIONS_MAX)
		new = malloc(sizeof *new);
	if (!new) {
		atomic_fetch_sub_explicit(&taken, 1, memory_order_relaxed);
		return NULL;
	}
	new->function = function;
	copy_name(new->name, text);
	return new;
}

static void drop(struct named *named)
{
	if (!named)
		return;
	free(named);
	atomic_fetch_sub_explicit(&taken, 1, memory_order_relaxed);
}

const char *intern_function(uintptr_t function, const char *text)
{
	size_t at = (size_t)((uint64_t)function * UINT64_C(0x9e3779b97f4a7c15) >> 40);
	struct named *new = NULL;

	for (;; at++) {
		_Atomic(struct named *) *place = &places[at % PLACES];
		struct named *there = atomic_load_explicit(place, memory_order_acquire);

		if (!there) {
			if (!new && !(new = make(function, text)))
				return "?";
			if (atomic_compare_exchange_strong_explicit(
				    place, &there, new, memory_order_acq_rel, memory_order_acquire))
				return new->name;
		}
		if (there->function == function) {
			drop(new);
			return there->name;
		}
	}
}
