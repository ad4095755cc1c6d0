/* SPDX-License-Identifier: MIT */
/*
 * openmetrics.c - see openmetrics.h. All samples of a metric stand together, as OpenMetrics asks:
 * so each metric is one walk over the pools. A counter is always the same number of the page, so it
 * never goes back. Tags and pids are no labels, for there is no bound on how many there are.
 */
#include "openmetrics.h"

#include "../base/base.h"
#include "labels.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The least and the largest limit of a histogram: 1.024 us times a power of two. */
#define BUCKET_FIRST (3 * 16)  /* 4.096 us */
#define BUCKET_LAST  (28 * 16) /* 137 s */

struct out {
	char *text;
	size_t size, length; /* length: of the whole text, also of what had no room */
	const struct status_view *view;
	struct brood_status_sums *sums; /* of the pool that is written now */
	char pool[96];                  /* that pool's name, as a label */
};

static void put(struct out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct out *out, const char *format, ...)
{
	size_t at = MIN(out->length, out->size);
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(out->size > at ? out->text + at : NULL, out->size - at, format, args);
	va_end(args);
	out->length += n > 0 ? (size_t)n : 0;
}

/* Writes a text as the value of a label. Bytes beyond ASCII become '?': they might be no UTF-8. */
static void label(char *dst, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text && n + 3 < size; text++) {
		if (*text == '\\' || *text == '"')
			dst[n++] = '\\';
		dst[n++] = (unsigned char)*text < ' ' || (unsigned char)*text > '~' ? '?' : *text;
	}
	dst[n] = '\0';
}

static void family(struct out *out, const char *name, const char *type, const char *help)
{
	put(out, "# TYPE %s %s\n# HELP %s %s\n", name, type, name, help);
}

/* Takes up the pool's name, so that samples can be written. */
static void enter_pool(struct out *out, uint32_t pool)
{
	struct brood_status_pool setup;

	status_view_pool(out->view, pool, &setup);
	label(out->pool, sizeof out->pool, setup.name);
}

/* Writes seconds with all nine decimals. "1.024e-06" is allowed, too, but loses digits. */
static void put_seconds(struct out *out, uint64_t ns)
{
	put(out, "%" PRIu64 ".%09" PRIu64, ns / NS_PER_S, ns % NS_PER_S);
}

/* ---- the brood ---- */

static void put_brood(struct out *out)
{
	struct brood_status_brood brood;
	char name[2 * sizeof brood.name + 8], version[2 * sizeof brood.version + 8];

	status_view_brood(out->view, &brood);
	if (brood.state == 0) /* inline mode: there is no supervisor, which writes it */
		return;
	label(name, sizeof name, brood.name);
	label(version, sizeof version, brood.version);
	family(out, "brood", "info", "The program and its library.");
	put(out, "brood_info{name=\"%s\",version=\"%s\"} 1\n", name, version);
	family(out, "brood_start_time_seconds", "gauge", "When it was started, since 1970.");
	put(out, "brood_start_time_seconds ");
	put_seconds(out, brood.started_unix_ns);
	put(out, "\n");
	family(out, "brood_state", "stateset", "What it does as a whole.");
	for (uint32_t i = BROOD_STATUS_STARTING; i <= BROOD_STATUS_STOPPING; i++) {
		static const char *const names[] = { "", "starting", "serving", "draining",
			"stopping" };

		put(out, "brood_state{brood_state=\"%s\"} %d\n", names[i], brood.state == i);
	}
}

/* ---- gauges ---- */

static void put_workers(struct out *out, const struct brood_status_counts *c)
{
	const struct {
		const char *state;
		uint32_t count;
	} states[] = {
		{ "starting", c->starting },
		{ "idle", c->idle },
		{ "busy", c->busy - MIN(c->busy, c->leased) },
		{ "leased", c->leased },
		{ "undead", c->undead },
	};

	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		put(out, "brood_workers{pool=\"%s\",state=\"%s\"} %u\n", out->pool, states[i].state,
			states[i].count);
}

static void put_all_workers(struct out *out)
{
	family(out, "brood_workers", "gauge", "Processes by state.");
	for (uint32_t i = 0; i < status_view_pools(out->view); i++) {
		struct brood_status_counts counts;

		status_view_counts(out->view, i, &counts);
		enter_pool(out, i);
		put_workers(out, &counts);
	}
}

static void put_waiting(struct out *out)
{
	family(out, "brood_queue_jobs", "gauge", "Accepted jobs that wait for a worker.");
	for (uint32_t i = 0; i < status_view_pools(out->view); i++) {
		struct brood_status_counts counts;

		status_view_counts(out->view, i, &counts);
		status_view_verdicts(out->view, i, out->sums);
		enter_pool(out, i);
		put(out, "brood_queue_jobs{pool=\"%s\"} %" PRIu64 "\n", out->pool,
			counts.queued +
				(out->sums->waiting > 0 ? (uint64_t)out->sums->waiting : 0));
	}
}

