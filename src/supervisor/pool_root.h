/* SPDX-License-Identifier: MIT */
/* pool_root.h - one pool of the supervisor's array (root.h). */
#ifndef BROOD_SUPERVISOR_POOL_ROOT_H
#define BROOD_SUPERVISOR_POOL_ROOT_H

#include "parts.h"
#include "tail_parts.h"
#include "../pool/backoff.h"
#include "../pool/budget.h"
#include "../pool/keys.h"
#include "../pool/poison.h"
#include "../pool/records.h"
#include "../pool/sizing.h"
#include "../pool/slots.h"
#include "../wire/pool_setup.h"
#include "../wire/stats_page.h"

/*
 * Leases of a pool. granted: slots on leases that are not pinned, in the order of the grants.
 * recalled: slots whose leases were recalled. untold: records whose GRANTED waits for the engine's
 * socket. library: how many leases are not pinned.
 */
struct grants {
	struct list granted, recalled, untold;
	uint32_t library;
	struct timer timer;
};
/*
 * The supervisor's copies of the files that jobs were given (copies.h). running: records of jobs
 * that run, whose files may be closed once they have begun. untold: records of which the engine has
 * to hear that. sockets: records of carried jobs that have got a socket, of which the engine has to
 * hear.
 */
struct copies {
	uint32_t held; /* how many files */
	struct list running, untold, sockets;
	struct timer timer;
};

struct slot;
struct pool {
	uint32_t notes; /* enum note_bit: the notes of this pool alone */
	struct supervisor *supervisor;
	const struct pool_setup *setup;
	const struct brood_options *options; /* the options in `setup` */
	struct stats_page *stats_page;
	struct sizing size; /* how many workers the pool shall have */
	struct timer size_timer;
	struct slot *slot_array;
	uint32_t places;         /* slots in slot_array, in use and spare */
	struct slot_tail *tails; /* one a slot; NULL: the pool has no stderr_lines */
	struct slots slots;
	struct records records;
	struct keys keys;     /* which worker had a key last, of jobs by handoff */
	struct poison poison; /* keys whose jobs ended workers */
	struct budget budget; /* the cap on the retries that the supervisor makes */
	struct grants leases;
	struct copies copies;
	struct backoff backoff;
	struct cores cores;
	struct init_data init_data;
	struct renewals renewals;
	struct reload reload;
	struct pool_cgroup cgroup;
	uint64_t died;       /* workers that died; pool_count() publishes it after the gauges */
	uint32_t ever_ready; /* places that have had a ready worker */
	bool was_ready;      /* the engine was told that the pool is ready: said once, stays true */
	bool degraded_said;  /* the service manager knows that the pool is degraded */
	bool degraded_told;  /* the engine knows that the pool is degraded */
	char birth_end[160]; /* how the last worker ended that was never ready; "": none did */
	bool blind_said;     /* logged: workers cannot see what jobs leave */
};

/* How many places shall be in use: those of the pool's size, and those for replacements. */
static inline uint32_t pool_places(const struct pool *pool)
{
	return pool->size.target + pool->renewals.extra;
}

#endif
