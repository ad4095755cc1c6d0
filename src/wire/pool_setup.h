/* SPDX-License-Identifier: MIT */
/*
 * pool_setup.h - a pool as the program asked for it, resolved. The front door makes all of them
 * before the first fork. From then on every role reads them, and nobody changes them.
 *
 * Two numbers mean the same in all processes: the number of a pool, and the number of a place,
 * which counts on from pool to pool.
 */
#ifndef BROOD_WIRE_POOL_SETUP_H
#define BROOD_WIRE_POOL_SETUP_H

#include "message_lease.h"
#include <brood.h>
#include <stdbool.h>

struct pool_setup {
	char name[BROOD_POOL_NAME_MAX];
	uint32_t number;
	bool named;                  /* the brood has several pools, so logs and titles name them */
	uint32_t first_slot, places; /* places: one for each worker, then the spare ones */
	/* options.queue_ms of a submitted job: BROOD_FOREVER, or what was set */
	uint32_t submit_queue_ms;
	/*
	 * The fields that describe a pool are this pool's, without zeros for defaults. The others
	 * are the brood's, the same in each pool. The pointers are valid for life.
	 */
	struct brood_options options;
	/* What the program set for this pool, beyond struct brood_options; or all zeros. */
	struct brood_pool_options own;
	/* so many files of handed-off jobs may be at the supervisor (job_room.h); 0: no bound */
	uint32_t job_files;
	uint32_t lease_wishes;       /* so many requests for leases may be there; 0: no bound */
	struct brood_rights *rights; /* a copy with its arrays; or NULL */
};
struct pool_setups {
	const struct pool_setup *list;
	uint32_t count;
};

#define for_each_setup(setup_, setups_)                         \
	for (const struct pool_setup *setup_ = (setups_)->list; \
		setup_ < (setups_)->list + (setups_)->count; setup_++)

/* How many records of jobs and leases: those that run, and those that wait. */
static inline uint32_t pool_setup_records(const struct brood_options *o)
{
	return 2 * o->workers + LEASE_WAITING(o->workers) + o->backlog;
}

#endif
