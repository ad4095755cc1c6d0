/* SPDX-License-Identifier: MIT */
/*
 * find_run.c - see find_run.h. Each run starts a pool of its own, is judged like any other, and
 * must keep up with its plan: conditions alone would let a pool pass that answers few jobs well.
 */
#include "find_run.h"
#include "find_max.h"
#include "findings.h"
#include "json_text.h"
#include "rates.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_RATE  1000.0
#define TRIAL_PART  5    /* a run of the search takes this part of the last run, */
#define TRIAL_MIN_S 0.5  /* but so many seconds at least, */
#define TRIAL_JOBS  100  /* and so many jobs, if the last run has them */
#define KEEPS_UP    0.98 /* of the planned jobs must have their verdict in time */
#define FOUND_NONE  3    /* also where the user ended the search */
#define TRIALS_MAX  96

struct trial {
	double rate, achieved, figure; /* figure: of the first condition */
	bool there, held, kept_up, confirms;
};
struct find_run {
	struct trial trial[TRIALS_MAX];
	unsigned trials;
	double answer; /* 0: no rate held */
};

static struct options trial_options(const struct options *o, const struct find_max *f)
{
	struct options one = *o;
	struct pace_plan *plan = &one.pacing.plan;
	double seconds = fmax(fmax(o->duration_s / TRIAL_PART, TRIAL_MIN_S), TRIAL_JOBS / f->rate);

	plan->stages = 1;
	plan->stage[0] = (struct pace_stage){ .from = f->rate, .to = f->rate };
	if (f->phase == FIND_MAX_SEARCH) {
		one.duration_s = fmin(seconds, o->duration_s);
		one.quiet = true;
	}
	if (one.pacing.warm_up_s < 0 || one.pacing.warm_up_s >= one.duration_s)
		one.pacing.warm_up_s = pacer_warm_up(&one);
	return one;
}

/*
 * Where the pool keeps up, as many jobs end as are planned: those that are out at the end of the
 * warm-up end later, and make up for those that are out at the end. Only jobs that are longer than
 * the warm-up lack some. Their time is taken from the quicker ones, as the others may have waited
 * for a worker.
 */
static bool keeps_up(const struct findings *f, const struct rates *r)
{
	struct histogram *latency = findings_latency(f);
	double job_s = latency ? (double)histogram_quantile(latency, 0.1) / (double)NS_S : 0;
	double lacking = r->intended * fmax(0, job_s - f->options->pacing.warm_up_s);

	free(latency);
	return (double)r->count.verdicts + lacking + 1 >= KEEPS_UP * (double)r->planned;
}

static struct trial look_at(const struct findings *f, const struct find_max *search)
{
	const struct thresholds *all = &f->options->pacing.find_max;
	struct trial t = { .rate = search->rate, .held = true };
	struct rates r;

	rates_of(f, &r);
	t.achieved = r.achieved;
	t.confirms = search->phase == FIND_MAX_CONFIRM;
	t.kept_up = keeps_up(f, &r);
	for (unsigned i = 0; i < all->count; i++) {
		struct rates_verdict v = rates_judge(f, &all->one[i]);

		t.held &= v.is_true;
		if (i == 0) {
			t.there = v.there;
			t.figure = v.figure;
		}
	}
	t.held &= t.kept_up;
	return t;
}

/* ---- for people ------------------------------------------------------------------------------ */

static void put_head(const struct thresholds *all, FILE *file)
{
	fputs("the highest rate that keeps", file);
	for (unsigned i = 0; i < all->count; i++)
		fprintf(file, "%s %s", i ? " and" : "", all->one[i].text);
	fprintf(file, "\n\n  %12s %12s %14s\n", "intended/s", "achieved/s", all->one[0].text);
	fflush(file);
}

static void put_trial(const struct threshold *first, const struct trial *t, FILE *file)
{
	char figure[32] = "-";

	if (t->there)
		thresholds_format(first, t->figure, figure, sizeof figure);
	fprintf(file, "  %12.1f %12.1f %14s  %s%s\n", t->rate, t->achieved, figure,
		t->held              ? "holds"
			: t->kept_up ? "fails"
				     : "fails: the pool does not keep up",
		t->confirms ? " (the longer run)" : "");
	fflush(file);
}

static void put_answer(const struct find_run *found, FILE *file)
{
	if (found->answer > 0)
		fprintf(file, "\nfound: %.0f jobs a second\n\n", found->answer);
	else
		fputs("\nfound: no rate keeps this\n\n", file);
	fflush(file);
}

/* ---- the search ------------------------------------------------------------------------------ */

int find_run(const struct options *o, struct findings *ret, FILE *table)
{
	static struct options one;
	static struct find_run found;
	const struct pacing *p = &o->pacing;
	struct find_max search;
	int r = 0;

	if (table)
		put_head(&p->find_max, table);
	find_max_begin(&search, p->plan.stages ? p->plan.stage[0].from : FIRST_RATE);
	while (find_max_goes_on(&search) && found.trials < TRIALS_MAX) {
		struct trial *t = &found.trial[found.trials];

		one = trial_options(o, &search);
		one.pacing.found = &found;
		findings_free(ret);
		r = judge_run(&one, ret);
		if (r == 2 || ret->asked)
			return r ? r : FOUND_NONE;
		*t = look_at(ret, &search);
		t->held &= r == 0;
		found.trials++;
		if (r)
			return r;
		if (table)
			put_trial(&p->find_max.one[0], t, table);
		find_max_tell(&search, t->held);
	}
	found.answer = search.phase == FIND_MAX_FOUND ? search.rate : 0;
	if (table)
		put_answer(&found, table);
	return found.answer > 0 ? 0 : FOUND_NONE;
}

/* ---- for programs ---------------------------------------------------------------------------- */

void find_run_json(const struct pacing *p, FILE *file)
{
	const struct find_run *found = p->found;

	if (!found) {
		fputs("  \"find_max\": null,\n", file);
		return;
	}
	fputs("  \"find_max\": { \"keeps\": [", file);
	for (unsigned i = 0; i < p->find_max.count; i++) {
		fputs(i ? ", " : "", file);
		json_put_text(file, p->find_max.one[i].text);
	}
	fputs("], ", file);
	if (found->answer > 0)
		fprintf(file, "\"rate_per_s\": %.3f,\n    \"trials\": [", found->answer);
	else
		fputs("\"rate_per_s\": null,\n    \"trials\": [", file);
	for (unsigned i = 0; i < found->trials; i++) {
		const struct trial *t = &found->trial[i];

		fprintf(file,
			"%s\n      { \"intended_per_s\": %.3f, \"achieved_per_s\": %.3f, "
			"\"figure\": %.9g, \"held\": %s, \"kept_up\": %s, \"last\": %s }",
			i ? "," : "", t->rate, t->achieved, t->figure, t->held ? "true" : "false",
			t->kept_up ? "true" : "false", t->confirms ? "true" : "false");
	}
	fputs(" ] },\n", file);
}
