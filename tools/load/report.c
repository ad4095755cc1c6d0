/* SPDX-License-Identifier: MIT */
/* report.c - the results for people: the table, and the broken invariants. */
#include "report.h"
#include "rates.h"

#include <stdio.h>
#include <string.h>

static const char *const invariant_names[INVARIANTS] = { "one_verdict_per_job", "replies_intact",
	"pool_full", "nothing_left", "counters_agree", "chaos_expected" };

const char *invariant_name(enum invariant invariant) { return invariant_names[invariant]; }

/* ---- the table ------------------------------------------------------------------------------- */

static void print_time(FILE *file, uint64_t ns)
{
	if (ns < 10 * NS_MS)
		fprintf(file, " %7.1f us", (double)ns / (double)NS_US);
	else if (ns < 10 * NS_S)
		fprintf(file, " %7.1f ms", (double)ns / (double)NS_MS);
	else
		fprintf(file, " %7.2f s ", (double)ns / (double)NS_S);
}

static void print_times(FILE *file, const char *name, const struct histogram *h)
{
	static const double quantiles[] = { 0.5, 0.9, 0.99, 0.999 };

	if (!h || !histogram_count(h))
		return;
	fprintf(file, "  %-17s%10llu ", name, (llu)histogram_count(h));
	for (unsigned i = 0; i < COUNT_OF(quantiles); i++)
		print_time(file, histogram_quantile(h, quantiles[i]));
	print_time(file, histogram_max(h));
	fputc('\n', file);
}

static void print_asked(FILE *file, const struct options *o)
{
	char mix[JOB_SPEC_TEXT], sizes[JOB_SPEC_TEXT];

	job_spec_mix_text(&o->spec, mix);
	job_spec_sizes_text(&o->spec, sizes);
	fprintf(file, "brood-load %s, ", brood_version());
	rates_head(o, file);
	fprintf(file, "\nsize %s, seed %llu, mix %s\n", sizes, (llu)o->seed, mix);
}

static void print_config(FILE *file, const struct findings *f)
{
	const struct options *o = f->options;

	print_asked(file, o);
	if (o->peer) {
		fprintf(file, "--peer %s%s%s: no pool of this library", o->peer,
			o->peer_socket ? ":" : "", o->peer_socket ? o->peer_socket : "");
		fprintf(file, o->way == WAY_CONTROL ? "; %u workers\n\n" : "\n\n", o->workers);
		return;
	}
	fprintf(file, "%u workers, %u threads, --call %s, --dispatch %s\n\n", o->workers,
		o->threads, way_name(o->way), dispatch_name(o->dispatch));
	if (o->way == WAY_CALL && o->threads_asked)
		fputs("(-t says nothing with --call call: each caller that blocks is a thread)\n",
			file);
}

static void print_jobs(FILE *file, const struct findings *f)
{
	const struct totals *all = &f->totals;

	fprintf(file, "%llu jobs in %.2f s: %.0f/s\n", (llu)all->submitted, f->elapsed_s,
		rates_achieved(f));
	for (int v = BROOD_DONE; v < BROOD_OUTCOMES; v++) {
		if (all->outcomes[v])
			fprintf(file, "  %-17s%10llu\n", brood_outcome_name((enum brood_outcome)v),
				(llu)all->outcomes[v]);
	}
	if (all->cut_off)
		fprintf(file,
			"  %-17s%10llu (the supervisor was killed, and with it the engine that "
			"waited)\n",
			"cut off", (llu)all->cut_off);
	fprintf(file, "  %-17s%10llu\n", "unaccounted", (llu)all->unaccounted);
	fprintf(file, "by handoff %llu, by lease %llu\n\n", (llu)all->paths[BROOD_PATH_HANDOFF],
		(llu)all->paths[BROOD_PATH_LEASE]);
}

