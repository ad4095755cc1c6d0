/* SPDX-License-Identifier: MIT */
/*
 * packed.h - when a worker that shares a CPU with its engine steps aside to another one. Times in,
 * decisions out; no clock is read here.
 */
#ifndef BROOD_POOL_PACKED_H
#define BROOD_POOL_PACKED_H

#include "../base/base.h"
#include <stdbool.h>
#include <stdint.h>

/*
 * The worker steps aside when it was about to sleep beside its engine PACKED_SLEEPS times, each
 * time PACKED_EACH_NS or less after the time before, on average.
 */
#define PACKED_SLEEPS  32u
#define PACKED_EACH_NS (100 * NS_PER_US)
/*
 * The pause between two steps doubles from the first to the last of these: both met again, so
 * something else needs the other CPU. A step after which they kept apart for PACKED_KEPT pauses was
 * worth it: the next pause is the first again.
 */
#define PACKED_FIRST_NS (2 * NS_PER_MS)
#define PACKED_LAST_NS  (2 * NS_PER_S)
#define PACKED_KEPT     64

struct packed {
	uint64_t since_ns; /* when the first of these sleeps was */
	uint64_t last_ns;  /* the last step; 0: there was none */
	uint64_t pause_ns;
	uint32_t sleeps;
};

/* The worker is about to sleep on the CPU of its engine. True: step aside. */
bool packed_step_due(struct packed *packed, uint64_t now);

#endif
