/* SPDX-License-Identifier: MIT */
/* html_tables.c - the tables of the page about one run. */
#include "figure.h"
#include "html_report.h"

#include <string.h>

/* ---- verdicts -------------------------------------------------------------------------------- */

static const char *outcome_style(unsigned outcome)
{
	return outcome == BROOD_DONE ? "c4" : outcome == BROOD_FAILED ? "c5" : "cbad";
}

static void verdict_row(
	FILE *file, const struct totals *all, unsigned outcome, unsigned detail, uint64_t count)
{
	double share = all->verdicts ? (double)count / (double)all->verdicts * 100 : 0;

	fputs("<tr><th>", file);
	html_text(file, brood_outcome_name((enum brood_outcome)outcome));
	if (detail) {
		fputs(" <span class=\"d\">", file);
		html_text(file, brood_detail_name((enum brood_detail)detail));
		fputs("</span>", file);
	}
	fprintf(file,
		"</th><td class=\"n\">%s</td><td class=\"n\">%.*f&nbsp;%%</td><td class=\"w %s\">"
		"<span class=\"bar\" style=\"width:%.2f%%\"></span></td></tr>\n",
		figure_count(count).text, share >= 10 ? 1 : 3, share, outcome_style(outcome),
		share);
}

/* The verdicts of an outcome by detail; what has no count by detail stands in a row of its own. */
static void outcome_rows(FILE *file, const struct totals *all, unsigned outcome)
{
	uint64_t rest = all->outcomes[outcome];

	for (unsigned d = 0; d < BROOD_DETAILS; d++) {
		uint64_t count = all->told[outcome][d];

		if (!count)
			continue;
		verdict_row(file, all, outcome, d, count);
		rest -= count < rest ? count : rest;
	}
	if (rest)
		verdict_row(file, all, outcome, 0, rest);
}

void html_verdicts(FILE *file, const struct findings *f)
{
	const struct totals *all = &f->totals;

	html_section(file, "verdicts", "Verdicts",
		"Each job gets one verdict: how it ended, and a detail that says why.");
	fputs("<div class=\"scroll\"><table><thead><tr><th>outcome</th><th class=\"n\">jobs</th>"
	      "<th class=\"n\">share</th><th></th></tr></thead><tbody>\n",
		file);
	for (unsigned v = BROOD_DONE; v < BROOD_OUTCOMES; v++)
		outcome_rows(file, all, v);
	fputs("</tbody></table></div>\n<table class=\"facts\"><tbody>\n", file);
	html_row(file, "without a verdict", "%s", figure_count(all->unaccounted).text);
	if (all->cut_off)
		html_row(file, "cut off", "%s: they were out when the supervisor was killed",
			figure_count(all->cut_off).text);
	html_row(file, "way to the worker", "%s by handoff, %s on a lease",
		figure_count(all->paths[BROOD_PATH_HANDOFF]).text,
		figure_count(all->paths[BROOD_PATH_LEASE]).text);
	fputs("</tbody></table>\n", file);
	html_section_end(file);
}

/* ---- latencies ------------------------------------------------------------------------------- */

static void times_row(FILE *file, const char *name, const struct histogram *h)
{
	static const double quantiles[] = { 0.5, 0.9, 0.99, 0.999 };

	if (!h || !histogram_count(h))
		return;
	fputs("<tr><th>", file);
	html_text(file, name);
	fprintf(file, "</th><td class=\"n\">%s</td>", figure_count(histogram_count(h)).text);
	for (unsigned i = 0; i < COUNT_OF(quantiles); i++) {
		fprintf(file, "<td class=\"n%s\">", quantiles[i] == 0.9 ? " minor" : "");
		html_time(file, (double)histogram_quantile(h, quantiles[i]));
		fputs("</td>", file);
	}
	fputs("<td class=\"n\">", file);
	html_time(file, (double)histogram_max(h));
	fputs("</td></tr>\n", file);
}

