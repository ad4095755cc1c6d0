/* SPDX-License-Identifier: MIT */
/*
 * rates.c - see rates.h. Only what came after the warm-up is measured: jobs by their planned time,
 * verdicts by the time at which they came. A job that was never sent has no latency, so the figures
 * say how many there were.
 */
#include "rates.h"
#include "find_run.h"
#include "findings.h"
#include "json_text.h"

#include <math.h>
#include <stdlib.h>

/* ---- figures --------------------------------------------------------------------------------- */

/* By the plan alone, between the warm-up and the end of the run. */
static double intended(const struct options *o)
{
	const struct pace_plan *plan = &o->pacing.plan;
	double begin = o->pacing.warm_up_s, end = INFINITY;

	if (!plan->stages)
		return 0;
	if (o->jobs)
		end = pace_time(plan, (double)o->jobs);
	if (o->duration_s > 0 && o->duration_s < end)
		end = o->duration_s;
	if (!(end > begin) || isinf(end))
		return 0;
	return (pace_jobs(plan, end) - pace_jobs(plan, begin)) / (end - begin);
}

static double measured(const struct findings *f)
{
	const struct tally_engine *te = &f->tally->engine;
	uint64_t begin = atomic_load(&te->warm_ns), due = atomic_load(&te->due_end_ns);
	uint64_t end = atomic_load(&te->run_start_ns) + (uint64_t)(f->elapsed_s * (double)NS_S);

	if (due < end)
		end = due;
	return begin && end > begin ? (double)(end - begin) / (double)NS_S : 0;
}

void rates_of(const struct findings *f, struct rates *ret)
{
	struct rates r = { .measured_s = measured(f), .intended = intended(f->options) };

	for (unsigned s = 0; s < f->tally->shards; s++) {
		const struct pacer_count *one = &f->tally->shard[s].paced;

		r.count.sent += one->sent;
		r.count.late += one->late;
		r.count.unsent += one->unsent;
		r.count.verdicts += one->verdicts;
		if (one->late_most_ns > r.count.late_most_ns)
			r.count.late_most_ns = one->late_most_ns;
	}
	r.planned = r.count.sent + r.count.unsent;
	r.achieved = r.measured_s > 0 ? (double)r.count.verdicts / r.measured_s : 0;
	*ret = r;
}

double rates_achieved(const struct findings *f)
{
	struct rates r;

	rates_of(f, &r);
	return r.achieved;
}

struct histogram *rates_raw(const struct findings *f)
{
	struct histogram *sum = histogram_new();

	for (unsigned k = 0; sum && k < KINDS; k++) {
		if (f->raw[k])
			histogram_merge(sum, f->raw[k]);
	}
	return sum;
}

/* ---- conditions ------------------------------------------------------------------------------ */

struct rates_verdict rates_judge(const struct findings *f, const struct threshold *t)
{
	const struct totals *all = &f->totals;
	struct histogram *latency = findings_latency(f);
	struct threshold_figures figures = { .latency = latency, .given = all->submitted };
	struct rates_verdict v = { .there = false };
	struct rates r;

	rates_of(f, &r);
	figures.rate = r.achieved;
	figures.planned = r.planned;
	figures.counts[THRESHOLD_FAILED] = all->outcomes[BROOD_FAILED];
	figures.counts[THRESHOLD_CRASHED] = all->outcomes[BROOD_CRASHED];
	figures.counts[THRESHOLD_EXITED] = all->outcomes[BROOD_EXITED];
	figures.counts[THRESHOLD_TIMED_OUT] = all->outcomes[BROOD_TIMED_OUT];
	figures.counts[THRESHOLD_CANCELLED] = all->outcomes[BROOD_CANCELLED];
	figures.counts[THRESHOLD_REFUSED] = all->outcomes[BROOD_REFUSED];
	figures.counts[THRESHOLD_LOST] = all->outcomes[BROOD_LOST];
	figures.counts[THRESHOLD_ERRORS] = all->verdicts - all->outcomes[BROOD_DONE];
	figures.counts[THRESHOLD_LATE] = r.count.late;
	figures.counts[THRESHOLD_UNSENT] = r.count.unsent;
	figures.counts[THRESHOLD_UNACCOUNTED] = all->unaccounted;
	v.there = thresholds_figure(t, &figures, &v.figure);
	v.is_true = v.there && thresholds_true(t, v.figure);
	free(latency);
	return v;
}

