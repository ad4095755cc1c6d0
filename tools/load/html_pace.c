/* SPDX-License-Identifier: MIT */
/*
 * html_pace.c - what the page says about an open loop: the plan and what came of it, late and
 * unsent jobs, conditions, and both kinds of latency in one drawing.
 */
#include "figure.h"
#include "html_report.h"
#include "rates.h"

#include <stdlib.h>

/* ---- conditions ------------------------------------------------------------------------------ */

static void condition_row(FILE *file, const struct threshold *t, const struct rates_verdict *v)
{
	char figure[32] = "not known: no job was measured";
	bool bad = !v->there || v->is_true;

	if (v->there)
		thresholds_format(t, v->figure, figure, sizeof figure);
	fputs("<tr><th>fails if ", file);
	html_text(file, t->text);
	fputs("</th><td>it is ", file);
	html_figure(file, figure);
	fprintf(file, " <span class=\"pill %s\">%s</span></td></tr>\n", bad ? "bad" : "good",
		bad ? "failed" : "held");
}

unsigned html_conditions(FILE *file, const struct findings *f)
{
	unsigned failed = 0;

	for (unsigned i = 0; i < f->options->pacing.fail_if.count; i++) {
		const struct threshold *t = &f->options->pacing.fail_if.one[i];
		struct rates_verdict v = rates_judge(f, t);

		failed += !v.there || v.is_true;
		if (file)
			condition_row(file, t, &v);
	}
	return failed;
}

/* ---- the pace -------------------------------------------------------------------------------- */

static void plan_row(FILE *file, const struct options *o)
{
	char *text = NULL;
	size_t size = 0;
	FILE *memory = open_memstream(&text, &size);

	if (!memory)
		return;
	rates_head(o, memory);
	if (fclose(memory) == 0)
		html_row(file, "plan", "%s", text);
	free(text);
}

void html_pace(FILE *file, const struct findings *f)
{
	const struct pacing *p = &f->options->pacing;
	struct rates r;

	if (!p->plan.stages && !p->fail_if.count)
		return;
	rates_of(f, &r);
	html_section(file, "pace", "Pace", NULL);
	fputs("<table class=\"facts\"><tbody>\n", file);
	plan_row(file, f->options);
	if (p->plan.stages) {
		html_row(file, "intended", "%.1f jobs a second", r.intended);
		html_row(file, "achieved", "%.1f jobs a second", r.achieved);
		html_row(file, "late", "%s of %s jobs were sent more than 1 ms behind the plan",
			figure_count(r.count.late).text, figure_count(r.count.sent).text);
		html_row(file, "unsent", "%s%s", figure_count(r.count.unsent).text,
			r.count.unsent ? " jobs: their time came, but they were never sent. They "
					 "have no latency, so the true latencies are worse"
				       : "");
	}
	if (p->warm_up_s > 0)
		html_row(file, "warm-up", "the first %g s are left out of latencies and rates",
			p->warm_up_s);
	html_conditions(file, f);
	fputs("</tbody></table>\n", file);
	html_section_end(file);
}

/* ---- percentiles ----------------------------------------------------------------------------- */

static void loop_note(FILE *file, const struct options *o)
{
	if (o->pacing.plan.stages)
		fputs("<p class=\"note\">The load was an open loop: jobs were planned whatever "
		      "the pool did. Corrected latencies count from the planned time, as a user "
		      "would who waits. Raw ones count from the real send, so they leave out how "
		      "long a job waited to be sent: a stall hides there.</p>\n",
			file);
	else
		fputs("<p class=\"note\">The load was a closed loop: a caller gives its next job "
		      "when it has the last verdict, so a slow pool is offered less. These "
		      "latencies leave out the wait of jobs that come at a pace of their own: "
		      "--rate measures it.</p>\n",
			file);
}

void html_latency(FILE *file, const struct findings *f, const struct histogram *all)
{
	struct histogram *raw = rates_raw(f);
	bool both = raw && histogram_count(raw);
	const struct html_curve curves[] = { { both ? "corrected" : "latency", "c1", all, false },
		{ "raw", "c3", raw, true } };

	html_section(file, "latency", "Latency",
		"Each step to the right leaves a tenth of the jobs: at 99.9 % one job in a "
		"thousand took longer.");
	if (histogram_count(all))
		html_curves(file, curves, both ? 2 : 1);
	html_kinds(file, f);
	loop_note(file, f->options);
	html_section_end(file);
	free(raw);
}
