/* SPDX-License-Identifier: MIT */
/*
 * crowd.c - whose lease a call takes: its thread's own, or one that all callers share.
 *
 * A thread that calls often has a lane of its own, with a lease of its own, as long as there are
 * enough workers: two such threads touch no memory that both write. When a thread finds no worker
 * left, that begins a crowd: for a second (and on, while such threads come) a lease is nobody's
 * property. Each thread gives its own lease back when it calls next, and all of them go by the lane
 * of callers (callers.c), where who came first is served first. When the crowd has gone, that lane
 * gives its leases back.
 */
#include "lane.h"

#define CROWD_NS NS_PER_S
#define STEP_NS  (50 * NS_PER_MS) /* the time is moved no more often: all read it */
/* so often in a row an owner finds neither a lease nor an idle worker */
#define LACKS 3

static __thread uint32_t lacked;

static bool crowded(const struct brood *b, uint64_t now)
{
	return atomic_load_explicit(&b->crowd_until, memory_order_relaxed) > now;
}

static void crowd(struct brood *b, uint64_t now)
{
	if (atomic_load_explicit(&b->crowd_until, memory_order_relaxed) < now + CROWD_NS - STEP_NS)
		atomic_store_explicit(&b->crowd_until, now + CROWD_NS, memory_order_relaxed);
}

/* What is not in use. */
static void give_back(struct lane *l)
{
	lane_lock(l);
	lane_inbox(l);
	list_for_each_safe(link, tmp, &l->leases) {
		struct lease *lease = container_of(link, struct lease, link);

		if (lease->state == LEASE_ACTIVE && ring_used(lease) == 0)
			settle_dying(lease);
		else if (lease->state != LEASE_ASKED)
			continue;
		loan_end(lease);
	}
	lane_unlock(l);
}

/* The first that comes after a crowd. */
static void crowd_over(struct brood *b, uint64_t now)
{
	uint64_t until = atomic_load_explicit(&b->crowd_until, memory_order_relaxed);
	struct lane *l = atomic_load_explicit(&b->callers, memory_order_acquire);

	if (until != 0 && until <= now &&
		atomic_compare_exchange_strong(&b->crowd_until, &until, 0) && l)
		give_back(l);
}

struct lane *crowd_lane(struct brood *b, uint64_t now, bool frequent)
{
	struct lane *own = lane_thread_has();

	if (!crowded(b, now)) {
		crowd_over(b, now);
		own = lane_thread(b);
		if (own)
			return own;
		crowd(b, now);
	} else if (own) {
		give_back(own);
	} else if (frequent) {
		crowd(b, now);
	}
	return lane_callers(b);
}

bool crowd_here(const struct brood *b, uint64_t now) { return crowded(b, now); }

bool crowd_lacks(struct brood *b, struct lane *own, bool idle, uint64_t now)
{
	if (own->active > 0 || own->asked > 0 || idle ||
		atomic_load_explicit(&b->leases_out, memory_order_relaxed) == 0) {
		lacked = 0;
		return false;
	}
	if (++lacked < LACKS)
		return false;
	lacked = 0;
	crowd(b, now);
	return true;
}
