/* SPDX-License-Identifier: MIT */
/*
 * json.c - the results for programs. Times are in microseconds. A value is null when there was no
 * recovery to measure, or when this run could not judge the invariant (the supervisor was killed by
 * plan).
 */
#include "findings.h"
#include "json_text.h"
#include "rates.h"
#include "report.h"

#include <errno.h>
#include <stdio.h>

#define SCHEMA "brood-load/1"

static void put_count(FILE *file, const char *key, uint64_t value, bool last)
{
	fprintf(file, "\"%s\": %llu%s", key, (llu)value, last ? "" : ", ");
}

static double us(uint64_t ns) { return (double)ns / (double)NS_US; }

static void put_times(FILE *file, const char *key, const struct histogram *h)
{
	if (!h || !histogram_count(h)) {
		fprintf(file, "    \"%s\": null", key);
		return;
	}
	fprintf(file,
		"    \"%s\": { \"p50\": %.3f, \"p90\": %.3f, \"p99\": %.3f, \"p99_9\": %.3f, "
		"\"max\": %.3f }",
		key, us(histogram_quantile(h, 0.5)), us(histogram_quantile(h, 0.9)),
		us(histogram_quantile(h, 0.99)), us(histogram_quantile(h, 0.999)),
		us(histogram_max(h)));
}

static void put_mix(FILE *file, const struct options *o)
{
	bool first = true;

	fputs("    \"mix\": {", file);
	for (unsigned k = 0; k < KINDS; k++) {
		if (o->mix[k] > 0) {
			fprintf(file, "%s \"%s\": %.9g", first ? "" : ",", kind_name((enum kind)k),
				o->mix[k]);
			first = false;
		}
	}
	fputs(" },\n", file);
}

/* Prints one size as a number, several sizes as an array. */
static void put_sizes(FILE *file, const struct options *o)
{
	const struct job_spec_list *sizes = &o->spec.sizes;

	fprintf(file, "    \"size\": %s%llu", sizes->count > 1 ? "[" : "",
		(llu)sizes->item[0].value);
	for (unsigned i = 1; i < sizes->count; i++)
		fprintf(file, ", %llu", (llu)sizes->item[i].value);
	fputs(sizes->count > 1 ? "],\n" : ",\n", file);
}

static void put_text_or_null(FILE *file, const char *key, const char *text)
{
	fprintf(file, "    \"%s\": ", key);
	if (text)
		json_put_text(file, text);
	else
		fputs("null", file);
	fputs(",\n", file);
}

/* Prints what --mix and --size would read. */
static void put_asked(FILE *file, const struct options *o)
{
	char text[JOB_SPEC_TEXT];

	job_spec_mix_text(&o->spec, text);
	fprintf(file, "    \"work\": \"%s\",\n", text);
	job_spec_sizes_text(&o->spec, text);
	fprintf(file, "    \"sizes\": \"%s\",\n    \"keys\": %llu,\n    \"tags\": %s,\n", text,
		(llu)o->spec.keys, o->spec.tags ? "true" : "false");
	job_spec_priorities_text(&o->spec, text);
	fprintf(file, "    \"priority\": \"%s\",\n", text);
	put_text_or_null(file, "user_job", o->user_job);
}

static void put_or_null(FILE *file, const char *key, double value, bool there)
{
	if (there)
		fprintf(file, "    \"%s\": %.9g,\n", key, value);
	else
		fprintf(file, "    \"%s\": null,\n", key);
}

