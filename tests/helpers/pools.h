/* SPDX-License-Identifier: MIT */
/* pools.h - a brood with the pools "main" and "php", for pools.c and pools_apart.c. */
#ifndef BROOD_TESTS_POOLS_H
#define BROOD_TESTS_POOLS_H

#include "pool.h"

#include <string.h>

/* What a pool's worker_init leaves in the worker: the pool's own hook_context. */
extern const char *pools_mine;
int pools_init(void *context);
/* replies with pools_mine and the init data: "php:second" */
int pools_who(struct brood_job *job);

#define POOLS_MAIN  2 /* workers */
#define POOLS_OTHER 2
/* o: what is the same for both; more: what is php's own beside its name, size and hooks */
struct brood *pools_start(const struct brood_options *o, const struct brood_pool_options *more);
struct brood_stats pools_stats(struct brood *brood, const char *name);
/* waits until each slot of that pool has a ready worker */
void pools_full(struct brood *brood, const char *name);

#endif
