/* SPDX-License-Identifier: MIT */
/* pools.c - --pools: the workers and the threads are spread over several pools. */
#include "load.h"

#include <stdio.h>
#include <string.h>

/* Spare slots, as brood_stats(3) tells. */
static uint32_t slots_of(uint32_t workers) { return workers + (workers / 8 > 2 ? workers / 8 : 2); }

uint32_t pools_slots(const struct options *o, unsigned pool)
{
	return slots_of(options_pool_workers(o, pool));
}

/* The pools "main", "1", "2" ... With one pool no job has a slot beyond the workers. */
void pools_add(struct engine *e, struct brood_options *options)
{
	static char names[BROOD_POOLS_MAX][16];
	static struct brood_pool_options pools[BROOD_POOLS_MAX];
	static const struct brood_pool_options *list[BROOD_POOLS_MAX];
	const struct options *o = e->options;

	e->slots = slots_of(o->workers);
	if (o->pools == 1)
		return;
	options->workers = options_pool_workers(o, 0);
	e->slots = slots_of(options->workers);
	for (unsigned i = 1; i < o->pools; i++) {
		snprintf(names[i], sizeof names[i], "%u", i);
		pools[i] = (struct brood_pool_options){ .size = sizeof pools[i],
			.name = names[i],
			.workers = options_pool_workers(o, i),
			.worker_init = options->worker_init };
		list[i - 1] = &pools[i];
		e->slots += slots_of(pools[i].workers);
	}
	options->pools = list;
	options->pools_count = o->pools - 1;
}

bool pools_right(const struct driver *d, const struct brood_verdict *v)
{
	unsigned pool = d->index % d->engine->options->pools;
	char name[16] = "main";

	if (d->engine->options->pools == 1)
		return true;
	if (pool)
		snprintf(name, sizeof name, "%u", pool);
	return strcmp(v->pool, name) == 0;
}

struct brood_pool *pools_of_thread(const struct engine *e, unsigned thread)
{
	char name[16];

	if (e->options->pools == 1 || thread % e->options->pools == 0 || !e->brood)
		return NULL;
	snprintf(name, sizeof name, "%u", thread % e->options->pools);
	return brood_pool(e->brood, name);
}
