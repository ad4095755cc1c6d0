/* SPDX-License-Identifier: MIT */
/*
 * turns.h - whose turn it is, where several share what may be short: each comes first once before
 * any of them comes first again. `first` may be any number, and may wrap.
 */
#ifndef BROOD_POOL_TURNS_H
#define BROOD_POOL_TURNS_H

#include <stdint.h>

/*
 * The n-th (from 0 on) of `count` in the round that begins with `first`; a round has each of them
 * once.
 */
static inline uint32_t turns_at(uint32_t first, uint32_t n, uint32_t count)
{
	return (first % count + n) % count;
}
/* The turn that follows the turn of `index`. */
static inline uint32_t turns_after(uint32_t index) { return index + 1; }

#endif
