/* SPDX-License-Identifier: MIT */
/*
 * tail.c - see tail.h. To add bytes is all that is done while a worker writes: so only copying
 * costs time there. Lines are looked for when somebody wants them.
 */
#include "tail.h"

#include "../base/base.h"

#define CUT        "..."
#define ESCAPE_MAX 4 /* \xNN */

void tail_add(struct tail *t, const void *bytes, size_t size)
{
	const unsigned char *from = bytes;
	const size_t skip = size > TAIL_BYTES ? size - TAIL_BYTES : 0;

	for (size_t left = size - skip; left > 0;) {
		size_t number = size - left;
		size_t at = (size_t)((t->added + number) % TAIL_BYTES);
		size_t n = MIN(left, TAIL_BYTES - at);

		memcpy(t->bytes + at, from + number, n);
		left -= n;
	}
	t->added += size;
}

/* ---- what is shown of a byte ---- */

struct unit {
	size_t size;  /* bytes that belong together */
	size_t shown; /* bytes that they become */
};

static bool follows(const unsigned char *at, size_t left, size_t count)
{
	if (left < count)
		return false;
	for (size_t i = 1; i < count; i++)
		if ((at[i] & 0xc0) != 0x80)
			return false;
	return true;
}

/* How many bytes make a character here; 0: they are no UTF-8, or a control character. */
static size_t utf8(const unsigned char *at, size_t left)
{
	if (at[0] >= 0xc2 && at[0] <= 0xdf && follows(at, left, 2))
		return at[0] == 0xc2 && at[1] < 0xa0 ? 0 : 2;
	if (at[0] >= 0xe0 && at[0] <= 0xef && follows(at, left, 3)) {
		bool overlong = at[0] == 0xe0 && at[1] < 0xa0;
		bool surrogate = at[0] == 0xed && at[1] >= 0xa0;

		return overlong || surrogate ? 0 : 3;
	}
	if (at[0] >= 0xf0 && at[0] <= 0xf4 && follows(at, left, 4)) {
		bool overlong = at[0] == 0xf0 && at[1] < 0x90;
		bool beyond = at[0] == 0xf4 && at[1] >= 0x90;

		return overlong || beyond ? 0 : 4;
	}
	return 0;
}

/* A return before a newline is not shown. */
static struct unit unit_at(const unsigned char *at, size_t left)
{
	size_t n;

	if (at[0] == '\n' || at[0] == '\t' || (at[0] >= ' ' && at[0] < 0x7f))
		return (struct unit){ 1, 1 };
	if (at[0] == '\r' && left > 1 && at[1] == '\n')
		return (struct unit){ 1, 0 };
	n = utf8(at, left);
	return n ? (struct unit){ n, n } : (struct unit){ 1, ESCAPE_MAX };
}

static char *put(char *to, const unsigned char *at, struct unit unit)
{
	static const char digits[] = "0123456789abcdef";

	if (unit.shown == unit.size) {
		memcpy(to, at, unit.size);
		return to + unit.size;
	}
	if (unit.shown == 0)
		return to;
	*to++ = '\\';
	*to++ = 'x';
	*to++ = digits[at[0] >> 4];
	*to++ = digits[at[0] & 15];
	return to;
}

/* ---- which bytes are shown ---- */

struct piece {
	const unsigned char *from, *end;
	bool cut; /* what stood before is left out in the middle of a line */
};

static size_t shown_size(const struct piece *p)
{
	size_t sum = 0;

	for (const unsigned char *at = p->from; at < p->end;) {
		struct unit unit = unit_at(at, (size_t)(p->end - at));

		sum += unit.shown;
		at += unit.size;
	}
	return sum;
}

/* Where the last `lines` lines begin. */
static const unsigned char *begin_of(const struct piece *p, uint32_t lines)
{
	const unsigned char *at = p->end;

	for (; at > p->from; at--)
		if (at[-1] == '\n' && lines-- <= 1)
			break;
	return at;
}

static void leave_out(struct piece *p, size_t room)
{
	size_t shown = shown_size(p);

	while (shown + (p->cut ? strlen(CUT) : 0) > room && p->from < p->end) {
		struct unit unit = unit_at(p->from, (size_t)(p->end - p->from));

		p->cut = p->from[0] != '\n';
		p->from += unit.size;
		shown -= unit.shown;
	}
}

/* The first bytes may be the rest of a character whose beginning is lost. */
static void skip_rest(struct piece *p)
{
	for (int i = 0; i < 3 && p->from < p->end && (*p->from & 0xc0) == 0x80; i++)
		p->from++;
}

size_t tail_text(const struct tail *t, uint32_t lines, char *text, size_t size)
{
	unsigned char kept[TAIL_BYTES];
	const size_t count = (size_t)MIN(t->added, (uint64_t)TAIL_BYTES);
	const size_t first = (size_t)((t->added - count) % TAIL_BYTES);
	struct piece p = { .from = kept, .end = kept + count, .cut = t->added > count };
	const unsigned char *begin;
	char *to = text;

	memcpy(kept, t->bytes + first, MIN(count, TAIL_BYTES - first));
	memcpy(kept + MIN(count, TAIL_BYTES - first), t->bytes,
		count - MIN(count, TAIL_BYTES - first));
	if (p.cut)
		skip_rest(&p);
	if (p.end > p.from && p.end[-1] == '\n')
		p.end--;
	begin = lines > 0 ? begin_of(&p, lines) : p.end;
	p.cut = p.cut && begin == p.from;
	p.from = begin;
	leave_out(&p, size - 1);
	if (p.cut && p.from < p.end)
		to = stpcpy(to, CUT);
	while (p.from < p.end) {
		struct unit unit = unit_at(p.from, (size_t)(p.end - p.from));

		to = put(to, p.from, unit);
		p.from += unit.size;
	}
	*to = '\0';
	return (size_t)(to - text);
}