static void print_workers(FILE *file, const struct findings *f)
{
	const struct brood_stats *s = &f->tally->engine.stats;
	const struct tally_engine *te = &f->tally->engine;

	fprintf(file,
		"workers: %llu spawned, %llu died, %llu killed from here, %llu by the pool, %llu "
		"retired; %llu jobs given to another worker\n",
		(llu)s->spawned, (llu)s->died, (llu)f->workers_killed, (llu)s->killed,
		(llu)s->retired, (llu)s->redispatched);
	if (f->options->reload_every_s > 0)
		fprintf(file, "reloads: %llu\n", (llu)te->reloads);
	if (f->options->resize_ms)
		fprintf(file, "resizes: %llu\n", (llu)te->resizes);
	if (f->options->control)
		fprintf(file,
			"longest time without a completion: %.1f ms; without an answer of the "
			"control: %.1f ms\n",
			(double)atomic_load(&te->gap_ns) / (double)NS_MS,
			(double)te->control_ns / (double)NS_MS);
	fprintf(file, "leases: %llu, %llu of them taken back by the pool\n", (llu)s->leases,
		(llu)s->leases_revoked);
	for (int event = 1; event < (int)COUNT_OF(te->logs); event++) {
		if (te->logs[event])
			fprintf(file, "  log: %llu %s\n", (llu)te->logs[event],
				brood_event_name((enum brood_event)event));
	}
	fprintf(file, "left: %u processes, %u zombies, %u fds\n\n", f->left.processes,
		f->left.zombies, f->fds);
}

void report_table(const struct findings *f, FILE *file)
{
	print_config(file, f);
	if (f->options->idle_s >= 0)
		fprintf(file, "idle for %.2f s\n", f->elapsed_s);
	else
		print_jobs(file, f);
	if (f->totals.verdicts)
		fprintf(file, "  %-17s%10s %10s %10s %10s %10s %10s\n", "latency", "count", "p50",
			"p90", "p99", "p99.9", "max");
	for (unsigned k = 0; k < KINDS; k++) {
		print_times(file, kind_name((enum kind)k), f->latency[k]);
		print_times(file, "  raw", f->raw[k]);
	}
	print_times(file, "death to verdict", f->death_to_verdict);
	print_times(file, "death to ready", f->death_to_ready);
	rates_table(f, file);
	fputc('\n', file);
	print_workers(file, f);
	chaos_table(f, file);
	for (unsigned i = 0; i < INVARIANTS; i++)
		fprintf(file, "%-20s %s\n", invariant_names[i],
			f->broken[i]           ? "BROKEN"
				: f->judged[i] ? "held"
					       : "not judged");
}

static void print_quantile(FILE *file, const struct histogram *h, double q)
{
	if (h && histogram_count(h))
		print_time(file, q < 1 ? histogram_quantile(h, q) : histogram_max(h));
	else
		fprintf(file, " %10s", "-");
}

void report_comparison(const struct comparison *all, unsigned count, FILE *file)
{
	print_asked(file, &all[0].options);
	fprintf(file,
		"%u workers, each way for itself, one after the other\n\n  %-16s%12s %10s %10s "
		"%10s %10s\n",
		all[0].options.workers, "", "jobs/s", "p50", "p99", "max", "to fork");
	for (unsigned i = 0; i < count; i++) {
		fprintf(file, "  %-16s%12.0f", all[i].name, all[i].rate);
		print_quantile(file, all[i].latency, 0.5);
		print_quantile(file, all[i].latency, 0.99);
		print_quantile(file, all[i].latency, 1);
		if (all[i].to_fork >= 0)
			fprintf(file, " %9.2fx\n", all[i].to_fork);
		else
			fprintf(file, " %10s\n", "-");
	}
	fputc('\n', file);
	for (unsigned i = 0; i < count; i++) {
		unsigned broken = 0;

		for (unsigned k = 0; k < INVARIANTS; k++)
			broken += all[i].findings.broken[k];
		fprintf(file, "%-16s %llu jobs, %llu unaccounted, %s\n", all[i].name,
			(llu)all[i].findings.totals.submitted,
			(llu)all[i].findings.totals.unaccounted,
			broken ? "BROKEN" : "all invariants held");
	}
}

void report_breaches(const struct findings *f, const char *of, FILE *file)
{
	for (unsigned i = 0; i < f->breaches; i++)
		fprintf(file, "brood-load: %s%s%s: %s\n", of ? of : "", of ? ": " : "",
			invariant_names[f->breach[i].invariant], f->breach[i].text);
}
