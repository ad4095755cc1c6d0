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

/* As a worker does. */
static bool take(uint64_t n)
{
	uint32_t found = atomic_load(&up.dones[n % RING_DEPTH].claim);

	return CLAIM_IS_OPEN(found, n) &&
		atomic_compare_exchange_strong(
			&up.dones[n % RING_DEPTH].claim, &found, CLAIM_WORD(n, CLAIM_TAKEN));
}

/* Round after round in one place, also where the 30 bits of a word's sequence begin anew. */
Test(unit_ring, who_claims_a_job_first_has_it)
{
	const uint64_t firsts[] = { 1, UINT64_C(1) << 30, (UINT64_C(1) << 30) - RING_DEPTH };

	for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
		ring_claims_open(up.dones, firsts[i] - 1);
		for (uint64_t n = firsts[i], round = 0; round < 8; round++, n += RING_DEPTH) {
			bool withdrawn = round % 2;

			cr_assert(withdrawn ? ring_withdraw(up.dones, n) : take(n), "%ju",
				(uintmax_t)n);
			cr_assert_eq(atomic_load(&up.dones[n % RING_DEPTH].claim),
				CLAIM_WORD(n, withdrawn ? CLAIM_WITHDRAWN : CLAIM_TAKEN));
			cr_assert_not(take(n));
			cr_assert_not(ring_withdraw(up.dones, n));
		}
	}
}

Test(unit_ring, the_first_round_of_claims_is_open_and_no_later_one)
{
	for (uint64_t base = 0; base < 1000; base += 333) {
		ring_claims_open(up.dones, base);
		for (uint64_t n = base + 1; n <= base + RING_DEPTH; n++) {
			cr_assert_not(take(n + RING_DEPTH), "%ju", (uintmax_t)n);
			cr_assert(take(n), "%ju", (uintmax_t)n);
		}
	}
}

Test(unit_ring, a_claim_that_makes_no_sense_is_not_open)
{
	const uint64_t n = 1000;
	const uint32_t words[] = { CLAIM_WORD(n, 0), CLAIM_WORD(n, 3),
		CLAIM_WORD(n - RING_DEPTH, 0), CLAIM_WORD(n - RING_DEPTH, 3),
		CLAIM_WORD(n - 2 * RING_DEPTH, CLAIM_TAKEN), CLAIM_WORD(n + 1, CLAIM_TAKEN), 0, 1,
		2, UINT32_MAX };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		atomic_store(&up.dones[n % RING_DEPTH].claim, words[i]);
		cr_assert_not(take(n), "word %#x", words[i]);
		cr_assert_not(ring_withdraw(up.dones, n), "word %#x", words[i]);
		cr_assert_eq(atomic_load(&up.dones[n % RING_DEPTH].claim), words[i]);
	}
}
