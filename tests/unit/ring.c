/* SPDX-License-Identifier: MIT */
/* ring.c - where the bytes of a ring lie. */
#include "wire/ring_space.h"

#include <criterion/criterion.h>

TestSuite(unit_ring, .timeout = 60);

#define SIZE 1024u

Test(unit_ring, an_empty_space_begins_at_the_front)
{
	struct ring_space space = { .size = SIZE };
	uint64_t end;

	for (int i = 0; i < 10; i++) {
		cr_assert_eq(ring_space_take(&space, 100, 64, &end), 0);
		cr_assert_eq(ring_space_take(&space, 100, 64, &end), 128);
		ring_space_give_back(&space, end);
	}
}

Test(unit_ring, each_piece_is_in_one_piece)
{
	struct ring_space space = { .size = SIZE };
	uint64_t first, second, end;

	cr_assert_eq(ring_space_take(&space, 500, 64, &first), 0);
	cr_assert_eq(ring_space_take(&space, 400, 64, &second), 512);
	cr_assert_eq(ring_space_take(&space, 200, 64, &end), -1, "112 bytes are left");
	ring_space_give_back(&space, first);
	cr_assert_eq(ring_space_take(&space, 200, 64, &end), 0, "at the front of the next round");
	cr_assert_eq(ring_space_take(&space, 400, 64, &end), -1);
	ring_space_give_back(&space, second);
	cr_assert_eq(ring_space_take(&space, 400, 64, &end), 256);
	cr_assert_eq(ring_space_take(&space, SIZE + 1, 64, &end), -1);
}

/*
 * A job with bytes, and one without, which ends where that one does. The first is over, so the next
 * job's bytes begin at the front. When the second is over, nothing that was given back is taken.
 */
Test(unit_ring, what_is_given_back_late_takes_nothing_back)
{
	struct ring_space space = { .size = SIZE };
	uint64_t first, end;

	ring_space_take(&space, 100, 64, &first);
	ring_space_give_back(&space, first);
	cr_assert_eq(ring_space_take(&space, 100, 64, &end), 0);
	ring_space_give_back(&space, first);
	cr_assert_eq(ring_space_take(&space, SIZE - 128, 64, &end), 128, "all of the rest is free");
}
