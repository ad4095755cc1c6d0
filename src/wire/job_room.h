/* SPDX-License-Identifier: MIT */
/*
 * job_room.h - how many files the supervisor has room for, beside those that it cannot do without
 * (birth.h). The front door computes it once, and engine and supervisor keep to it.
 */
#ifndef BROOD_WIRE_JOB_ROOM_H
#define BROOD_WIRE_JOB_ROOM_H

#include "birth.h"

/* The supervisor raises its limit to this if it may: so jobs may carry more fds than one each. */
#define JOB_ROOM_LIMIT 65536u

/* The limit on open files that the supervisor gives itself. stale: files open at the start. */
static inline size_t job_room_limit(const struct pool_setups *pools, size_t stale, size_t hard)
{
	size_t need = birth_files_needed(pools) + stale, useful = birth_files_useful(pools) + stale;

	return hard > need ? MIN(hard, MAX(useful, (size_t)JOB_ROOM_LIMIT)) : need;
}

/*
 * How many files of this pool's handed-off jobs the supervisor may have. The engine keeps jobs
 * beyond that number (engine/job_files.h). Of the files that the limit allows beyond the need, each
 * pool has its part; requests for leases have the rest.
 */
static inline uint32_t job_room_files(
	const struct pool_setups *pools, const struct pool_setup *pool, size_t stale, size_t hard)
{
	const struct brood_options *o = &pool->options;
	size_t need = birth_files_needed(pools) + stale, useful = birth_files_useful(pools) + stale;
	size_t all = (size_t)o->workers + o->backlog, limit = job_room_limit(pools, stale, hard);
	size_t least = MIN(all, BIRTH_JOBS_LEAST);

	if (limit >= useful)
		return (uint32_t)(least + all + (limit - useful) / pools->count);
	return (uint32_t)(least + (limit - need) * all / (useful - need));
}

/* How many requests for leases of this pool the supervisor may have. 0: there is no bound. */
static inline uint32_t job_room_wishes(
	const struct pool_setups *pools, const struct pool_setup *pool, size_t stale, size_t hard)
{
	uint32_t workers = pool->options.workers;
	size_t need = birth_files_needed(pools) + stale, useful = birth_files_useful(pools) + stale;
	size_t limit = job_room_limit(pools, stale, hard);

	if (limit >= useful)
		return 0;
	return LEASE_WAITING(workers) + (uint32_t)((limit - need) * workers / (useful - need));
}

#endif
