/* SPDX-License-Identifier: MIT */
/* line.c - queues that wait until they may ask for a lease: who is told first. */
#include "base/base.h"
#include "pool/line.h"
#include "unit.h"

#include <criterion/criterion.h>

TestSuite(unit_line, .timeout = 60);

#define AT 1000000u

static struct line line;
static struct line_place places[5];

static void begin(int count)
{
	line_init(&line);
	for (int i = 0; i < 5; i++)
		line_place_init(&places[i]);
	for (int i = 0; i < count; i++)
		line_join(&line, &places[i]);
}

static uint32_t before(int place, uint64_t now)
{
	return line_before(&line, &places[place], 100, now);
}

Test(unit_line, first_come_first_told)
{
	begin(3);
	cr_assert_eq(before(0, AT), 0);
	cr_assert_eq(before(2, AT), 2);
	cr_assert_eq(before(4, AT), 3, "who has just come is behind all");
	for (int i = 0; i < 3; i++)
		cr_assert_eq(line_room(&line, AT), &places[i]);
	cr_assert_null(line_room(&line, AT));
	cr_assert_eq(before(4, AT), 3, "they were told, and ask next");
	cr_assert(line_leave(&places[0]));
	cr_assert_eq(before(1, AT), 0);
	cr_assert_eq(before(4, AT), 2);
}

Test(unit_line, counts_no_more_than_it_must)
{
	begin(4);
	cr_assert_eq(line_before(&line, &places[4], 2, AT), 2);
	cr_assert_eq(line_before(&line, &places[4], 0, AT), 0);
}

Test(unit_line, who_joins_again_keeps_the_place)
{
	begin(3);
	cr_assert_eq(line_room(&line, AT), &places[0]);
	line_join(&line, &places[0]); /* it asked, and there was no room */
	cr_assert_eq(before(0, AT), 0);
	cr_assert_eq(before(1, AT), 1);
	cr_assert_eq(line_room(&line, AT), &places[0], "it is told again");
}

Test(unit_line, who_does_not_ask_holds_up_nobody)
{
	begin(2);
	cr_assert_eq(line_room(&line, AT), &places[0]);
	cr_assert_eq(before(1, AT + LINE_WAIT_NS), 1);
	cr_assert_eq(before(1, AT + LINE_WAIT_NS + 1), 0);
	cr_assert_eq(line_room(&line, AT + LINE_WAIT_NS + 1), &places[1]);
	line_join(&line, &places[0]); /* it comes late, and is the last */
	cr_assert_eq(before(0, AT + LINE_WAIT_NS + 1), 1);
	cr_assert_eq(line_room(&line, AT + LINE_WAIT_NS + 1), &places[0]);
}

Test(unit_line, who_leaves_says_whether_the_room_is_for_the_next)
{
	begin(2);
	cr_assert(!line_leave(&places[1]), "it was not told");
	cr_assert_eq(line_room(&line, AT), &places[0]);
	cr_assert(line_leave(&places[0]));
	cr_assert(!line_leave(&places[0]), "it has left before");
	cr_assert_null(line_room(&line, AT));
	cr_assert_eq(before(4, AT), 0);
}