void html_kinds(FILE *file, const struct findings *f)
{
	fputs("<div class=\"scroll\"><table><thead><tr><th></th><th class=\"n\">count</th>"
	      "<th class=\"n\">p50</th><th class=\"n minor\">p90</th><th class=\"n\">p99</th>"
	      "<th class=\"n\">p99.9</th><th class=\"n\">slowest</th></tr></thead><tbody>\n",
		file);
	for (unsigned k = 0; k < KINDS; k++) {
		char name[40];

		times_row(file, kind_name((enum kind)k), f->latency[k]);
		snprintf(name, sizeof name, "%s, raw", kind_name((enum kind)k));
		times_row(file, name, f->raw[k]);
	}
	times_row(file, "death to verdict", f->death_to_verdict);
	times_row(file, "death to ready", f->death_to_ready);
	fputs("</tbody></table></div>\n", file);
}

/* ---- chaos ----------------------------------------------------------------------------------- */

void html_chaos(FILE *file, const struct findings *f)
{
	bool begun = false;

	for (unsigned kind = 0; kind < CHAOS_KINDS; kind++) {
		const struct chaos_found *c = &f->chaos[kind];

		if (!c->asked)
			continue;
		if (!begun) {
			html_section(file, "chaos", "What was done to the pool",
				"Each kind of act may do to the jobs what is expected of it, and "
				"no "
				"more. An act is missed when there was nobody to hit.");
			fputs("<div class=\"scroll\"><table><thead><tr><th></th>"
			      "<th class=\"n\">acts</th><th class=\"n minor\">missed</th>"
			      "<th></th></tr></thead><tbody>\n",
				file);
		}
		begun = true;
		fprintf(file, "<tr><th><span class=\"key m%u\"><i></i>", html_mark_style(kind));
		html_text(file, chaos_name(kind));
		fputs("</span><br>", file);
		html_text(file, c->found);
		fputs("<br><span class=\"d\">expected: ", file);
		html_text(file, chaos_expectation(kind));
		fprintf(file,
			"</span></th><td class=\"n\">%s</td><td class=\"n minor\">%s</td>"
			"<td class=\"n\"><span class=\"pill %s\">%s</span></td></tr>\n",
			figure_count(c->acted).text, figure_count(c->missed).text,
			c->broken ? "bad" : "good", c->broken ? "broken" : "held");
	}
	if (begun) {
		fputs("</tbody></table></div>\n", file);
		html_section_end(file);
	}
}

/* ---- invariants ------------------------------------------------------------------------------ */

static const char *meaning(const char *name)
{
	static const struct {
		const char *name, *meaning;
	} all[] = {
		{ "one_verdict_per_job",
			"Each job got one verdict, in time, and one that its kind may have." },
		{ "replies_intact", "Each reply is that of its request, byte for byte." },
		{ "pool_full", "At the end each place of the pool had a ready worker again." },
		{ "nothing_left", "No process, no zombie and no descriptor was left." },
		{ "counters_agree", "The pool's own counters say what the judge counted." },
		{ "chaos_expected", "What was done to the pool did no more than it may." },
	};

	for (unsigned i = 0; i < COUNT_OF(all); i++) {
		if (strcmp(all[i].name, name) == 0)
			return all[i].meaning;
	}
	return "";
}

void html_invariants(FILE *file, const struct findings *f)
{
	html_section(file, "invariants", "Invariants",
		"What holds in each run, whatever is done to the pool. A process outside of the "
		"pool judges.");
	fputs("<table><tbody>\n", file);
	for (unsigned i = 0; i < INVARIANTS; i++) {
		const char *name = invariant_name((enum invariant)i);

		fputs("<tr><th>", file);
		html_text(file, name);
		fputs("<br><span class=\"d\">", file);
		html_text(file, meaning(name));
		fprintf(file,
			"</span></th><td class=\"n\"><span class=\"pill%s\">%s</span></td></tr>\n",
			f->broken[i]           ? " bad"
				: f->judged[i] ? " good"
					       : "",
			f->broken[i]           ? "broken"
				: f->judged[i] ? "held"
					       : "not judged");
	}
	fputs("</tbody></table>\n", file);
	if (f->breaches)
		fputs("<ul class=\"broken\">\n", file);
	for (unsigned i = 0; i < f->breaches; i++) {
		fputs("<li>", file);
		html_text(file, invariant_name(f->breach[i].invariant));
		fputs(": ", file);
		html_text(file, f->breach[i].text);
		fputs("</li>\n", file);
	}
	if (f->breaches)
		fputs("</ul>\n", file);
	html_section_end(file);
}