static void put_config(FILE *file, const struct options *o)
{
	fprintf(file, "  \"config\": {\n    \"loop\": \"%s\",\n    ",
		o->pacing.plan.stages || o->pacing.find_max.count ? "open" : "closed");
	put_count(file, "workers", o->workers, false);
	put_count(file, "pools", o->pools, false);
	put_count(file, "concurrency", o->concurrency, false);
	put_count(file, "threads", o->threads, false);
	fputs("\n", file);
	put_or_null(file, "duration_s", o->duration_s, o->duration_s > 0 && o->idle_s < 0);
	if (o->jobs)
		fprintf(file, "    \"jobs\": %llu,\n", (llu)o->jobs);
	else
		fputs("    \"jobs\": null,\n", file);
	put_sizes(file, o);
	if (o->compare)
		fputs("    \"call\": null,\n    \"dispatch\": null,\n", file);
	else
		fprintf(file, "    \"call\": \"%s\",\n    \"dispatch\": \"%s\",\n",
			way_name(o->way), dispatch_name(o->dispatch));
	put_text_or_null(file, "peer", o->peer);
	put_mix(file, o);
	put_asked(file, o);
	fprintf(file, "    \"deadline_ms\": %u,\n    \"kill_rate\": %.9g,\n    \"kill_all_at\": [",
		options_run_ms(o), o->kill_rate);
	for (unsigned i = 0; i < o->kill_all_count; i++)
		fprintf(file, "%s%.9g", i ? ", " : "", o->kill_all_at[i]);
	fputs("],\n", file);
	put_or_null(file, "kill_supervisor_at", o->kill_supervisor_at, o->kill_supervisor_at >= 0);
	put_or_null(file, "reload_every_s", o->reload_every_s, o->reload_every_s > 0);
	if (o->resize_ms)
		fprintf(file, "    \"resize\": \"%u:%u:%u\",\n", o->resize_min, o->resize_max,
			o->resize_ms);
	else
		fputs("    \"resize\": null,\n", file);
	put_or_null(file, "rate", o->pacing.plan.stage[0].from, o->pacing.plan.stages > 0);
	put_or_null(file, "idle_s", o->idle_s, o->idle_s >= 0);
	chaos_json_config(o, file);
	fprintf(file, "    \"seed\": %llu\n  },\n", (llu)o->seed);
}

static void put_jobs(FILE *file, const struct totals *all)
{
	fputs("  \"jobs\": { ", file);
	put_count(file, "submitted", all->submitted, false);
	put_count(file, "done", all->outcomes[BROOD_DONE], false);
	put_count(file, "failed", all->outcomes[BROOD_FAILED], false);
	put_count(file, "crashed", all->outcomes[BROOD_CRASHED], false);
	put_count(file, "exited", all->outcomes[BROOD_EXITED], false);
	put_count(file, "timed_out", all->outcomes[BROOD_TIMED_OUT], false);
	put_count(file, "cancelled", all->outcomes[BROOD_CANCELLED], false);
	put_count(file, "refused", all->outcomes[BROOD_REFUSED], false);
	put_count(file, "lost", all->outcomes[BROOD_LOST], false);
	put_count(file, "cut_off", all->cut_off, false);
	put_count(file, "unaccounted", all->unaccounted, true);
	fputs(" },\n", file);
}

static void put_latencies(FILE *file, const char *key, struct histogram *const *latency)
{
	bool first = true;

	fprintf(file, "  \"%s\": {", key);
	for (unsigned k = 0; k < KINDS; k++) {
		if (!latency[k] || !histogram_count(latency[k]))
			continue;
		fputs(first ? "\n" : ",\n", file);
		first = false;
		put_times(file, kind_name((enum kind)k), latency[k]);
	}
	fputs(first ? "},\n" : "\n  },\n", file);
}

static void put_invariants(FILE *file, const struct findings *f)
{
	fputs("  \"invariants\": { ", file);
	for (unsigned i = 0; i < INVARIANTS; i++)
		fprintf(file, "%s\"%s\": %s", i ? ", " : "", invariant_name((enum invariant)i),
			!f->judged[i]          ? "null"
				: f->broken[i] ? "false"
					       : "true");
	fputs(" },\n  \"broken\": [", file);
	for (unsigned i = 0; i < f->breaches; i++) {
		char text[sizeof f->breach[0].text + 40];

		snprintf(text, sizeof text, "%s: %s", invariant_name(f->breach[i].invariant),
			f->breach[i].text);
		fputs(i ? ",\n    " : "\n    ", file);
		json_put_text(file, text);
	}
	fputs(f->breaches ? "\n  ]\n" : "]\n", file);
}

static void put_workers(FILE *file, const struct findings *f)
{
	const struct brood_stats *stats = &f->tally->engine.stats;

	fputs("  \"workers\": { ", file);
	put_count(file, "spawned", stats->spawned, false);
	put_count(file, "died", stats->died, false);
	put_count(file, "killed", f->workers_killed, false);
	put_count(file, "retired", stats->retired, false);
	put_count(file, "reloads", f->tally->engine.reloads, false);
	put_count(file, "resizes", f->tally->engine.resizes, false);
	put_count(file, "leases", stats->leases, false);
	put_count(file, "leases_revoked", stats->leases_revoked, true);
	fputs(" },\n", file);
}

