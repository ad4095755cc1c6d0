/* SPDX-License-Identifier: MIT */
/* base.c - times that are too large, and waits that must not end early. */
#include "base/base.h"
#include "base/printable.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <stdio.h>

TestSuite(unit_base, .timeout = 20);

Test(unit_base, time_after)
{
	cr_assert_eq(time_after_ms(5, 0), 5);
	cr_assert_eq(time_after_ms(5, 3), 5 + 3 * NS_PER_MS);
	cr_assert_eq(time_after_ms(0, UINT32_MAX - 1), (uint64_t)(UINT32_MAX - 1) * NS_PER_MS,
		"the longest that is not forever");
	cr_assert_eq(time_after_ms(0, UINT32_MAX), TIME_NEVER);
	cr_assert_eq(time_after_ms(TIME_NEVER, 0), TIME_NEVER);
	cr_assert_eq(time_after_ms(TIME_NEVER, 1), TIME_NEVER);
	cr_assert_eq(time_after_ms(TIME_NEVER - NS_PER_MS, 2), TIME_NEVER, "no wrap to the past");
	cr_assert_eq(time_after_ns(TIME_NEVER - 7, 7), TIME_NEVER);
	cr_assert_eq(time_after_ns(TIME_NEVER - 7, 6), TIME_NEVER - 1);
}

Test(unit_base, poll_rounds_up)
{
	cr_assert_eq(time_poll_ms(100, TIME_NEVER), -1);
	cr_assert_eq(time_poll_ms(100, 100), 0);
	cr_assert_eq(time_poll_ms(100, 7), 0);
	cr_assert_eq(time_poll_ms(100, 101), 1);
	cr_assert_eq(time_poll_ms(100, 100 + NS_PER_MS), 1);
	cr_assert_eq(time_poll_ms(100, 101 + NS_PER_MS), 2);
	cr_assert_eq(time_poll_ms(0, TIME_NEVER - 1), INT_MAX, "far away is far away, not now");
	cr_assert_eq(time_poll_ms(0, INT_MAX * NS_PER_MS + 1), INT_MAX);
	cr_assert_eq(time_poll_ms(TIME_NEVER - 1, TIME_NEVER), -1);
	cr_assert_eq(time_poll_ms(TIME_NEVER, 0), 0);
}

Test(unit_base, numbers_are_written)
{
	static const uint32_t numbers[] = { 0, 9, 10, 4711, 1000000000, UINT32_MAX };
	char text[12], wanted[12];

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		memset(text, 'x', sizeof text);
		snprintf(wanted, sizeof wanted, "%u", numbers[i]);
		cr_assert_eq(printable_number(text, numbers[i]), text + strlen(wanted));
		cr_assert_str_eq(text, wanted);
		cr_assert_eq(text[11], 'x', "no byte too many");
	}
}

Test(unit_base, close_keeps_errno)
{
	errno = EINTR;
	cr_assert_eq(close_fd(-1), -1);
	cr_assert_eq(errno, EINTR);
}

Test(unit_base, list)
{
	struct list head, a, b, c;
	int seen = 0;

	list_init(&head);
	list_init(&a);
	list_remove(&a);
	cr_assert(list_empty(&a));
	cr_assert_null(list_first(&head));
	list_append(&a, &head);
	list_append(&b, &head);
	list_insert(&c, &head);
	cr_assert_eq(list_first(&head), &c);
	cr_assert_eq(head.prev, &b);
	list_for_each_safe(pos, next, &head) {
		list_remove(pos);
		seen++;
	}
	cr_assert_eq(seen, 3);
	cr_assert(list_empty(&head));
	list_remove(&b);
	cr_assert(list_empty(&b), "twice removed is removed");
}
