/* SPDX-License-Identifier: MIT */
/*
 * turns.h - who comes first, where several share what may be short: each is the first once before
 * one is again. `first` may be any number, and may wrap.
 */
#ifndef BROOD_POOL_TURNS_H
#define BROOD_POOL_TURNS_H

#include <stdint.h>

/* The n-th of `count`, from 0 on, when it is the turn of `first`: each of them for one n. */
static inline uint32_t turns_at(uint32_t first, uint32_t n, uint32_t count)
{
	return (first % count + n) % count;
}
/* The turn that follows the turn of `index`. */
static inline uint32_t turns_after(uint32_t index) { return index + 1; }

#endif
