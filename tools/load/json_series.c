/* SPDX-License-Identifier: MIT */
/*
 * json_series.c - the part of the JSON that has the run over time, a column for each figure; and
 * all buckets of the latencies.
 */
#include "findings.h"
#include "report.h"

#include <stdlib.h>

/* ---- series ---------------------------------------------------------------------------------- */

static void put_outcome(FILE *file, const struct series_view *view, unsigned outcome)
{
	fprintf(file, "    \"%s\": [", counters_outcome(outcome));
	for (unsigned i = 0; i < view->count; i++)
		fprintf(file, "%s%u", i ? "," : "", view->slice[i].outcomes[outcome]);
	fputs("],\n", file);
}

static void put_quantile(FILE *file, const struct series_view *view, const char *key, double q)
{
	fprintf(file, "    \"%s\": [", key);
	for (unsigned i = 0; i < view->count; i++) {
		const struct series_slice *slice = &view->slice[i];
		double ns = q < 1 ? series_quantile(slice->latency, slice->max_ns, q)
				  : (double)slice->max_ns;

		fprintf(file, i ? ",%.6g" : "%.6g", ns / (double)NS_US);
	}
	fputs("],\n", file);
}

/* Each column is a figure of struct series_sample. */
static void put_pool_column(FILE *file, const struct series_view *view, const struct findings *f,
	const char *key, unsigned (*figure)(const struct series_sample *sample))
{
	struct series_sample sample;

	fprintf(file, "      \"%s\": [", key);
	for (unsigned i = 0; i < view->count; i++) {
		bool there = series_pool_look(f->tally->engine.pool, i * view->width_ns,
			(i + 1) * view->width_ns, &sample);

		if (there)
			fprintf(file, "%s%u", i ? "," : "", figure(&sample));
		else
			fprintf(file, "%snull", i ? "," : "");
	}
	fputs("]", file);
}

static unsigned workers(const struct series_sample *s) { return s->workers; }
static unsigned ready(const struct series_sample *s) { return s->ready; }
static unsigned ready_least(const struct series_sample *s) { return s->ready_least; }
static unsigned busy(const struct series_sample *s) { return s->busy; }
static unsigned starting(const struct series_sample *s) { return s->starting; }
static unsigned queued(const struct series_sample *s) { return s->queued; }
static unsigned died(const struct series_sample *s) { return (unsigned)s->died; }

static void put_pool(FILE *file, const struct series_view *view, const struct findings *f)
{
	static const struct {
		const char *key;
		unsigned (*figure)(const struct series_sample *sample);
	} all[] = { { "workers", workers }, { "ready", ready }, { "ready_least", ready_least },
		{ "busy", busy }, { "starting", starting }, { "queued", queued },
		{ "died", died } };

	fputs("    \"pool\": {\n", file);
	for (unsigned i = 0; i < COUNT_OF(all); i++) {
		put_pool_column(file, view, f, all[i].key, all[i].figure);
		fputs(i + 1 < COUNT_OF(all) ? ",\n" : "\n    }\n", file);
	}
}

void json_put_series(FILE *file, const struct findings *f)
{
	struct series_view view;

	if (!findings_view(f, SERIES_SLICES, &view)) {
		fputs("  \"series\": null,\n", file);
		return;
	}
	fprintf(file, "  \"series\": {\n    \"slice_s\": %.9g,\n    \"given\": [",
		(double)view.width_ns / (double)NS_S);
	for (unsigned i = 0; i < view.count; i++)
		fprintf(file, "%s%u", i ? "," : "", view.slice[i].given);
	fputs("],\n", file);
	for (unsigned v = BROOD_DONE; v < BROOD_OUTCOMES; v++)
		put_outcome(file, &view, v);
	put_quantile(file, &view, "p50_us", 0.5);
	put_quantile(file, &view, "p99_us", 0.99);
	put_quantile(file, &view, "max_us", 1);
	put_pool(file, &view, f);
	fputs("  },\n", file);
	series_view_free(&view);
}

/* ---- batches --------------------------------------------------------------------------------- */

void json_put_batches(FILE *file, const struct findings *f)
{
	struct batch batches[BATCHES_MAX];
	unsigned count = findings_batches(f, batches);

	fputs("  \"batches\": [", file);
	for (unsigned i = 0; i < count; i++) {
		const struct batch *b = &batches[i];

		fprintf(file,
			"%s\n    { \"seconds\": %.9g, \"given\": %llu, \"verdicts\": %llu, "
			"\"done\": %llu, \"p50_us\": %.6g, \"p90_us\": %.6g, \"p99_us\": %.6g, "
			"\"p99_9_us\": %.6g, \"max_us\": %.6g }",
			i ? "," : "", b->seconds, (llu)b->given, (llu)b->verdicts, (llu)b->done,
			b->p50_ns / (double)NS_US, b->p90_ns / (double)NS_US,
			b->p99_ns / (double)NS_US, b->p999_ns / (double)NS_US,
			b->max_ns / (double)NS_US);
	}
	fputs(count ? "\n  ],\n" : "],\n", file);
}

/* ---- histograms ------------------------------------------------------------------------------ */

static void put_histogram(FILE *file, const char *key, const struct histogram *h)
{
	struct histogram_bucket bucket = { .index = HISTOGRAM_BEFORE };
	bool first = true;

	fprintf(file, "    \"%s\": {\n      \"count\": %llu, \"max_ns\": %llu,\n", key,
		(llu)histogram_count(h), (llu)histogram_max(h));
	fputs("      \"at_most_ns\": [", file);
	for (; histogram_next(h, &bucket); first = false)
		fprintf(file, "%s%llu", first ? "" : ",", (llu)bucket.high);
	fputs("],\n      \"counts\": [", file);
	first = true;
	for (bucket.index = HISTOGRAM_BEFORE; histogram_next(h, &bucket); first = false)
		fprintf(file, "%s%llu", first ? "" : ",", (llu)bucket.count);
	fputs("]\n    }", file);
}

void json_put_histograms(FILE *file, const struct findings *f)
{
	bool first = true;

	fputs("  \"histograms\": {", file);
	for (unsigned k = 0; k < KINDS; k++) {
		if (!f->latency[k] || !histogram_count(f->latency[k]))
			continue;
		fputs(first ? "\n" : ",\n", file);
		put_histogram(file, kind_name((enum kind)k), f->latency[k]);
		first = false;
	}
	fputs(first ? "},\n" : "\n  },\n", file);
}