/* ---- numbers that are copied from a record ---- */

enum part { COUNTS, SETUP };
#define COUNT(field, name, type, help)                                                            \
	{                                                                                         \
		COUNTS, offsetof(struct brood_status_counts, field),                              \
			sizeof(((struct brood_status_counts *)0)->field), false, name, type, help \
	}
#define POOL(field, name, type, help)                                                           \
	{                                                                                       \
		SETUP, offsetof(struct brood_status_pool, field),                               \
			sizeof(((struct brood_status_pool *)0)->field), false, name, type, help \
	}
/* What is about no pool stands in the first pool's record. */
#define WHOLE(field, name, help)                                                                 \
	{                                                                                        \
		COUNTS, offsetof(struct brood_status_counts, field),                             \
			sizeof(((struct brood_status_counts *)0)->field), true, name, "counter", \
			help                                                                     \
	}

static const struct number {
	enum part part;
	size_t at, size;
	bool whole; /* no label for the pool */
	const char *name, *type, *help;
} numbers[] = {
	COUNT(workers, "workers_wanted", "gauge", "How many workers the pool is to have now."),
	POOL(workers_max, "workers_limit", "gauge", "How many it may have at most."),
	COUNT(ready, "workers_ready", "gauge", "Workers that can have a job, or have one."),
	COUNT(degraded, "degraded", "gauge", "1: workers die at birth, or do not end."),
	COUNT(queued, "supervisor_queue_jobs", "gauge", "Of those that wait: in the supervisor."),
	COUNT(queued_peak, "supervisor_queue_jobs_peak", "gauge", "The most that ever did."),
	POOL(backlog, "supervisor_queue_limit", "gauge", "How many may."),
	COUNT(spawned, "worker_births", "counter", "Processes that were made."),
	COUNT(spawn_failures, "worker_birth_failures", "counter", "Births that failed."),
	COUNT(killed, "worker_kills", "counter", "Workers that Brood sent a SIGKILL."),
	COUNT(retired, "worker_retirements", "counter", "Workers that ended by themselves."),
	COUNT(undead_ever, "worker_undead", "counter", "Workers that outlived their SIGKILL."),
	COUNT(leases, "leases", "counter", "Leases that were granted."),
	COUNT(leases_revoked, "leases_revoked", "counter", "Leases that the supervisor took back."),
	COUNT(redispatched, "job_redispatches", "counter", "Jobs that another worker got instead."),
	COUNT(retried, "job_retries", "counter", "Attempts by handoff after the first one."),
	POOL(reload_epoch, "reloads", "counter", "Reloads that began."),
	POOL(reloading, "reload_runs", "gauge", "1: a reload runs."),
	POOL(resizes, "resizes", "counter", "New sizes that the pool was given."),
	WHOLE(strays_killed, "strays_killed", "Processes of jobs that outlived their workers."),
	WHOLE(guard_deaths, "guard_deaths", "Deaths of the guard, which was replaced."),
	WHOLE(spawner_deaths, "spawner_deaths", "Deaths of the spawner."),
	WHOLE(logs_dropped, "log_lines_dropped", "Lines of the log that had no room."),
};

static uint64_t value_of(const struct out *out, const struct number *number, uint32_t pool)
{
	struct brood_status_counts counts;
	struct brood_status_pool setup;
	const char *from = (const char *)&counts;
	uint32_t small;
	uint64_t large;

	if (number->part == SETUP) {
		status_view_pool(out->view, pool, &setup);
		from = (const char *)&setup;
	} else {
		status_view_counts(out->view, pool, &counts);
	}
	memcpy(&small, from + number->at, sizeof small);
	memcpy(&large, from + number->at, number->size == sizeof large ? sizeof large : 0);
	return number->size == sizeof large ? large : small;
}

static void put_number(struct out *out, const struct number *number)
{
	const char *total = strcmp(number->type, "counter") == 0 ? "_total" : "";
	char name[64];

	snprintf(name, sizeof name, "brood_%s", number->name);
	family(out, name, number->type, number->help);
	if (number->whole) {
		put(out, "%s%s %" PRIu64 "\n", name, total, value_of(out, number, 0));
		return;
	}
	for (uint32_t i = 0; i < status_view_pools(out->view); i++) {
		enter_pool(out, i);
		put(out, "%s%s{pool=\"%s\"} %" PRIu64 "\n", name, total, out->pool,
			value_of(out, number, i));
	}
}

/* ---- verdicts and deaths ---- */

/* A page of a later library may have numbers without a word here: these get labels of their own. */
#define NUMBER_MAX 24
static const char *or_number(const char *word, char text[NUMBER_MAX], uint32_t number)
{
	snprintf(text, NUMBER_MAX, "number_%u", number);
	return word ? word : text;
}

