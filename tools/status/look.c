/* SPDX-License-Identifier: MIT */
/* look.c - see look.h */
#include "look.h"

#include "words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

int look_take(const struct status_page *page, struct look *ret)
{
	struct look look = { .page = page, .pools = status_view_pools(&page->view) };
	pid_t inner = process_inner_pid(page->supervisor);

	look.pool = calloc(look.pools, sizeof *look.pool);
	if (!look.pool)
		return -ENOMEM;
	status_view_brood(&page->view, &look.brood);
	for (uint32_t i = 0; i < look.pools; i++) {
		status_view_pool(&page->view, i, &look.pool[i].setup);
		status_view_counts(&page->view, i, &look.pool[i].counts);
		status_view_sums(&page->view, i, &look.pool[i].sums);
	}
	look.own_pids = inner == 0 || inner == page->supervisor;
	if (status_page_alive(page))
		process_look(page->supervisor, &look.supervisor);
	if (look.own_pids) {
		process_look(look.brood.engine_pid, &look.engine);
		if (look.engine.parent != page->supervisor)
			look.engine.state = 0;
	}
	look.now_ns = now_ns();
	*ret = look;
	return 0;
}

void look_free(struct look *look)
{
	free(look->pool);
	look->pool = NULL;
}

const char *look_dead(const struct look *look)
{
	if (process_gone(&look->supervisor))
		return "the supervisor is gone: what is shown was last true";
	if (process_stopped(&look->supervisor))
		return "the supervisor is stopped (SIGSTOP or a debugger): what is shown was last "
		       "true. SIGCONT lets it go on";
	if (!look->own_pids)
		return NULL;
	if (look->brood.engine_pid > 0 && process_gone(&look->engine))
		return "the engine is gone";
	if (process_stopped(&look->engine))
		return "the engine is stopped (SIGSTOP or a debugger). SIGCONT lets it go on";
	return NULL;
}

static const char *pool_unready(const struct look_pool *pool, char why[LOOK_WHY_MAX])
{
	const struct brood_status_counts *c = &pool->counts;
	char name[WORDS_SHOWN_MAX];

	if (!c->degraded)
		return NULL;
	words_shown(name, pool->setup.name, sizeof pool->setup.name);
	snprintf(why, LOOK_WHY_MAX,
		"pool %.64s is degraded: its workers die at birth%s, and %u of %u are ready. The "
		"log says how",
		name, c->undead ? ", or do not end when they are killed" : "", c->ready,
		c->workers);
	return why;
}

const char *look_unready(const struct look *look, int pool, char why[LOOK_WHY_MAX])
{
	const char *dead = look_dead(look), *found = NULL;
	uint32_t ready = 0, workers = 0;

	if (dead)
		return dead;
	for (uint32_t i = 0; i < look->pools; i++) {
		if (!found && (pool < 0 || (uint32_t)pool == i))
			found = pool_unready(&look->pool[i], why);
		ready += look->pool[i].counts.ready;
		workers += look->pool[i].counts.workers;
	}
	if (found || look->brood.state == BROOD_STATUS_SERVING)
		return found;
	switch (look->brood.state) {
	case BROOD_STATUS_STARTING:
		snprintf(why, LOOK_WHY_MAX, "it is starting: %u of %u workers are ready", ready,
			workers);
		break;
	case BROOD_STATUS_DRAINING: return "it is draining: it is about to end";
	case BROOD_STATUS_STOPPING: return "it is stopping";
	default: snprintf(why, LOOK_WHY_MAX, "its state has the number %u", look->brood.state);
	}
	return why;
}

int look_pool_number(const struct look *look, const char *name)
{
	char *end;
	unsigned long number = strtoul(name, &end, 10);

	for (uint32_t i = 0; i < look->pools; i++)
		if (strcmp(look->pool[i].setup.name, name) == 0)
			return (int)i;
	return *name >= '0' && *name <= '9' && !*end && number < look->pools ? (int)number : -1;
}

void look_process(const struct look *look, const struct status_worker *worker, struct process *ret)
{
	memset(ret, 0, sizeof *ret);
	if (!look->own_pids || worker->pid <= 0)
		return;
	process_look(worker->pid, ret);
	if (ret->parent != look->page->supervisor)
		memset(ret, 0, sizeof *ret);
}

/* ---- sums ---- */

uint64_t look_jobs(const struct look_pool *pool, uint32_t outcome)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; outcome < BROOD_STATUS_OUTCOMES && i < BROOD_STATUS_DETAILS; i++)
		sum += pool->sums.verdicts[outcome][i];
	return sum;
}

uint64_t look_jobs_all(const struct look_pool *pool)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < BROOD_STATUS_OUTCOMES; i++)
		sum += look_jobs(pool, i);
	return sum;
}

uint64_t look_deaths_all(const struct look_pool *pool)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < BROOD_STATUS_CAUSES; i++)
		sum += pool->counts.deaths[i];
	return sum;
}

uint64_t look_waiting(const struct look_pool *pool)
{
	return pool->counts.queued + (pool->sums.waiting > 0 ? (uint64_t)pool->sums.waiting : 0);
}

uint64_t look_quantile(const struct brood_status_histogram *h, double q)
{
	return status_view_quantile(h->buckets, h->max_ns, q);
}

uint64_t look_count(const struct brood_status_histogram *h)
{
	return status_view_count(h->buckets);
}
