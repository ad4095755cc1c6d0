/* SPDX-License-Identifier: MIT */
/* ring_space.c - see ring_space.h. */
#include "ring_space.h"

#include "../base/base.h"

/* Where the next piece would begin: there, or at the front of the next round. */
static uint64_t begin(const struct ring_space *space, uint32_t need, uint32_t align)
{
	uint64_t at = (space->head + align - 1) & ~(uint64_t)(align - 1),
		 rest = space->size - (at & (space->size - 1));

	return rest >= need ? at : at + rest;
}

int64_t ring_space_take(struct ring_space *space, uint32_t need, uint32_t align, uint64_t *ret_end)
{
	uint64_t at = begin(space, need, align);

	if (need > space->size || at + need - space->tail > space->size)
		return -1;
	space->head = at + need;
	*ret_end = space->head;
	return (int64_t)(at & (space->size - 1));
}

uint32_t ring_space_room(const struct ring_space *space, uint32_t align)
{
	uint64_t at = (space->head + align - 1) & ~(uint64_t)(align - 1),
		 left = space->tail + space->size, rest, front;

	if (at >= left)
		return 0;
	left -= at;
	rest = space->size - (at & (space->size - 1));
	if (left <= rest)
		return (uint32_t)left;
	front = left - rest;
	return (uint32_t)MAX(rest, front);
}
