/* SPDX-License-Identifier: MIT */
/*
 * html_report.c - --report: one page about one run, for people who were not there. The verdict
 * comes first, then the figures, then how they came about.
 */
#include "html_report.h"
#include "figure.h"
#include "rates.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static unsigned broken(const struct findings *f)
{
	unsigned count = 0;

	for (unsigned i = 0; i < INVARIANTS; i++)
		count += f->broken[i];
	return count;
}

/* ---- the head -------------------------------------------------------------------------------- */

static void headline(FILE *file, const struct findings *f)
{
	unsigned bad = broken(f), failed = html_conditions(NULL, f);

	fprintf(file, "<header>\n<div class=\"brand\">brood-load %s</div>\n<h1%s><i></i>",
		brood_version(), bad || failed ? " class=\"bad\"" : "");
	if (!bad)
		fputs("All invariants held", file);
	else if (bad == 1)
		fputs("An invariant broke", file);
	else
		fprintf(file, "%u invariants broke", bad);
	if (failed)
		fprintf(file, "%s %u of the conditions failed", bad ? "," : ", but", failed);
	fputs("</h1>\n", file);
	if (f->options->peer) {
		fputs("<p class=\"sub\">This was no pool of Brood, but --peer ", file);
		html_text(file, f->options->peer);
		fputs(".</p>\n", file);
	}
}

/* The run in a few sentences. */
static void lead(FILE *file, const struct findings *f, const struct histogram *all)
{
	const struct totals *t = &f->totals;

	if (f->options->idle_s >= 0) {
		fprintf(file, "<p class=\"lead\">The pool was idle for %.2f s.</p>\n</header>\n",
			f->elapsed_s);
		return;
	}
	fprintf(file, "<p class=\"lead\"><b>%s jobs</b> in %.2f s, %s a second.",
		figure_count(t->submitted).text, f->elapsed_s,
		figure_count((uint64_t)rates_achieved(f)).text);
	if (histogram_count(all)) {
		fputs(" Half of them ended within <b>", file);
		html_time(file, (double)histogram_quantile(all, 0.5));
		fputs("</b>, and 99 of 100 within <b>", file);
		html_time(file, (double)histogram_quantile(all, 0.99));
		fputs("</b>.", file);
	}
	if (f->workers_killed)
		fprintf(file, " Meanwhile <b>%s workers were killed</b>.",
			figure_count(f->workers_killed).text);
	if (t->unaccounted)
		fprintf(file, " <b>%s jobs have no right verdict.</b>",
			figure_count(t->unaccounted).text);
	else if (t->cut_off)
		fprintf(file, " %s jobs were cut off when the supervisor was killed.",
			figure_count(t->cut_off).text);
	else
		fputs(" Every job had its verdict.", file);
	fputs("</p>\n</header>\n", file);
}

static void tiles(FILE *file, const struct findings *f, const struct histogram *all)
{
	const struct totals *t = &f->totals;
	uint64_t done = t->outcomes[BROOD_DONE], not_done = t->verdicts - done;
	struct figure rate = figure_count((uint64_t)rates_achieved(f)),
		      died = figure_count(f->workers_killed), bad = figure_count(t->unaccounted),
		      other = figure_count(not_done);
	struct figure p50 = figure_time((double)histogram_quantile(all, 0.5)),
		      p99 = figure_time((double)histogram_quantile(all, 0.99)),
		      p999 = figure_time((double)histogram_quantile(all, 0.999)),
		      max = figure_time((double)histogram_max(all));
	const struct html_tile list[] = { { rate.text, "jobs a second", false },
		{ p50.text, "p50", false }, { p99.text, "p99", false },
		{ p999.text, "p99.9", false }, { max.text, "slowest", false },
		{ other.text, "jobs not done", false }, { died.text, "workers killed", false },
		{ bad.text, "unaccounted", t->unaccounted != 0 } };

	html_tiles(file, list, COUNT_OF(list));
}

int html_report(const struct findings *f, const struct about *about, FILE *file)
{
	struct histogram *all = findings_latency(f);
	int r;

	if (!all)
		return -ENOMEM;
	html_begin(file, broken(f) ? "brood-load: broken" : "brood-load: all invariants held");
	headline(file, f);
	lead(file, f, all);
	if (f->options->idle_s < 0)
		tiles(file, f, all);
	if (broken(f))
		html_invariants(file, f);
	html_pace(file, f);
	html_over_time(file, f);
	html_chaos(file, f);
	if (f->totals.verdicts) {
		html_latency(file, f, all);
		fputs("<div class=\"two\">\n", file);
		html_verdicts(file, f);
	} else {
		fputs("<div class=\"two\">\n", file);
	}
	if (!broken(f))
		html_invariants(file, f);
	fputs("</div>\n<div class=\"two\">\n", file);
	html_settings(file, f, about);
	html_machine(file, about);
	fputs("</div>\n<footer>Made by brood-load. The page needs nothing from elsewhere."
	      "</footer>\n",
		file);
	r = html_end(file);
	free(all);
	return r;
}