/*
 * A count of 0 is written only for an outcome without a detail: so each known outcome has a sample
 * from the beginning on.
 */
static void put_verdicts(struct out *out)
{
	for (uint32_t i = 0; i < BROOD_STATUS_OUTCOMES; i++)
		for (uint32_t k = 0; k < BROOD_STATUS_DETAILS; k++) {
			char unknown_outcome[NUMBER_MAX], unknown_detail[NUMBER_MAX];
			uint64_t count = out->sums->verdicts[i][k];

			if (count == 0 && (k > 0 || !labels_outcome(i)))
				continue;
			put(out,
				"brood_jobs_total{pool=\"%s\",outcome=\"%s\",detail=\"%s\"} "
				"%" PRIu64 "\n",
				out->pool, or_number(labels_outcome(i), unknown_outcome, i),
				or_number(labels_detail(k), unknown_detail, k), count);
		}
}

static void put_jobs(struct out *out)
{
	family(out, "brood_jobs", "counter", "Verdicts: one for each job that was accepted.");
	for (uint32_t i = 0; i < status_view_pools(out->view); i++) {
		status_view_verdicts(out->view, i, out->sums);
		enter_pool(out, i);
		put_verdicts(out);
	}
}

static void put_deaths(struct out *out)
{
	family(out, "brood_worker_deaths", "counter", "Workers that ended, by cause.");
	for (uint32_t i = 0; i < status_view_pools(out->view); i++) {
		struct brood_status_counts counts;

		status_view_counts(out->view, i, &counts);
		enter_pool(out, i);
		for (uint32_t k = 0; k < BROOD_STATUS_CAUSES; k++) {
			char unknown[NUMBER_MAX];

			if (!labels_cause(k) && counts.deaths[k] == 0)
				continue;
			put(out,
				"brood_worker_deaths_total{pool=\"%s\",cause=\"%s\"} %" PRIu64 "\n",
				out->pool, or_number(labels_cause(k), unknown, k),
				counts.deaths[k]);
		}
	}
}

/* ---- histograms ---- */

static void put_buckets(struct out *out, const char *name, const struct brood_status_histogram *h)
{
	uint64_t below = 0;
	uint32_t bucket = 0;

	for (uint32_t limit = BUCKET_FIRST; limit <= BUCKET_LAST; limit += 16) {
		for (; bucket < limit; bucket++)
			below += h->buckets[bucket];
		put(out, "%s_bucket{pool=\"%s\",le=\"", name, out->pool);
		put_seconds(out, brood_status_bucket_ns(limit));
		put(out, "\"} %" PRIu64 "\n", below);
	}
	for (; bucket < BROOD_STATUS_BUCKETS; bucket++)
		below += h->buckets[bucket];
	put(out,
		"%s_bucket{pool=\"%s\",le=\"+Inf\"} %" PRIu64 "\n%s_count{pool=\"%s\"} %" PRIu64
		"\n%s_sum{pool=\"%s\"} ",
		name, out->pool, below, name, out->pool, below, name, out->pool);
	put_seconds(out, h->sum_ns);
	put(out, "\n");
}

/* at: the histogram's offset in struct brood_status_sums */
static void put_times(struct out *out, const char *name, size_t at, const char *help)
{
	family(out, name, "histogram", help);
	put(out, "# UNIT %s seconds\n", name);
	for (uint32_t i = 0; i < status_view_pools(out->view); i++) {
		struct brood_status_histogram times;

		status_view_times(out->view, i, at, &times);
		enter_pool(out, i);
		put_buckets(out, name, &times);
	}
}

#define TIMES(field) offsetof(struct brood_status_sums, field)

ssize_t openmetrics_write(const struct status_view *view, char *text, size_t size)
{
	struct out out = { .text = text, .size = size, .view = view };

	out.sums = malloc(sizeof *out.sums);
	if (!out.sums)
		return -ENOMEM;
	put_brood(&out);
	put_all_workers(&out);
	put_waiting(&out);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		put_number(&out, &numbers[i]);
	put_jobs(&out);
	put_deaths(&out);
	put_times(&out, "brood_queue_seconds", TIMES(queue),
		"From the call until a worker began, of each attempt.");
	put_times(&out, "brood_run_seconds", TIMES(run),
		"From then to the end, or to the worker's death.");
	put_times(&out, "brood_death_to_verdict_seconds", TIMES(death_to_verdict),
		"From a worker's death to the verdict of its job.");
	put_times(&out, "brood_death_to_ready_seconds", TIMES(death_to_ready),
		"From a worker's death until the next one in its place was ready.");
	put(&out, "# EOF\n");
	free(out.sums);
	return (ssize_t)out.length;
}
