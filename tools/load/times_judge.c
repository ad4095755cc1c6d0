/* SPDX-License-Identifier: MIT */
/* times_judge.c - reads the pools' histograms, and judges them; see times.h. */
#include "load.h"
#include "plant.h"

#include <stdio.h>

static bool read_pool(struct engine *e, struct brood_pool *pool)
{
	struct brood_histogram h = { .size = sizeof h };
	int r = plant_histogram(pool, BROOD_TIME_RUN, &h);

	if (r < 0) {
		engine_failed(e, "brood_histogram()", r);
		return false;
	}
	for (uint32_t i = 0; i < BROOD_BUCKETS; i++)
		e->tally->engine.runs.buckets[i] += h.buckets[i];
	return true;
}

void times_read(struct engine *e)
{
	char name[16];

	if (!read_pool(e, brood_pool(e->brood, NULL)))
		return;
	for (unsigned i = 1; i < e->options->pools; i++) {
		snprintf(name, sizeof name, "%u", i);
		if (!read_pool(e, brood_pool(e->brood, name)))
			return;
	}
	atomic_store(&e->tally->engine.runs_read, 1);
}

void times_judge(const struct tally *t, struct findings *f)
{
	static struct times all;
	uint64_t least = 0, most = 0, counted = 0;
	uint32_t bucket;

	if (!atomic_load(&t->engine.runs_read) || f->broken[ONE_VERDICT])
		return;
	all = (struct times){ 0 };
	for (unsigned s = 0; s < t->shards; s++)
		times_merge(&all, &t->shard[s].times);
	bucket = times_compare(&all, &t->engine.runs, &least, &most, &counted);
	if (bucket < BROOD_BUCKETS)
		findings_breach(f, COUNTERS_AGREE,
			"by their verdicts %llu to %llu jobs ran for less than %.3f ms, but "
			"brood_histogram() has %llu",
			(llu)least, (llu)most, (double)times_begin_ns(bucket) / (double)NS_MS,
			(llu)counted);
}
