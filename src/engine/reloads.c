/* SPDX-License-Identifier: MIT */
/* reloads.c - see reloads.h. */
#include "reloads.h"

#include <errno.h>

_Static_assert(BROOD_POOLS_MAX <= 64, "a bit for each pool");

uint64_t reloads_add(struct reloads *r, uint32_t pool, uint32_t pools)
{
	uint64_t id = ++r->last;
	uint64_t bits = pool == MESSAGE_ALL_POOLS ? UINT64_MAX >> (64 - pools) : 1ull << pool;

	r->list[id % RELOADS_KEPT] = (struct reloads_one){ .id = id, .pools = bits, .waits = bits };
	return id;
}

static void end_in(struct reloads_one *one, uint64_t pools, int result)
{
	if (!(one->waits & pools))
		return;
	one->waits &= ~pools;
	if (one->result == 0 || one->result == -ECANCELED)
		one->result = result ? result : one->result;
}

void reloads_sent(struct reloads *r, uint64_t id)
{
	const struct reloads_one *sent = &r->list[id % RELOADS_KEPT];

	if (sent->id != id)
		return; /* so many later reloads came meanwhile that this one is forgotten */
	for (int i = 0; i < RELOADS_KEPT; i++) {
		struct reloads_one *one = &r->list[i];

		if (one->id < id)
			end_in(one, sent->pools, -ECANCELED);
	}
}

void reloads_unsent(struct reloads *r, uint64_t id, int error)
{
	struct reloads_one *one = &r->list[id % RELOADS_KEPT];

	if (one->id == id)
		end_in(one, one->waits, error);
}

void reloads_hear(struct reloads *r, uint64_t id, uint32_t pool, int result)
{
	struct reloads_one *one = &r->list[id % RELOADS_KEPT];

	if (one->id == id && pool < BROOD_POOLS_MAX)
		end_in(one, 1ull << pool, result);
}

bool reloads_over(const struct reloads *r, uint64_t id, int *ret_result)
{
	const struct reloads_one *one = &r->list[id % RELOADS_KEPT];

	if (id != 0 && one->id == id && one->waits > 0)
		return false;
	*ret_result = id != 0 && one->id == id ? one->result : -EINVAL;
	return true;
}
