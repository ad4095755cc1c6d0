/* SPDX-License-Identifier: MIT */
/* look.h - one look at a brood: a copy of what its page says, and whether its processes run. */
#ifndef STATUS_LOOK_H
#define STATUS_LOOK_H

#include "page.h"
#include "process.h"

struct look_pool {
	struct brood_status_pool setup;
	struct brood_status_counts counts;
	struct brood_status_sums sums;
};
struct look {
	const struct status_page *page;
	uint64_t now_ns;
	struct brood_status_brood brood;
	struct process supervisor, engine;
	bool own_pids; /* the page's pids are ours, too: no other pid namespace */
	uint32_t pools;
	struct look_pool *pool;
};
/* 0, or -ENOMEM. `page` stays open as long as `ret` is used. */
int look_take(const struct status_page *page, struct look *ret);
void look_free(struct look *look);

/* Why supervisor and engine cannot do their work, as a sentence; NULL: they can. */
const char *look_dead(const struct look *look);
/*
 * Why the brood, or that one of its pools, takes no jobs now, as a sentence; NULL: it does.
 * pool: -1: all
 */
#define LOOK_WHY_MAX 200
const char *look_unready(const struct look *look, int pool, char why[LOOK_WHY_MAX]);
/* The number of a pool by its name or number; -1: there is none. */
int look_pool_number(const struct look *look, const char *name);

/*
 * What /proc says of a worker. `state` is 0 where the pid is nobody's now, or was given to another
 * process.
 */
void look_process(const struct look *look, const struct status_worker *worker, struct process *ret);
uint64_t look_jobs(const struct look_pool *pool, uint32_t outcome);
uint64_t look_jobs_all(const struct look_pool *pool);
uint64_t look_deaths_all(const struct look_pool *pool);
/* Jobs that wait, with the supervisor and with the engine. */
uint64_t look_waiting(const struct look_pool *pool);
uint64_t look_quantile(const struct brood_status_histogram *h, double q);
uint64_t look_count(const struct brood_status_histogram *h);

#endif
