/* SPDX-License-Identifier: MIT */
/*
 * sample.c - see sample.h. Percentiles are those of the last 10 to 20 seconds: the difference to
 * one of two older histograms, which are replaced in turn. Until then, and for a brood that did
 * nothing meanwhile, they are those since the start.
 */
#include "sample.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_NS UINT64_C(10000000000)
#define SECOND_NS UINT64_C(1000000000)
#define MARKS     (SAMPLE_RECENT_S + 2)

struct times {
	uint64_t at_ns;
	struct brood_status_histogram queue, run;
};
struct sample_past {
	struct sample_mark last;
	struct sample_mark marks[MARKS]; /* one a second, in a ring */
	unsigned next;
	struct times old, young;
};

static void mark_of(const struct look *look, const struct look_pool *pool, struct sample_mark *ret)
{
	ret->at_ns = look->now_ns;
	for (uint32_t i = 0; i < BROOD_STATUS_OUTCOMES; i++)
		ret->jobs[i] = look_jobs(pool, i);
	memcpy(ret->deaths, pool->counts.deaths, sizeof ret->deaths);
}

/* The page may be anybody's: its counters may go back. */
static uint64_t more(uint64_t before, uint64_t now) { return now > before ? now - before : 0; }

/* ---- rates ---- */

static double rate(uint64_t before, uint64_t now, double seconds)
{
	return seconds > 0 ? (double)more(before, now) / seconds : 0;
}

static void put_rates(
	const struct sample_mark *before, const struct sample_mark *now, struct sample_pool *ret)
{
	double seconds = (double)(now->at_ns - before->at_ns) / (double)SECOND_NS;

	ret->jobs = ret->deaths = 0;
	for (uint32_t i = 0; i < BROOD_STATUS_OUTCOMES; i++) {
		ret->outcomes[i] = rate(before->jobs[i], now->jobs[i], seconds);
		ret->jobs += ret->outcomes[i];
	}
	for (uint32_t i = 0; i < BROOD_STATUS_CAUSES; i++)
		ret->deaths += rate(before->deaths[i], now->deaths[i], seconds);
}

/* ---- deaths of the last minute ---- */

static const struct sample_mark *minute_ago(const struct sample_past *past, uint64_t now)
{
	const struct sample_mark *found = NULL;

	for (unsigned i = 0; i < MARKS; i++) {
		const struct sample_mark *mark = &past->marks[i];

		if (mark->at_ns == 0 || now - mark->at_ns > SAMPLE_RECENT_S * SECOND_NS)
			continue;
		if (!found || mark->at_ns < found->at_ns)
			found = mark;
	}
	return found;
}

static void put_recent(
	struct sample_past *past, const struct sample_mark *now, struct sample_pool *ret)
{
	const struct sample_mark *newest = &past->marks[(past->next + MARKS - 1) % MARKS];
	const struct sample_mark *before;

	if (newest->at_ns == 0 || now->at_ns - newest->at_ns >= SECOND_NS) {
		past->marks[past->next] = *now;
		past->next = (past->next + 1) % MARKS;
	}
	before = minute_ago(past, now->at_ns);
	for (uint32_t i = 0; i < BROOD_STATUS_CAUSES; i++)
		ret->recent[i] = before ? more(before->deaths[i], now->deaths[i]) : 0;
}

/* ---- percentiles ---- */

static uint64_t recent_quantile(const struct brood_status_histogram *now,
	const struct brood_status_histogram *before, double q)
{
	struct brood_status_histogram between = *now;

	for (int i = 0; i < BROOD_STATUS_BUCKETS; i++)
		between.buckets[i] = more(before->buckets[i], now->buckets[i]);
	return look_count(&between) ? look_quantile(&between, q) : look_quantile(now, q);
}

static void put_times(struct sample_past *past, const struct look_pool *pool, uint64_t now,
	struct sample_pool *ret)
{
	const struct brood_status_sums *s = &pool->sums;

	ret->queue_p50 = recent_quantile(&s->queue, &past->old.queue, 0.5);
	ret->queue_p99 = recent_quantile(&s->queue, &past->old.queue, 0.99);
	ret->run_p50 = recent_quantile(&s->run, &past->old.run, 0.5);
	ret->run_p99 = recent_quantile(&s->run, &past->old.run, 0.99);
	if (now - past->young.at_ns < WINDOW_NS)
		return;
	past->old = past->young;
	past->young.at_ns = now;
	past->young.queue = s->queue;
	past->young.run = s->run;
}

/* ---- deaths ---- */

/* Names may take a long look into files: so only once for each new report. */
static void take_reports(struct samples *samples)
{
	uint64_t newest = report_newest(samples->page);

	if (newest == samples->newest)
		return;
	samples->newest = newest;
	samples->reports = report_read(samples->page, -1, samples->report, SAMPLE_REPORTS);
}

/* ---- looks ---- */

static void take_in(struct samples *samples)
{
	for (uint32_t i = 0; i < samples->look.pools; i++) {
		struct sample_past *past = &samples->past[i];
		struct sample_mark now;

		mark_of(&samples->look, &samples->look.pool[i], &now);
		if (past->last.at_ns)
			put_rates(&past->last, &now, &samples->pool[i]);
		put_recent(past, &now, &samples->pool[i]);
		put_times(past, &samples->look.pool[i], now.at_ns, &samples->pool[i]);
		past->last = now;
	}
	take_reports(samples);
}

int samples_begin(struct samples *samples, const struct status_page *page)
{
	int r;

	memset(samples, 0, sizeof *samples);
	samples->page = page;
	r = look_take(page, &samples->look);
	if (r < 0)
		return r;
	samples->pool = calloc(samples->look.pools, sizeof *samples->pool);
	samples->past = calloc(samples->look.pools, sizeof *samples->past);
	samples->report = calloc(SAMPLE_REPORTS, sizeof *samples->report);
	if (!samples->pool || !samples->past || !samples->report) {
		samples_end(samples);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < samples->look.pools; i++)
		samples->past[i].young = (struct times){ .at_ns = samples->look.now_ns,
			.queue = samples->look.pool[i].sums.queue,
			.run = samples->look.pool[i].sums.run };
	take_in(samples);
	return 0;
}

int samples_next(struct samples *samples)
{
	struct look look;
	int r = look_take(samples->page, &look);

	if (r < 0)
		return r;
	look_free(&samples->look);
	samples->look = look;
	take_in(samples);
	return 0;
}

void samples_end(struct samples *samples)
{
	look_free(&samples->look);
	free(samples->pool);
	free(samples->past);
	free(samples->report);
}