static void put_gaps(FILE *file, const struct findings *f)
{
	const struct tally_engine *te = &f->tally->engine;

	if (f->options->control)
		fprintf(file, "  \"gap_us\": { \"completions\": %.3f, \"control\": %.3f },\n",
			us(atomic_load(&te->gap_ns)), us(te->control_ns));
	else
		fputs("  \"gap_us\": null,\n", file);
}

/*
 * Prints the results of one run: the keys of a whole document, or of each run in one of --compare.
 */
static void put_run(FILE *file, const struct findings *f)
{
	fprintf(file, "  \"elapsed_s\": %.6f,\n", f->elapsed_s);
	put_jobs(file, &f->totals);
	counters_json(file, &f->totals);
	fputs("  \"paths\": { ", file);
	put_count(file, "handoff", f->totals.paths[BROOD_PATH_HANDOFF], false);
	put_count(file, "lease", f->totals.paths[BROOD_PATH_LEASE], true);
	fprintf(file, " },\n  \"rate_per_s\": %.3f,\n", rates_achieved(f));
	put_latencies(file, "latency_us", f->latency);
	if (f->options->pacing.plan.stages)
		put_latencies(file, "latency_raw_us", f->raw);
	rates_json(f, file);
	fputs("  \"recovery_us\": {\n", file);
	put_times(file, "death_to_verdict", f->death_to_verdict);
	fputs(",\n", file);
	put_times(file, "death_to_ready", f->death_to_ready);
	fputs("\n  },\n", file);
	put_gaps(file, f);
	json_put_histograms(file, f);
	json_put_series(file, f);
	json_put_batches(file, f);
	chaos_json(f, file);
	put_workers(file, f);
	fputs("  \"left\": { ", file);
	put_count(file, "processes", f->left.processes, false);
	put_count(file, "zombies", f->left.zombies, false);
	put_count(file, "fds", f->fds, true);
	fputs(" },\n", file);
	put_invariants(file, f);
}

static void put_machine(FILE *file, const struct about *about)
{
	const struct machine *m = &about->machine;
	char when[32] = "";
	struct tm utc;

	if (gmtime_r(&about->when, &utc))
		strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
	fputs("  \"machine\": { \"cpu\": ", file);
	json_put_text(file, m->cpu);
	fputs(", \"kernel\": ", file);
	json_put_text(file, m->kernel);
	fprintf(file,
		",\n    \"cpus\": %u, \"memory\": %llu, \"load_before\": %.2f, \"when\": \"%s\", "
		"\"brood\": \"%s\" },\n",
		m->cpus, (llu)m->memory, m->load_before, when, brood_version());
}

static void put_head(FILE *file, const struct options *o, const struct about *about)
{
	fputs("{\n  \"schema\": \"" SCHEMA "\",\n", file);
	put_config(file, o);
	put_machine(file, about);
}

static int put_end(FILE *file)
{
	fputs("}\n", file);
	return fflush(file) || ferror(file) ? -EIO : 0;
}

int json_write(const struct findings *f, const struct about *about, FILE *file)
{
	put_head(file, f->options, about);
	put_run(file, f);
	return put_end(file);
}

int json_write_comparison(
	const struct comparison *all, unsigned count, const struct about *about, FILE *file)
{
	put_head(file, &all[0].options, about);
	fputs("  \"compare\": [", file);
	for (unsigned i = 0; i < count; i++) {
		fprintf(file,
			"%s{\n  \"way\": \"%s\",\n  \"call\": \"%s\",\n  \"dispatch\": \"%s\",\n",
			i ? ", " : "", all[i].name, way_name(all[i].options.way),
			dispatch_name(all[i].options.dispatch));
		put_or_null(file, "ratio_to_fork", all[i].to_fork, all[i].to_fork >= 0);
		put_times(file, "latency_all_us", all[i].latency);
		fputs(",\n", file);
		put_run(file, &all[i].findings);
		fputs("  }", file);
	}
	fputs("]\n", file);
	return put_end(file);
}
