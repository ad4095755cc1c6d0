/* SPDX-License-Identifier: MIT */
/*
 * pressure.h - memory pressure: the kernel says, at most once in each of its windows of 2 s, that
 * processes stall for want of memory. There is pressure from the first such word until none has
 * come for PRESSURE_CALM_NS.
 */
#ifndef BROOD_POOL_PRESSURE_H
#define BROOD_POOL_PRESSURE_H

#include "../base/base.h"

#define PRESSURE_CALM_NS (6 * NS_PER_S)

struct pressure {
	uint64_t began_ns; /* 0: it is calm */
	uint64_t until_ns; /* it is calm from then on, if no further word comes */
};
/* The kernel said so. True: this is the first word after a calm. */
bool pressure_word(struct pressure *p, uint64_t now);
/* True: the pressure is over since just now. */
bool pressure_over(struct pressure *p, uint64_t now);
static inline bool pressure_is_on(const struct pressure *p) { return p->began_ns != 0; }

#endif