/* A condition that could not be judged fails, too: nobody knows that all was well. */
unsigned rates_failed(const struct findings *f, FILE *file)
{
	unsigned count = 0;

	for (unsigned i = 0; i < f->options->pacing.fail_if.count; i++) {
		const struct threshold *t = &f->options->pacing.fail_if.one[i];
		struct rates_verdict v = rates_judge(f, t);
		char figure[32] = "not known: no job was measured";

		if (v.there && !v.is_true)
			continue;
		count++;
		if (v.there)
			thresholds_format(t, v.figure, figure, sizeof figure);
		fprintf(file, "brood-load: --fail-if '%s': it is %s\n", t->text, figure);
	}
	return count;
}

/* ---- for people ------------------------------------------------------------------------------ */

static void put_time(FILE *file, uint64_t ns)
{
	if (ns < 10 * NS_MS)
		fprintf(file, "%.1f us", (double)ns / (double)NS_US);
	else
		fprintf(file, "%.1f ms", (double)ns / (double)NS_MS);
}

void rates_head(const struct options *o, FILE *file)
{
	const struct pace_plan *plan = &o->pacing.plan;

	if (!plan->stages) {
		fprintf(file,
			"closed loop: each of %u callers gives its next job when it has the last "
			"verdict",
			o->concurrency);
		return;
	}
	fputs("open loop: ", file);
	for (unsigned i = 0; i < plan->stages; i++) {
		const struct pace_stage *s = &plan->stage[i];

		fprintf(file, "%s%g", i ? ", then " : "", s->from);
		if (s->to > s->from || s->to < s->from)
			fprintf(file, " to %g", s->to);
		fputs("/s", file);
		if (s->seconds > 0)
			fprintf(file, " for %g s", s->seconds);
	}
	fprintf(file, "%s, however slow the pool is; %u jobs out at most",
		plan->poisson ? " at random times" : "", o->concurrency);
}

/* Says so where the latencies from the real send hide a stall. */
static void put_hidden(FILE *file, const struct findings *f)
{
	struct histogram *corrected = findings_latency(f), *raw = rates_raw(f);
	uint64_t all = corrected ? histogram_quantile(corrected, 0.99) : 0;
	uint64_t some = raw ? histogram_quantile(raw, 0.99) : 0;

	if (all > 2 * some && all - some > PACER_LATE_NS) {
		fputs("  the raw latencies hide a stall: their p99 is ", file);
		put_time(file, some);
		fputs(", but counted from the plan it is ", file);
		put_time(file, all);
		fputc('\n', file);
	}
	free(corrected);
	free(raw);
}

static void put_open(FILE *file, const struct findings *f, const struct rates *r)
{
	fprintf(file, "open loop: intended %.1f/s, achieved %.1f/s\n", r->intended, r->achieved);
	fprintf(file, "  late   %llu of %llu jobs were sent more than 1 ms behind the plan",
		(llu)r->count.late, (llu)r->count.sent);
	if (r->count.late) {
		fputs("; the latest was behind by ", file);
		put_time(file, r->count.late_most_ns);
	}
	fprintf(file, "\n  unsent %llu", (llu)r->count.unsent);
	if (r->count.unsent)
		fprintf(file,
			" jobs: their time came, but the run ended before they were sent, because "
			"all %u places\n         were taken (-c), or because this machine was "
			"busy. "
			"They have no latency, so the\n         true latencies are worse",
			f->options->concurrency);
	fputs("\n  Latencies count from the planned send time (corrected). \"raw\" counts from "
	      "the real send:\n  it leaves out how long a job waited to be sent.\n",
		file);
	put_hidden(file, f);
}

