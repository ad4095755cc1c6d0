/* SPDX-License-Identifier: MIT */
/* reloads.c - see reloads.h. */
#include "reloads.h"

#include <errno.h>

uint64_t reloads_add(struct reloads *r, uint32_t pool, uint32_t pools)
{
	uint64_t id = ++r->last;

	r->list[id % RELOADS_KEPT] = (struct reloads_one){
		.id = id, .pool = pool, .waits = pool == MESSAGE_ALL_POOLS ? pools : 1
	};
	return id;
}

static bool share_a_pool(const struct reloads_one *a, const struct reloads_one *b)
{
	return a->pool == b->pool || a->pool == MESSAGE_ALL_POOLS || b->pool == MESSAGE_ALL_POOLS;
}

void reloads_sent(struct reloads *r, uint64_t id)
{
	const struct reloads_one *sent = &r->list[id % RELOADS_KEPT];

	if (sent->id != id)
		return; /* so many later ones came meanwhile that it is forgotten */
	for (int i = 0; i < RELOADS_KEPT; i++) {
		struct reloads_one *one = &r->list[i];

		if (one->waits == 0 || one->id >= id || !share_a_pool(one, sent))
			continue;
		one->waits = 0;
		one->result = -ECANCELED;
	}
}

void reloads_hear(struct reloads *r, uint64_t id, int result)
{
	struct reloads_one *one = &r->list[id % RELOADS_KEPT];

	if (one->id != id || one->waits == 0)
		return; /* a newer reload has superseded this one */
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
