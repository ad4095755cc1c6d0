/* SPDX-License-Identifier: MIT */
/* ring.c - where the bytes of a ring lie, and whose a job in it is. */
#include "wire/ring.h"

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

static struct ring_up up;

/* Round after round in one place, also where the 30 bits of a word's sequence begin anew. */
Test(unit_ring, who_claims_a_job_first_has_it)
{
	const uint64_t firsts[] = { 1, UINT64_C(1) << 30, (UINT64_C(1) << 30) - RING_DEPTH };
	uint32_t found;

	for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
		atomic_store(&up.dones[firsts[i] % RING_DEPTH].claim, 0);
		for (uint64_t n = firsts[i], round = 0; round < 8; round++, n += RING_DEPTH) {
			enum claim_state to = round % 2 ? CLAIM_WITHDRAWN : CLAIM_TAKEN;

			cr_assert(ring_claim(&up, n, to, &found), "%ju", (uintmax_t)n);
			cr_assert_not(ring_claim(&up, n, CLAIM_TAKEN, &found));
			cr_assert_eq(found, CLAIM_WORD(n, to));
			cr_assert_not(ring_withdraw(&up, n));
			cr_assert_not(claim_is_open(CLAIM_WORD(n, to), n));
		}
	}
}

Test(unit_ring, a_claim_that_makes_no_sense_is_not_open)
{
	const uint64_t n = 1000;
	const uint32_t words[] = { CLAIM_WORD(n, 0), CLAIM_WORD(n, 3),
		CLAIM_WORD(n - RING_DEPTH, 0), CLAIM_WORD(n - RING_DEPTH, 3),
		CLAIM_WORD(n - 2 * RING_DEPTH, CLAIM_TAKEN), CLAIM_WORD(n + 1, CLAIM_TAKEN), 1, 2,
		UINT32_MAX };
	uint32_t found;

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		atomic_store(&up.dones[n % RING_DEPTH].claim, words[i]);
		cr_assert_not(ring_claim(&up, n, CLAIM_TAKEN, &found), "word %#x", words[i]);
		cr_assert_eq(found, words[i]);
		cr_assert_not(ring_withdraw(&up, n));
	}
}
