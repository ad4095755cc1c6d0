/* SPDX-License-Identifier: MIT */
/* pool_root.h - one pool of the supervisor's array (root.h). */
#ifndef BROOD_SUPERVISOR_POOL_ROOT_H
#define BROOD_SUPERVISOR_POOL_ROOT_H

#include "parts.h"
#include "../pool/backoff.h"
#include "../pool/records.h"
#include "../pool/sizing.h"
#include "../pool/slots.h"
#include "../wire/pool_setup.h"
#include "../wire/stats_page.h"

struct slot;
struct pool {
	uint32_t notes; /* enum note_bit: of what follows for this pool alone */
	struct supervisor *supervisor;
	const struct pool_setup *setup;
	const struct brood_options *options; /* the setup's */
	struct stats_page *stats_page;
	struct sizing size; /* how many workers it is to have */
	struct timer size_timer;
	struct slot *slot_array;
	uint32_t places; /* in it: those in use, and spare ones */
	struct slots slots;
	struct records records;
	/*
	 * slots: granted by the library's wish, in that order; recalled, of all. untold: records.
	 * library: how many leases are not pinned
	 */
	struct {
		struct list granted, recalled, untold;
		uint32_t library;
		struct timer timer;
	} leases;
	struct backoff backoff;
	struct cores cores;
	struct init_data init_data;
	struct renewals renewals;
	struct reload reload;
	uint64_t died;       /* workers: pool_count() tells, after the gauges */
	uint32_t ever_ready; /* places that have had a ready worker */
	bool was_ready;      /* each of its first places has had one */
	bool degraded_said;  /* to the service manager */
	bool degraded_told;  /* to the engine */
	bool blind_said;     /* workers that cannot see what jobs leave */
};

/* How many places are to be in use: those of the pool's size, and those for replacements. */
static inline uint32_t pool_places(const struct pool *pool)
{
	return pool->size.target + pool->renewals.extra;
}

#endif
