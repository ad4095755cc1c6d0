/* SPDX-License-Identifier: MIT */
/* ring_space.c - see ring_space.h. */
#include "ring_space.h"
#include "../base/base.h"

int64_t ring_space_take(struct ring_space *space, uint32_t need, uint32_t align, uint64_t *ret_end)
{
	uint64_t mask = space->size - 1, at;

	/* the space is empty: begin at its front again, where the memory is warm */
	if (space->head == space->tail)
		space->head = space->tail = (space->head + mask) & ~mask;
	at = (space->head + align - 1) & ~(uint64_t)(align - 1);
	/* no room before the end: go to the front of the next round */
	if (space->size - (at & mask) < need)
		at = (at + mask) & ~mask;
	if (need > space->size || at + need - space->tail > space->size)
		return -1;
	space->head = at + need;
	*ret_end = space->head;
	return (int64_t)(at & mask);
}

void ring_space_give_back(struct ring_space *space, uint64_t end)
{
	space->tail = MAX(space->tail, end);
}
