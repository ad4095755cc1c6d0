/* SPDX-License-Identifier: MIT */
/* ring_space.h - gives out room for the bytes of requests and replies in a ring. */
#ifndef BROOD_WIRE_RING_SPACE_H
#define BROOD_WIRE_RING_SPACE_H

#include <stdint.h>

/*
 * A space: bytes given out in order and given back in the same order, each piece contiguous. `head`
 * and `tail` only grow; a position modulo `size`, a power of two, is where it lies.
 */
struct ring_space {
	uint64_t head, tail;
	uint32_t size;
};
/*
 * Takes room for `need` bytes at a multiple of `align` (a power of two up to 64). Returns where the
 * room lies, or -1: there is none. *ret_end is for ring_space_give_back().
 */
int64_t ring_space_take(struct ring_space *space, uint32_t need, uint32_t align, uint64_t *ret_end);
/*
 * Gives back all pieces up to the one whose *ret_end was `end`. An `end` below an earlier one
 * changes nothing: an empty space begins at its front again, beyond such an end.
 */
void ring_space_give_back(struct ring_space *space, uint64_t end);

#endif