void rates_table(const struct findings *f, FILE *file)
{
	struct rates r;

	rates_of(f, &r);
	if (f->options->pacing.warm_up_s > 0)
		fprintf(file,
			"warm-up: the first %g s are left out of latencies and rates, which are of "
			"%.2f s\n",
			f->options->pacing.warm_up_s, r.measured_s);
	if (f->options->pacing.plan.stages)
		put_open(file, f, &r);
	for (unsigned i = 0; i < f->options->pacing.fail_if.count; i++) {
		const struct threshold *t = &f->options->pacing.fail_if.one[i];
		struct rates_verdict v = rates_judge(f, t);
		char figure[32] = "not known";

		if (v.there)
			thresholds_format(t, v.figure, figure, sizeof figure);
		fprintf(file, "--fail-if '%s': %s, it is %s\n", t->text,
			v.there && !v.is_true ? "held" : "FAILED", figure);
	}
}

/* ---- for programs ---------------------------------------------------------------------------- */

static void put_us(FILE *file, const char *key, uint64_t ns, const char *behind)
{
	fprintf(file, "\"%s\": %.3f%s", key, (double)ns / (double)NS_US, behind);
}

static void put_quantiles(FILE *file, const char *key, const struct histogram *h)
{
	if (!h || !histogram_count(h)) {
		fprintf(file, "\"%s\": null", key);
		return;
	}
	fprintf(file, "\"%s\": { ", key);
	put_us(file, "p50", histogram_quantile(h, 0.5), ", ");
	put_us(file, "p90", histogram_quantile(h, 0.9), ", ");
	put_us(file, "p95", histogram_quantile(h, 0.95), ", ");
	put_us(file, "p99", histogram_quantile(h, 0.99), ", ");
	put_us(file, "p99_9", histogram_quantile(h, 0.999), ", ");
	put_us(file, "p99_99", histogram_quantile(h, 0.9999), ", ");
	put_us(file, "max", histogram_max(h), " }");
}

static void put_conditions(FILE *file, const struct findings *f)
{
	const struct thresholds *all = &f->options->pacing.fail_if;

	fputs("  \"thresholds\": [", file);
	for (unsigned i = 0; i < all->count; i++) {
		struct rates_verdict v = rates_judge(f, &all->one[i]);

		fputs(i ? ",\n    { \"fail_if\": " : "\n    { \"fail_if\": ", file);
		json_put_text(file, all->one[i].text);
		if (v.there)
			fprintf(file, ", \"figure\": %.9g", v.figure);
		else
			fputs(", \"figure\": null", file);
		fprintf(file, ", \"failed\": %s }", v.there && !v.is_true ? "false" : "true");
	}
	fputs(all->count ? "\n  ],\n" : "],\n", file);
}

static void put_pace(FILE *file, const struct findings *f, const struct rates *r)
{
	struct histogram *corrected = findings_latency(f), *raw = rates_raw(f);
	bool open = f->options->pacing.plan.stages > 0;

	fprintf(file, "  \"pace\": { \"warm_up_s\": %.9g, \"measured_s\": %.6f,\n    ",
		f->options->pacing.warm_up_s, r->measured_s);
	if (open)
		fprintf(file, "\"intended_per_s\": %.3f, ", r->intended);
	else
		fputs("\"intended_per_s\": null, ", file);
	fprintf(file, "\"achieved_per_s\": %.3f,\n", r->achieved);
	fprintf(file, "    \"planned\": %llu, \"sent\": %llu, \"late\": %llu, \"unsent\": %llu, ",
		(llu)r->planned, (llu)r->count.sent, (llu)r->count.late, (llu)r->count.unsent);
	put_us(file, "latest_us", r->count.late_most_ns, ",\n    ");
	put_quantiles(file, "corrected_us", corrected);
	fputs(",\n    ", file);
	put_quantiles(file, "raw_us", open ? raw : corrected);
	fputs(" },\n", file);
	free(corrected);
	free(raw);
}

void rates_json(const struct findings *f, FILE *file)
{
	struct rates r;

	rates_of(f, &r);
	put_pace(file, f, &r);
	put_conditions(file, f);
	find_run_json(&f->options->pacing, file);
}
