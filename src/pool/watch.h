/* SPDX-License-Identifier: MIT */
/*
 * watch.h - what a look at a worker on lease says. Nobody tells the supervisor of a lease's jobs:
 * now and then it looks at slot page and lease page, and this finds which job runs, since when,
 * which steps of its ladder are due, whether the worker is to be taken back, and when to look
 * again. The slot page is hostile: a worker that lies there gains one run time for a job that was
 * really published, at most.
 *
 *   runs    RUNNING(N): the ladder is about N, from when the worker says that it began, but not
 *           before the look that did not see it yet
 *   waits   no job runs, and one is published: the ladder is about that job, from when a look saw
 *           it first; so a worker that does not begin its job is ended, too
 *   rests   no job runs and none is published; or the worker was asked to leave, and has to
 */
#ifndef BROOD_POOL_WATCH_H
#define BROOD_POOL_WATCH_H

#include "ladder.h"
#include "../wire/shared.h"

/*
 * A lease is not taken back for others sooner than this after its grant. A recalled worker that is
 * in one job for longer than this does not count as about to be back.
 */
#define LEASE_HOLD_MS 5u
/* A lease is taken back even before LEASE_HOLD_MS if its worker began no job for this long. */
#define LEASE_REST_MS  1u
#define LEASE_DRAIN_MS 10u /* how long a lease may rest while the pool drains */
/* DROP: the worker's slot page makes no sense. STUCK: it was asked to leave and does not leave. */
enum lease_wish { LEASE_GO_ON, LEASE_TAKE_BACK, LEASE_DROP, LEASE_STUCK };
struct lease_watch {
	/* base: the sequence before the first job. limit_at: when the lease's time is up. */
	uint64_t base, limit_at;
	uint64_t looked_ns; /* when the last look was, or the grant */
	/* What the last look saw. place: 2 N while job N runs, 2 N + 1 when it is done. */
	uint64_t place, published;
	uint64_t changed_ns; /* when place or published was last seen to change */
	/* subject: the job that the ladder is about; 0: none. since: from when its time counts. */
	uint64_t subject, since;
	uint64_t cancel; /* the job cancelled since the last look; 0: none */
	/* Jobs to be hurried when they begin: one bit each, at sequence % RING_DEPTH. */
	uint64_t cancels[RING_DEPTH / 64];
	/* The soonest end of a job that waits behind `subject`. TIME_NEVER: none waits. */
	uint64_t behind;
	/* grace_ms: how long the worker may take to leave once it was asked. */
	uint32_t idle_ms, grace_ms, core_ms, cancel_ms;
	uint32_t slow_ms; /* a job that runs for so long is slow; 0: none is */
	bool waits, pinned, leaving;
};
/* What a look sees. The word was read before `published`. */
struct lease_sight {
	uint64_t word, began_ns, published;
	const struct lease_page_entry *entries;
};
/*
 * The caller has set base, limit_at, idle_ms, grace_ms, core_ms, slow_ms and pinned. All else is
 * zero.
 */
void watch_begin(struct lease_watch *w, uint64_t now);
enum lease_wish watch_look(
	struct lease_watch *w, struct ladder *l, const struct lease_sight *sight, uint64_t now);
/* The worker was asked to leave. */
void watch_leaving(struct lease_watch *w, const struct lease_page_entry *entries, uint64_t now);
/* The pool drains: pinned leases, too, may rest only for LEASE_DRAIN_MS. */
void watch_drain(struct lease_watch *w);
/* Called right before a look: the job was cancelled. It is hurried now, or when it begins. */
void watch_cancel(struct lease_watch *w, uint64_t sequence);
/* The supervisor lost the swap that should condemn the job: look again. */
void watch_lost(struct lease_watch *w);
/* When to look again. TIME_NEVER: only when LEASE_LOOK or another event asks for a look. */
uint64_t watch_next(const struct lease_watch *w, const struct ladder *l, uint64_t now);
/* The soonest deadline or soft line of jobs first .. last, if they all began now. */
uint64_t watch_soonest(const struct lease_page_entry *entries, uint64_t first, uint64_t last,
	uint32_t slow_ms, uint64_t now);
/* True: the worker has begun a job since `base`. */
static inline bool watch_moved(uint64_t base, uint64_t word)
{
	return SLOT_PAGE_SEQUENCE(word) > base;
}

#endif
