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
	uint64_t last; /* the id of the last reload */
	/*
	 * At id % RELOADS_KEPT. pools, waits: a bit for each pool of the reload, and for each that
	 * has not ended it. result: once no pool waits. -ECANCELED: a later reload has superseded
	 * this one in a pool; an error of another pool is stronger.
	 */
	struct reloads_one {
		uint64_t id, pools, waits;
		int result;
	} list[RELOADS_KEPT];
};

/* Adds a reload, of the pool with this number or of all (MESSAGE_ALL_POOLS). Returns its id. */
uint64_t reloads_add(struct reloads *r, uint32_t pool, uint32_t pools);
/* The reload is on its way: in its pools it supersedes all earlier reloads. */
void reloads_sent(struct reloads *r, uint64_t id);
/* The reload was not sent. */
void reloads_unsent(struct reloads *r, uint64_t id, int error);
/* A pool has said how its reload went. */
void reloads_hear(struct reloads *r, uint64_t id, uint32_t pool, int result);
/* False: the reload goes on. *ret_result -EINVAL: there is no such reload, or not any more. */
bool reloads_over(const struct reloads *r, uint64_t id, int *ret_result);

#endif