/* ---- the pool, the machine, the settings ----------------------------------------------------- */

void html_workers(FILE *file, const struct findings *f)
{
	const struct tally_engine *te = &f->tally->engine;
	const struct brood_stats *s = &te->stats;

	fputs("<table class=\"facts\"><tbody>\n", file);
	html_row(file, "started", "%s", figure_count(s->spawned).text);
	html_row(file, "died", "%s; %s killed by this tool, %s by the pool",
		figure_count(s->died).text, figure_count(f->workers_killed).text,
		figure_count(s->killed).text);
	if (s->redispatched)
		html_row(file, "given again",
			"%s jobs, to another worker: the first died before it began",
			figure_count(s->redispatched).text);
	if (te->reloads || te->resizes)
		html_row(file, "changed", "reloads: %s, new sizes: %s",
			figure_count(te->reloads).text, figure_count(te->resizes).text);
	html_row(file, "left at the end", "%u processes, %u zombies, %u descriptors",
		f->left.processes, f->left.zombies, f->fds);
	fputs("</tbody></table>\n", file);
}

void html_machine(FILE *file, const struct about *about)
{
	const struct machine *m = &about->machine;
	char when[40] = "?";
	struct tm utc;

	if (gmtime_r(&about->when, &utc))
		strftime(when, sizeof when, "%Y-%m-%d %H:%M UTC", &utc);
	html_section(file, "machine", "Machine", NULL);
	fputs("<table class=\"facts\"><tbody>\n", file);
	html_row(file, "processor", "%s", *m->cpu ? m->cpu : "not known");
	html_row(file, "CPUs in use", "%u", m->cpus);
	html_row(file, "memory", "%s", figure_bytes((double)m->memory).text);
	html_row(file, "kernel", "%s", m->kernel);
	if (m->load_before >= 0)
		html_row(file, "load before", "%.2f in the minute before the run", m->load_before);
	html_row(file, "begun", "%s", when);
	html_row(file, "library", "Brood %s", brood_version());
	fputs("</tbody></table>\n", file);
	html_section_end(file);
}

/* As one would type it. */
static void command(FILE *file, const struct options *o, const struct about *about)
{
	bool seeded = false;

	fputs("<pre><code>brood-load", file);
	for (int i = 1; i < about->argc; i++) {
		const char *word = about->argv[i];
		bool plain = *word &&
			strspn(word,
				"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				"0123456789-_=+.,:/%@") == strlen(word);

		seeded |= strncmp(word, "--seed", 6) == 0;
		fputs(plain ? " " : " '", file);
		for (const char *c = word; *c; c++) {
			if (*c == '\'')
				html_text(file, "'\\''");
			else
				html_bytes(file, c, 1);
		}
		fputs(plain ? "" : "'", file);
	}
	if (!seeded)
		fprintf(file, " --seed %llu", (llu)o->seed);
	fputs("</code></pre>\n", file);
}

void html_settings(FILE *file, const struct findings *f, const struct about *about)
{
	const struct options *o = f->options;
	char text[JOB_SPEC_TEXT];

	html_section(file, "settings", "Settings", "This command repeats the run:");
	command(file, o, about);
	fputs("<table class=\"facts\"><tbody>\n", file);
	html_row(file, "workers", "%u in %u pool%s", o->workers, o->pools, o->pools > 1 ? "s" : "");
	html_row(file, "jobs out", "%u at any time, of %u thread%s", o->concurrency, o->threads,
		o->threads > 1 ? "s" : "");
	html_row(file, "given by", "%s, dispatch %s", way_name(o->way), dispatch_name(o->dispatch));
	job_spec_mix_text(&o->spec, text);
	html_row(file, "mix", "%s", text);
	job_spec_sizes_text(&o->spec, text);
	html_row(file, "sizes", "%s bytes", text);
	html_row(file, "deadline", "%u ms", options_run_ms(o));
	html_row(file, "seed", "%llu", (llu)o->seed);
	fputs("</tbody></table>\n", file);
	html_section_end(file);
}
