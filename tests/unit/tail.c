/* SPDX-License-Identifier: MIT */
/* tail.c - the last lines of what was written: which, how they are shown, and that any bytes do. */
#include "base/base.h"
#include "pool/tail.h"
#include "unit.h"

#include <criterion/criterion.h>
#include <stdio.h>

TestSuite(unit_tail, .timeout = 60);

static struct tail tail;
static char text[4 * TAIL_BYTES];

static void add(const char *bytes) { tail_add(&tail, bytes, strlen(bytes)); }

static void begin(const char *bytes)
{
	tail_clear(&tail);
	add(bytes);
}

static void shows(uint32_t lines, size_t size, const char *expected)
{
	size_t length = tail_text(&tail, lines, text, size);

	cr_assert_str_eq(text, expected);
	cr_assert_eq(length, strlen(expected));
}

Test(unit_tail, the_last_lines)
{
	begin("");
	shows(20, sizeof text, "");
	begin("one\ntwo\nthree\n");
	shows(20, sizeof text, "one\ntwo\nthree");
	shows(2, sizeof text, "two\nthree");
	shows(1, sizeof text, "three");
	shows(0, sizeof text, "");
	add("fo");
	shows(2, sizeof text, "three\nfo");
	add("ur");
	shows(1, sizeof text, "four");
	begin("\n\nlast\n\n");
	shows(20, sizeof text, "\n\nlast\n");
	shows(2, sizeof text, "last\n");
	begin("\n");
	shows(20, sizeof text, "");
}

Test(unit_tail, bytes_that_are_no_text)
{
	begin("a\tb\r\nc\rd\x1b[31m\x7f");
	shows(20, sizeof text, "a\tb\nc\\x0dd\\x1b[31m\\x7f");
	begin("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
	shows(20, sizeof text, "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
	/* overlong, a surrogate, beyond the last character, a C1 control, cut off, alone */
	begin("\xc0\xaf \xe0\x9f\xbf \xed\xa0\x80");
	shows(20, sizeof text, "\\xc0\\xaf \\xe0\\x9f\\xbf \\xed\\xa0\\x80");
	begin("\xf4\x90\x80\x80 \xf0\x8f\xbf\xbf \xc2\x9b");
	shows(20, sizeof text, "\\xf4\\x90\\x80\\x80 \\xf0\\x8f\\xbf\\xbf \\xc2\\x9b");
	begin("\xe2\x82\nx\xe2\x82");
	shows(20, sizeof text, "\\xe2\\x82\nx\\xe2\\x82");
	begin("");
	tail_add(&tail, "a\0b", 3);
	shows(20, sizeof text, "a\\x00b");
}

Test(unit_tail, what_has_no_room_is_left_out)
{
	begin("first\nsecond\n");
	shows(20, 13, "first\nsecond");
	shows(20, 12, "...t\nsecond");
	shows(20, 10, "second"); /* a whole line is left out silently */
	begin("abcdefgh");
	shows(20, 9, "abcdefgh");
	shows(20, 8, "...efgh");
	begin("\x01\x02\x03");
	shows(20, 13, "\\x01\\x02\\x03");
	shows(20, 12, "...\\x02\\x03");
	shows(20, 8, "...\\x03");
}

Test(unit_tail, only_the_last_bytes_are_kept)
{
	static char big[3 * TAIL_BYTES];

	memset(big, 'x', sizeof big);
	tail_clear(&tail);
	tail_add(&tail, big, sizeof big);
	tail_add(&tail, "\nend\n", 5);
	cr_assert_eq(tail_text(&tail, 20, text, sizeof text), 3 + TAIL_BYTES - 1);
	cr_assert(strncmp(text, "...xxx", 6) == 0);
	cr_assert_str_eq(text + strlen(text) - 5, "x\nend");
	shows(1, sizeof text, "end");
	/* the first byte that is kept is the last one of a character */
	tail_clear(&tail);
	tail_add(&tail, "\xe2\x82\xac", 3);
	tail_add(&tail, big, TAIL_BYTES - 1);
	tail_text(&tail, 20, text, sizeof text);
	cr_assert(strncmp(text, "...xxx", 6) == 0, "%.20s", text);
}

/* In pieces of any size the result is that of one piece, and a model's. */
Test(unit_tail, any_pieces)
{
	static unsigned char bytes[5 * TAIL_BYTES];
	static char whole[4 * TAIL_BYTES];

	for (uint64_t seed = 1; seed <= UNIT_SEEDS; seed++) {
		struct unit_random random = { seed };
		size_t size = unit_below(&random, sizeof bytes), at = 0, room;
		uint32_t lines = (uint32_t)unit_below(&random, 30);

		for (size_t i = 0; i < size; i++)
			bytes[i] = unit_below(&random, 8) == 0
				? '\n'
				: (unsigned char)unit_random(&random);
		tail_clear(&tail);
		tail_add(&tail, bytes, size);
		tail_text(&tail, lines, whole, sizeof whole);
		tail_clear(&tail);
		while (at < size) {
			size_t n = unit_below(&random, 2 * TAIL_BYTES);

			n = MIN(n, size - at);
			tail_add(&tail, bytes + at, n);
			at += n;
		}
		shows(lines, sizeof whole, whole);
		room = 8 + unit_below(&random, 300);
		memset(text, '#', sizeof text);
		cr_assert_lt(tail_text(&tail, lines, text, room), room);
		cr_assert_eq(text[room], '#');
		for (const char *c = text; *c; c++)
			cr_assert((unsigned char)*c >= ' ' || *c == '\n' || *c == '\t');
	}
}
