/* SPDX-License-Identifier: MIT */
/* reloads.c - see reloads.h. */
#include "reloads.h"

#include <errno.h>

static void supersede(struct reloads *r, uint32_t pool)
{
	for (int i = 0; i < RELOADS_KEPT; i++) {
		struct reloads_one *one = &r->list[i];

		if (one->waits == 0 ||
			(pool != one->pool && pool != MESSAGE_ALL_POOLS &&
				one->pool != MESSAGE_ALL_POOLS))
			continue;
		one->waits = 0;
		one->result = -ECANCELED;
	}
}

uint64_t reloads_add(struct reloads *r, uint32_t pool, uint32_t pools)
{
	uint64_t id = ++r->last;

	supersede(r, pool);
	r->list[id % RELOADS_KEPT] = (struct reloads_one){
		.id = id, .pool = pool, .waits = pool == MESSAGE_ALL_POOLS ? pools : 1
	};
	return id;
}

void reloads_hear(struct reloads *r, uint64_t id, int result)
{
	struct reloads_one *one = &r->list[id % RELOADS_KEPT];

	if (one->id != id || one->waits == 0)
		return; /* superseded meanwhile */
	one->waits--;
	if (result < 0 && one->result == 0)
		one->result = result;
}

bool reloads_over(const struct reloads *r, uint64_t id, int *ret_result)
{
	const struct reloads_one *one = &r->list[id % RELOADS_KEPT];

	if (id != 0 && one->id == id && one->waits > 0)
		return false;
	*ret_result = id != 0 && one->id == id ? one->result : -EINVAL;
	return true;
}
