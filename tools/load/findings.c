/* SPDX-License-Identifier: MIT */
/* findings.c - see findings.h. */
#include "findings.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void findings_about(int argc, char **argv, struct about *ret)
{
	ret->argc = argc;
	ret->argv = argv;
	ret->when = time(NULL);
	machine_look(&ret->machine);
}

void findings_free(struct findings *f)
{
	for (unsigned k = 0; k < KINDS; k++) {
		free(f->latency[k]);
		free(f->raw[k]);
	}
	free(f->death_to_verdict);
	if (f->tally)
		munmap((void *)(uintptr_t)f->tally, f->tally->size);
	memset(f, 0, sizeof *f);
}

struct histogram *findings_latency(const struct findings *f)
{
	struct histogram *sum = histogram_new();

	if (!sum)
		return NULL;
	for (unsigned k = 0; k < KINDS; k++) {
		if (f->latency[k])
			histogram_merge(sum, f->latency[k]);
	}
	return sum;
}

static bool view_from(
	const struct findings *f, uint64_t from_ns, unsigned most, struct series_view *ret)
{
	const struct series *all[SHARDS_MAX];

	for (unsigned s = 0; s < f->tally->shards; s++)
		all[s] = f->tally->shard[s].series;
	if (f->options->idle_s >= 0) {
		*ret = (struct series_view){ 0 };
		return false;
	}
	return series_view(
		all, f->tally->shards, from_ns, (uint64_t)(f->elapsed_s * (double)NS_S), most, ret);
}

bool findings_view(const struct findings *f, unsigned most, struct series_view *ret)
{
	return view_from(f, 0, most, ret);
}

uint64_t findings_warm_ns(const struct findings *f)
{
	const struct tally_engine *te = &f->tally->engine;
	uint64_t warm = atomic_load(&te->warm_ns), start = atomic_load(&te->run_start_ns);

	return warm > start ? warm - start : 0;
}

static void make_batch(const struct series_view *view, unsigned i, struct batch *ret)
{
	const struct series_slice *slice = &view->slice[i];
	const uint32_t *latency = slice->latency;

	*ret = (struct batch){ .seconds = series_seconds(view, i),
		.given = slice->given,
		.verdicts = series_verdicts(slice),
		.done = slice->outcomes[BROOD_DONE],
		.p50_ns = series_quantile(latency, slice->max_ns, 0.5),
		.p90_ns = series_quantile(latency, slice->max_ns, 0.9),
		.p99_ns = series_quantile(latency, slice->max_ns, 0.99),
		.p999_ns = series_quantile(latency, slice->max_ns, 0.999),
		.max_ns = (double)slice->max_ns };
}

unsigned findings_batches(const struct findings *f, struct batch ret[BATCHES_MAX])
{
	struct series_view view;
	unsigned count;

	if (!view_from(f, findings_warm_ns(f), BATCHES_MAX, &view))
		return 0;
	count = view.count;
	if (count > 1 && series_seconds(&view, count - 1) * 2 < series_seconds(&view, 0))
		count--;
	for (unsigned i = 0; i < count; i++)
		make_batch(&view, i, &ret[i]);
	series_view_free(&view);
	return count;
}
