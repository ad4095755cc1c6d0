/* SPDX-License-Identifier: MIT */
/* keys.c - which worker had a key last, and what the table forgets. */
#include "pool/keys.h"

#include <criterion/criterion.h>

TestSuite(unit_keys, .timeout = 60);

static struct keys keys;

static void note_key(uint64_t key, uint32_t place, uint32_t serial)
{
	keys_note(&keys, key, (struct keys_worker){ .place = place, .serial = serial });
}

static bool has(uint64_t key, uint32_t place, uint32_t serial)
{
	struct keys_worker w;

	return keys_find(&keys, key, &w) && w.place == place && w.serial == serial;
}

Test(unit_keys, the_last_worker)
{
	struct keys_worker w = { .place = 9, .serial = 9 };

	cr_assert_not(keys_find(&keys, 1, &w), "nobody had it");
	cr_assert(w.place == 9 && w.serial == 9, "untouched");
	note_key(1, 3, 1);
	cr_assert(has(1, 3, 1));
	cr_assert_not(keys_find(&keys, 2, &w));
	note_key(1, 4, 7);
	cr_assert(has(1, 4, 7), "the last one counts");
	note_key(UINT64_MAX, 5, 1);
	cr_assert(has(UINT64_MAX, 5, 1) && has(1, 4, 7));
}

Test(unit_keys, no_key)
{
	struct keys_worker w;

	cr_assert_not(keys_find(&keys, 0, &w), "0 is no key, and a free place is none");
}

Test(unit_keys, a_few_keys_are_kept)
{
	for (uint64_t key = 1; key <= KEYS_SETS; key++)
		note_key(key, (uint32_t)key, 1);
	for (uint64_t key = 1; key <= KEYS_SETS; key++)
		cr_assert(has(key, (uint32_t)key, 1), "key %d", (int)key);
}

Test(unit_keys, forgets_the_oldest)
{
	uint64_t mine = 77, other = 1000;
	struct keys_worker w;
	uint32_t kept = 0;

	note_key(mine, 1, 1);
	for (; other < 100000; other++) {
		note_key(other, 2, 1);
		note_key(mine, 1, (uint32_t)other);
		cr_assert(has(mine, 1, (uint32_t)other), "who is used stays");
	}
	for (uint64_t key = 1000; key < other; key++)
		kept += keys_find(&keys, key, &w);
	cr_assert_leq(kept, KEYS_SETS * KEYS_WAYS - 1, "the table has its size");
	cr_assert_geq(kept, KEYS_SETS * (KEYS_WAYS - 1), "and uses it");
	for (; other < 200000; other++)
		note_key(other, 2, 1);
	cr_assert_not(keys_find(&keys, mine, &w), "forgotten");
}
