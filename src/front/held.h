/* SPDX-License-Identifier: MIT */
/*
 * held.h - a result that waits for its turn: a copy, since the queue frees its own at the next
 * brood_take().
 */
#ifndef BROOD_HELD_H
#define BROOD_HELD_H

#include <brood.h>
#include <stdint.h>

struct held {
	struct brood_result result;
	uint64_t bytes; /* how much memory all held results have */
};

/*
 * Made before an item is given, so that its verdict always has a place. NULL: there is no memory.
 */
struct held *held_new(void);
/*
 * Copies the result and takes over its fds. Where there is no memory, the reply is lost, and the
 * fds stay the queue's, which closes them.
 */
void held_fill(struct held *held, const struct brood_result *result);
/* Frees the held result, and closes the fds of it that on_item has not taken. Returns NULL. */
struct held *held_free(struct held *held);

#endif
