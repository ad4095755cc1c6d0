/* SPDX-License-Identifier: MIT */
#include "ring.h"
#include "../base/base.h"

#include <limits.h>

static bool within(uint64_t at, uint64_t size, uint64_t bytes)
{
	return size <= bytes && at <= bytes - size;
}

int ring_done_get(const struct ring_up *up, uint64_t sequence, struct ring_done *ret)
{
	struct ring_done d;

	memcpy(&d, &up->dones[sequence % RING_DEPTH], sizeof d);
	/* What is checked below is this copy, whatever the worker writes meanwhile. */
	__asm__ volatile("" : : "r"(&d) : "memory");
	if (d.sequence != sequence || (d.flags & ~DONE_FLAGS) || d.extra > BROOD_JOB_FDS_MAX ||
		d.ended_ns < d.began_ns)
		return -EBADMSG;
	if ((d.flags & (DONE_MEMFD | DONE_STREAM | DONE_NO_ROOM))
			? d.reply_size > (uint64_t)SSIZE_MAX
			: !within(d.reply_at, d.reply_size, RING_UP_BYTES))
		return -EBADMSG;
	if ((d.extra || (d.flags & DONE_MEMFD)) && !(d.flags & DONE_BACK))
		return -EBADMSG;
	*ret = d;
	return 0;
}

uint32_t ring_done_so_far(const struct ring_up *up, uint64_t sequence, uint32_t *ret_at)
{
	struct ring_done d;

	memcpy(&d, &up->dones[sequence % RING_DEPTH], sizeof d);
	__asm__ volatile("" : : "r"(&d) : "memory");
	if (d.sequence != sequence || d.flags & (DONE_MEMFD | DONE_STREAM | DONE_NO_ROOM) ||
		d.reply_size > RING_INLINE_MAX || !within(d.reply_at, d.reply_size, RING_UP_BYTES))
		return 0;
	*ret_at = d.reply_at;
	return (uint32_t)d.reply_size;
}

int64_t ring_space_take(struct ring_space *space, uint32_t need, uint32_t align, uint64_t *ret_end)
{
	uint64_t mask = space->size - 1, at;

	/* the ring is empty: begin at the front again, where the memory is warm */
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
