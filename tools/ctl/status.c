/* SPDX-License-Identifier: MIT */
/* status.c - brood-ctl status: a summary for people. */
#include "bar.h"
#include "ctl.h"
#include "ctl_json.h"
#include "words.h"

#include "../../src/wire/labels.h"

#include <brood.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BAR_COLUMNS 40

static const char *shown(char text[WORDS_SHOWN_MAX], const char *from)
{
	words_shown(text, from, 64);
	return text;
}

static void put_processes(const struct look *look)
{
	const struct brood_status_brood *b = &look->brood;

	printf("processes: supervisor %d, engine %d, guard %d", (int)look->page->supervisor,
		b->engine_pid, b->guard_pid);
	if (b->spawner_pid > 0)
		printf(", spawner %d", b->spawner_pid);
	puts(look->own_pids ? "" : " (as they see themselves, in another pid namespace)");
}

static void put_brood(const struct look *look)
{
	char name[WORDS_SHOWN_MAX], version[WORDS_SHOWN_MAX], since[WORDS_MAX], up[WORDS_MAX],
		why[LOOK_WHY_MAX];
	const struct brood_status_brood *b = &look->brood;
	const char *bad = look_unready(look, -1, why);

	printf("%s: %s for %s, started %s ago, library %s\n", shown(name, b->name),
		words_brood_state(b->state), words_since(since, b->state_since_ns, look->now_ns),
		words_since(up, b->started_ns, look->now_ns), shown(version, b->version));
	put_processes(look);
	words_shown(name, b->control, sizeof b->control);
	if (name[0])
		printf("control: %s\n", name);
	if (bad)
		printf("attention: %s\n", bad);
}

static void put_workers(const struct brood_status_counts *c)
{
	char bar[BAR_COLUMNS + 1];

	bar_write(c, bar, BAR_COLUMNS);
	printf("  [%s] %u of %u ready\n", bar, c->ready, c->workers);
	printf("  workers     %u idle, %u busy, %u on lease, %u starting, %u undead\n", c->idle,
		bar_busy(c), c->leased, c->starting, c->undead);
	printf("  births      %" PRIu64 "; retired %" PRIu64 ", killed %" PRIu64
	       ", failed births %" PRIu64 "\n",
		c->spawned, c->retired, c->killed, c->spawn_failures);
}

static void put_details(const uint64_t *verdicts, uint64_t sum)
{
	const char *before = " (";
	char text[WORDS_MAX];

	for (uint32_t i = 1; sum > 0 && i < BROOD_STATUS_DETAILS; i++) {
		const char *label = labels_detail(i);

		if (!verdicts[i])
			continue;
		printf("%s%" PRIu64 " %s", before, verdicts[i],
			words_of_label(text, label ? label : "other"));
		before = ", ";
	}
	if (before[0] == ',')
		putchar(')');
}

static void put_jobs(const struct look_pool *pool)
{
	char text[WORDS_MAX];
	bool first = true;

	printf("  jobs        ");
	for (uint32_t i = 0; i < BROOD_STATUS_OUTCOMES; i++) {
		uint64_t sum = look_jobs(pool, i);
		const char *label = labels_outcome(i);

		if (!sum)
			continue;
		printf("%s%" PRIu64 " %s", first ? "" : ", ", sum,
			words_of_label(text, label ? label : "other"));
		put_details(pool->sums.verdicts[i], sum);
		first = false;
	}
	printf("%s", first ? "none has ended" : "");
	if (pool->counts.retried || pool->counts.redispatched)
		printf("; %" PRIu64 " retried, %" PRIu64 " given again", pool->counts.retried,
			pool->counts.redispatched);
	putchar('\n');
}

static void put_deaths(const struct look_pool *pool)
{
	char text[WORDS_MAX];
	bool first = true;

	printf("  deaths      ");
	for (uint32_t i = 0; i < BROOD_STATUS_CAUSES; i++) {
		const char *label = labels_cause(i);

		if (!pool->counts.deaths[i])
			continue;
		printf("%s%" PRIu64 " %s", first ? "" : ", ", pool->counts.deaths[i],
			words_of_label(text, label ? label : "other"));
		first = false;
	}
	puts(first ? "none" : "");
}

static void put_times(const char *name, const struct brood_status_histogram *h)
{
	char p50[WORDS_MAX], p90[WORDS_MAX], p99[WORDS_MAX], most[WORDS_MAX];
	uint64_t count = look_count(h);

	if (count == 0)
		return;
	printf("  %-11s p50 %s, p90 %s, p99 %s, max %s, of %" PRIu64 "\n", name,
		words_time(p50, look_quantile(h, 0.5)), words_time(p90, look_quantile(h, 0.9)),
		words_time(p99, look_quantile(h, 0.99)), words_time(most, h->max_ns), count);
}

static void put_reload(const struct look_pool *pool, uint64_t now)
{
	const struct brood_status_pool *s = &pool->setup;
	char text[WORDS_MAX];

	if (s->reload_epoch == 0)
		return;
	printf("  reloads     %u, the last one began %s ago: %s\n", s->reload_epoch,
		words_since(text, s->reload_began_ns, now),
		s->reloading                    ? "it runs"
			: s->reload_result == 0 ? "done"
						: strerror(-s->reload_result));
}

static void put_pool(const struct look *look, const struct look_pool *pool)
{
	const struct brood_status_counts *c = &pool->counts;
	char name[WORDS_SHOWN_MAX], text[WORDS_MAX];

	printf("\npool %s%s\n", shown(name, pool->setup.name), c->degraded ? ": degraded" : "");
	put_workers(c);
	if (c->next_spawn_ns > look->now_ns)
		printf("  next birth  in %s\n", words_time(text, c->next_spawn_ns - look->now_ns));
	printf("  queue       %" PRIu64 " wait (%u with the supervisor, where at most %u did)\n",
		look_waiting(pool), c->queued, c->queued_peak);
	put_jobs(pool);
	put_deaths(pool);
	put_times("queue time", &pool->sums.queue);
	put_times("run time", &pool->sums.run);
	put_times("to verdict", &pool->sums.death_to_verdict);
	put_times("to ready", &pool->sums.death_to_ready);
	put_reload(pool, look->now_ns);
}

enum choose_exit ctl_status(const struct request *request)
{
	struct status_page page;
	struct look look;
	int pool;
	enum choose_exit code = ctl_look(request, &page, &look, &pool);

	if (code != CHOOSE_FINE)
		return code;
	if (request->json) {
		ctl_json_status(stdout, &look, pool);
	} else {
		put_brood(&look);
		for (uint32_t i = 0; i < look.pools; i++)
			if (pool < 0 || (uint32_t)pool == i)
				put_pool(&look, &look.pool[i]);
	}
	ctl_done(&page, &look);
	return CHOOSE_FINE;
}
