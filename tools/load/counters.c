/* SPDX-License-Identifier: MIT */
/*
 * counters.c - the pool's own counters against the verdicts that the drivers were told. The engine
 * reads brood_metrics() as a program would that serves /metrics, once all jobs are done. Outcome
 * and detail of each verdict must be counted there as often as the drivers saw them.
 */
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE "brood_jobs_total{"

/* The values of the labels, as brood-metrics(7) has them. */
static const char *const outcomes[BROOD_OUTCOMES] = {
	[BROOD_DONE] = "done",
	[BROOD_FAILED] = "failed",
	[BROOD_CRASHED] = "crashed",
	[BROOD_EXITED] = "exited",
	[BROOD_TIMED_OUT] = "timed_out",
	[BROOD_CANCELLED] = "cancelled",
	[BROOD_REFUSED] = "refused",
	[BROOD_LOST] = "lost",
};
static const char *const details[BROOD_DETAILS] = {
	[BROOD_DETAIL_NONE] = "",
	[BROOD_DETAIL_QUEUE_FULL] = "queue_full",
	[BROOD_DETAIL_QUEUE_TIME] = "queue_time",
	[BROOD_DETAIL_DRAINING] = "draining",
	[BROOD_DETAIL_DEGRADED] = "degraded",
	[BROOD_DETAIL_BAD_POINTER] = "bad_pointer",
	[BROOD_DETAIL_FD_LOST] = "fd_lost",
	[BROOD_DETAIL_OUTSIDE] = "outside",
	[BROOD_DETAIL_MEMORY] = "memory",
	[BROOD_DETAIL_LONGJMP] = "longjmp",
	[BROOD_DETAIL_THREAD_EXIT] = "thread_exit",
	[BROOD_DETAIL_PROTOCOL] = "protocol",
	[BROOD_DETAIL_STUCK] = "stuck",
	[BROOD_DETAIL_STOPPED] = "stopped",
	[BROOD_DETAIL_CHANNEL] = "channel",
	[BROOD_DETAIL_STOP_TIME] = "stop_time",
	[BROOD_DETAIL_LEASE_OVER] = "lease_over",
	[BROOD_DETAIL_PLUGIN] = "plugin",
	[BROOD_DETAIL_POISONED] = "poisoned",
};

const char *counters_outcome(unsigned outcome) { return outcomes[outcome]; }

/* ---- reading --------------------------------------------------------------------------------- */

/* The number of the label's value. -1: the line has no such label, or the value is none of words */
static int label(const char *line, const char *name, const char *const *words, unsigned count)
{
	char key[16];
	const char *at;
	size_t size;

	snprintf(key, sizeof key, ",%s=\"", name);
	at = strstr(line, key);
	if (!at)
		return -1;
	at += strlen(key);
	size = strcspn(at, "\"");
	for (unsigned i = 0; i < count; i++)
		if (words[i] && strlen(words[i]) == size && memcmp(words[i], at, size) == 0)
			return (int)i;
	return -1;
}

/* line: a sample of brood_jobs_total. */
static bool read_sample(const char *line, struct tally_engine *te)
{
	int outcome = label(line, "outcome", outcomes, COUNT_OF(outcomes));
	int detail = label(line, "detail", details, COUNT_OF(details));
	const char *value = strchr(line, ' ');

	if (outcome < 0 || detail < 0 || !value)
		return false;
	te->counted[outcome][detail] += strtoull(value, NULL, 10);
	return true;
}

static void read_text(struct engine *e, char *text)
{
	char *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (strncmp(line, SAMPLE, strlen(SAMPLE)) == 0 &&
			!read_sample(line, &e->tally->engine)) {
			engine_break_off(e, "brood_metrics() has an odd line: %s", line);
			return;
		}
	}
	atomic_store(&e->tally->engine.counters_read, 1);
	times_read(e);
}

void counters_read(struct engine *e)
{
	ssize_t size = brood_metrics(e->brood, NULL, 0), n = 0;
	char *text;

	if (size < 0) {
		engine_failed(e, "brood_metrics()", size);
		return;
	}
	size += 4096; /* numbers may have got longer meanwhile */
	text = malloc((size_t)size);
	if (text)
		n = brood_metrics(e->brood, text, (size_t)size);
	if (!text || n < 0)
		engine_failed(e, "brood_metrics()", text ? n : -ENOMEM);
	else
		read_text(e, text);
	free(text);
}

/* ---- judging --------------------------------------------------------------------------------- */

void counters_add(const struct shard *shard, struct totals *inout_totals)
{
	for (unsigned i = 0; i < PATHS; i++)
		inout_totals->paths[i] += shard->paths[i];
	for (unsigned i = 0; i < BROOD_OUTCOMES; i++)
		for (unsigned k = 0; k < BROOD_DETAILS; k++)
			inout_totals->told[i][k] += shard->told[i][k];
}

static void judge_one(
	struct findings *f, const struct tally_engine *te, unsigned outcome, unsigned detail)
{
	uint64_t told = f->totals.told[outcome][detail], counted = te->counted[outcome][detail];

	if (told != counted)
		findings_breach(f, COUNTERS_AGREE,
			"%llu verdicts \"%s\" with detail \"%s\", but brood_metrics() says %llu",
			(llu)told, outcomes[outcome], details[detail], (llu)counted);
}

/* If verdicts were lost or given twice, another invariant says so; then these sums differ, too. */
void counters_judge(const struct tally *t, struct findings *f)
{
	const struct tally_engine *te = &t->engine;

	if (!atomic_load(&te->counters_read) || f->broken[ONE_VERDICT])
		return;
	f->judged[COUNTERS_AGREE] = true;
	for (unsigned i = 1; i < BROOD_OUTCOMES; i++) {
		uint64_t counted = 0;

		for (unsigned k = 0; k < BROOD_DETAILS; k++) {
			judge_one(f, te, i, k);
			counted += te->counted[i][k];
		}
		if (te->stats.verdicts[i] != counted)
			findings_breach(f, COUNTERS_AGREE,
				"\"%s\": brood_stats() says %llu, brood_metrics() %llu",
				outcomes[i], (llu)te->stats.verdicts[i], (llu)counted);
	}
}

/* ---- for programs ---------------------------------------------------------------------------- */

static void put_outcome(FILE *file, const struct totals *all, unsigned outcome)
{
	bool first = true;

	fprintf(file, "%s\"%s\": {", outcome > 1 ? ", " : "", outcomes[outcome]);
	for (unsigned k = 0; k < BROOD_DETAILS; k++) {
		if (all->told[outcome][k] == 0)
			continue;
		fprintf(file, "%s\"%s\": %llu", first ? "" : ", ", k ? details[k] : "none",
			(llu)all->told[outcome][k]);
		first = false;
	}
	fputs("}", file);
}

void counters_json(FILE *file, const struct totals *all)
{
	fputs("  \"details\": { ", file);
	for (unsigned i = 1; i < BROOD_OUTCOMES; i++)
		put_outcome(file, all, i);
	fputs(" },\n", file);
}
