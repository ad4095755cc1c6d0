/* SPDX-License-Identifier: MIT */
/*
 * pool_state.h - a pool as the engine sees it. All pools of a brood stand in one array, the first
 * one first (brood.pools), from the start to the end of the process.
 */
#ifndef BROOD_ENGINE_POOL_STATE_H
#define BROOD_ENGINE_POOL_STATE_H

#include "../wire/status.h"
#include "../pool/budget.h"
#include "../pool/line.h"
#include "../pool/poison.h"
#include "../wire/pool_setup.h"
#include "../wire/shared.h"
#include <stdatomic.h>
#include <string.h>

struct queue;

struct pool_counts {
	uint64_t submitted, dropped, retried;
	uint64_t budgeted; /* jobs of queues that the cap on retries has seen: retries.c */
	/* the counts of queues that were freed */
	uint64_t queue_redispatched, queue_retried;
};

struct brood_pool {
	/* guarded by: nothing: constant, or atomic */
	struct brood *brood;
	const struct pool_setup *setup;
	const struct brood_options *options; /* setup->options */
	const struct stats_page *stats_page;
	uint32_t records;         /* so many jobs and leases of this pool may be out */
	struct status_place sums; /* the record that queues share: sums.h */

	_Atomic uint32_t poisoned; /* how many keys are on the poison list */

	/* made when first asked for */
	struct queue *_Atomic own;     /* for open and give; of the first pool: the brood's own */
	struct queue *_Atomic callers; /* for the calls of many threads: see path.c */

	/* Each handed-off job changes these: on no cache line that all calls read. */
	_Alignas(64) _Atomic size_t out_count; /* records taken; without the lock a hint */
	_Atomic size_t leases_out;             /* how many of these records are leases */
	_Atomic size_t granted;                /* how many of the leases were granted */
	_Atomic uint32_t queues_waiting; /* calls that wait for a lease: at most the backlog */

	/* guarded by: brood.lock */
	/*
	 * job_files.h. held: files of jobs at the supervisor. kept: jobs that wait for room. calls:
	 * handles of kept calls, for which threads wait. openers: threads that wait to open or
	 * give.
	 */
	struct {
		uint32_t held, kept, openers;
		struct list calls;
	} files;
	bool ready, degraded; /* what the supervisor said */
	struct line line;     /* queues that wait until they may ask for a lease */
	uint32_t init_version;
	struct pool_counts counts;
	struct poison poison;
	struct budget budget; /* how many retries the cap still allows */
	uint32_t sums_taken;  /* a bit for each record of SUMS that a queue has */
};

/* The pool's name in log lines and verdicts: nothing where the brood has no other pool. */
static inline const char *pool_shown(const struct brood_pool *pool)
{
	return pool->setup->named ? pool->setup->name : NULL;
}
static inline void pool_sign(const struct brood_pool *pool, struct brood_verdict *v)
{
	if (pool->setup->named)
		memcpy(v->pool, pool->setup->name, sizeof v->pool);
	else
		v->pool[0] = '\0';
}

#endif
