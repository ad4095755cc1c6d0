/* SPDX-License-Identifier: MIT */
/*
 * reloads.h - the reloads that the program asked for, and what came of them. All under brood.lock.
 */
#ifndef BROOD_ENGINE_RELOADS_H
#define BROOD_ENGINE_RELOADS_H

#include "../wire/message.h"
#include <stdbool.h>
#include <stdint.h>

#define RELOADS_KEPT 64

struct reloads {
	uint64_t last; /* id */
	/* at id % RELOADS_KEPT; waits: pools that have not said; result: once none waits */
	struct reloads_one {
		uint64_t id;
		uint32_t pool, waits;
		int result;
	} list[RELOADS_KEPT];
};

/* One more, of the pool with this number, or of all `pools` (MESSAGE_ALL_POOLS): its id. */
uint64_t reloads_add(struct reloads *r, uint32_t pool, uint32_t pools);
/* It is on its way: earlier ones of the same pools are superseded. */
void reloads_sent(struct reloads *r, uint64_t id);
/* A pool has said how it went. */
void reloads_hear(struct reloads *r, uint64_t id, int result);
/* False: it goes on still. -EINVAL: there is no such one, or it is forgotten */
bool reloads_over(const struct reloads *r, uint64_t id, int *ret_result);

#endif
