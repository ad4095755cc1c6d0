/* SPDX-License-Identifier: MIT */
/* notices.c - what waits for a service manager that does not read: its order and its bounds. */
#include "pool/notices.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

TestSuite(unit_notices, .timeout = 20);

static struct notices *fresh(void)
{
	struct notices *n = calloc(1, sizeof *n);

	cr_assert(n);
	return n;
}

static void next_is(struct notices *n, const char *text, int fd)
{
	struct notice *first = notices_first(n);

	cr_assert(first);
	cr_assert_str_eq(first->text, text);
	cr_assert_eq(first->size, strlen(text));
	cr_assert_eq(notices_take(n), fd);
}

static void add_many(struct notices *n, enum notice_kind kind, uint32_t from, uint32_t count)
{
	char text[32];

	for (uint32_t i = from; i < from + count; i++) {
		snprintf(text, sizeof text, "X_N=%u", i);
		cr_assert_eq(notices_add(n, kind, text, -1), 0);
	}
}

Test(unit_notices, come_out_in_order)
{
	struct notices *n = fresh();
	char text[32];

	cr_assert_null(notices_first(n));
	cr_assert_eq(notices_take(n), -1);
	for (uint32_t round = 0; round < 5 * NOTICES_MAX; round++) {
		add_many(n, NOTICE_PLAIN, round, 3);
		for (uint32_t i = round; i < round + 3; i++) {
			snprintf(text, sizeof text, "X_N=%u", i);
			next_is(n, text, -1);
		}
	}
	cr_assert_eq(n->dropped, 0);
	free(n);
}

Test(unit_notices, the_order_holds_around_the_end_of_the_ring)
{
	struct notices *n = fresh();
	uint32_t next = 0, added = 0;
	char text[32];

	add_many(n, NOTICE_PLAIN, 0, NOTICES_MAX / 2);
	added = NOTICES_MAX / 2;
	for (uint32_t i = 0; i < 10 * NOTICES_MAX; i++) {
		add_many(n, NOTICE_PLAIN, added++, 1);
		snprintf(text, sizeof text, "X_N=%u", next++);
		next_is(n, text, -1);
	}
	cr_assert_eq(n->count, NOTICES_MAX / 2);
	free(n);
}

Test(unit_notices, a_newer_status_takes_the_place_of_the_last)
{
	struct notices *n = fresh();

	notices_add(n, NOTICE_STATUS, "STATUS=1", -1);
	notices_add(n, NOTICE_STATUS, "STATUS=2", -1);
	notices_add(n, NOTICE_OTHERS, "RELOADING=1", -1);
	notices_add(n, NOTICE_STATUS, "STATUS=3", -1);
	notices_add(n, NOTICE_STATUS, "STATUS=4", -1);
	/* a status that came with something else stays */
	notices_add(n, NOTICE_PLAIN, "STOPPING=1\nSTATUS=stopping", -1);
	notices_add(n, NOTICE_STATUS, "STATUS=5", -1);
	next_is(n, "STATUS=2", -1);
	next_is(n, "RELOADING=1", -1);
	next_is(n, "STATUS=4", -1);
	next_is(n, "STOPPING=1\nSTATUS=stopping", -1);
	next_is(n, "STATUS=5", -1);
	cr_assert_null(notices_first(n));
	free(n);
}

Test(unit_notices, one_sign_of_life_is_enough)
{
	struct notices *n = fresh();

	for (int i = 0; i < 1000; i++)
		cr_assert_eq(notices_add(n, NOTICE_ONCE, "WATCHDOG=1", -1), 0);
	cr_assert_eq(notices_add(n, NOTICE_ONCE, "WATCHDOG=trigger", -1), 0);
	cr_assert_eq(n->count, 2);
	next_is(n, "WATCHDOG=1", -1);
	cr_assert_eq(notices_add(n, NOTICE_ONCE, "WATCHDOG=1", -1), 0);
	next_is(n, "WATCHDOG=trigger", -1);
	next_is(n, "WATCHDOG=1", -1);
	free(n);
}

/* An engine that says much leaves room for what the supervisor has to say. */
Test(unit_notices, others_have_a_part_of_the_room)
{
	struct notices *n = fresh();

	add_many(n, NOTICE_OTHERS, 0, NOTICES_FOR_OTHERS);
	cr_assert_eq(notices_add(n, NOTICE_OTHERS, "X_N=more", -1), -ENOBUFS);
	cr_assert_eq(notices_add(n, NOTICE_STATUS, "STATUS=more", -1), -ENOBUFS);
	cr_assert_eq(n->dropped, 2);
	add_many(n, NOTICE_PLAIN, 100, NOTICES_MAX - NOTICES_FOR_OTHERS);
	cr_assert_eq(notices_add(n, NOTICE_PLAIN, "STOPPING=1", -1), -ENOBUFS);
	for (uint32_t i = 0; i < NOTICES_MAX; i++)
		cr_assert_eq(notices_take(n), -1);
	cr_assert_null(notices_first(n));
	cr_assert_eq(notices_add(n, NOTICE_OTHERS, "X_N=again", -1), 0);
	next_is(n, "X_N=again", -1);
	free(n);
}

Test(unit_notices, a_message_has_its_fd)
{
	struct notices *n = fresh();

	notices_add(n, NOTICE_OTHERS, "X_N=0", -1);
	notices_add(n, NOTICE_OTHERS, "BARRIER=1", 0);
	notices_add(n, NOTICE_OTHERS, "FDSTORE=1\nFDNAME=a", 7);
	next_is(n, "X_N=0", -1);
	next_is(n, "BARRIER=1", 0);
	next_is(n, "FDSTORE=1\nFDNAME=a", 7);
	free(n);
}

Test(unit_notices, a_text_has_a_bound)
{
	struct notices *n = fresh();
	char text[NOTICE_TEXT_MAX + 1];

	memset(text, 'x', sizeof text);
	text[NOTICE_TEXT_MAX] = '\0';
	cr_assert_eq(notices_add(n, NOTICE_PLAIN, text, -1), -EMSGSIZE);
	text[NOTICE_TEXT_MAX - 1] = '\0';
	cr_assert_eq(notices_add(n, NOTICE_PLAIN, text, -1), 0);
	next_is(n, text, -1);
	free(n);
}
