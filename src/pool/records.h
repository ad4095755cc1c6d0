/* SPDX-License-Identifier: MIT */
/*
 * records.h - job records, made once. A job's id modulo their number is its record. All pools have
 * their records from one memory, and an id names the same record in each; but each pool has queues
 * and counts of its own.
 */
#ifndef BROOD_POOL_RECORDS_H
#define BROOD_POOL_RECORDS_H

#include "../base/base.h"
#include "rank.h"

/* CLAIMED: new, in no list yet. TOLD: the verdict waits for the socket */
enum record_state {
	RECORD_FREE,
	RECORD_CLAIMED,
	RECORD_QUEUED,
	RECORD_PARKED,
	RECORD_PAUSED,
	RECORD_RUNNING,
	RECORD_TOLD
};
/* embedded; first member of the owner's record */
struct record_link {
	struct list link;
	uint64_t id;
	enum record_state state;
	bool background; /* set after the claim, and then the same */
};
/* queued: with those parked */
struct records {
	char *memory;
	size_t stride;
	uint32_t count;
	struct rank_queue queue;
	struct list parked, paused, told;
	uint32_t queued, parked_count, queued_peak, out;
};
/* 0; -ENOMEM; -EINVAL. Records are zeroed, and their memory is untouched until they are claimed */
int records_init(struct records *r, uint32_t count, size_t stride);
/* those of another pool, with the memory of the first */
void records_share(struct records *r, const struct records *first);
/* not of shared ones: the first has the memory */
void records_free(struct records *r);
/* CLAIMED. NULL: taken, or id 0 */
struct record_link *records_claim(struct records *r, uint64_t id);
struct record_link *records_find(struct records *r, uint64_t id); /* out, not FREE; NULL */
/*
 * From any state but FREE and TOLD; a move that makes no sense (a second verdict) aborts: a bug of
 * ours.
 */
void records_queue(struct records *r, struct record_link *l, bool front);
/* whose turn it is in the queue, still in it; NULL */
struct record_link *records_next(struct records *r);
/* PARKED: it waits for a lease to end, and holds up nobody; it still counts as queued */
void records_park(struct records *r, struct record_link *l);
/* the first that is parked; NULL */
struct record_link *records_parked(struct records *r);
/* PAUSED: a retry that waits for its time; nothing counts it. From any state as records_queue() */
void records_pause(struct records *r, struct record_link *l);
/* the first that pauses; NULL */
struct record_link *records_paused(struct records *r);
void records_run(struct records *r, struct record_link *l);
void records_tell(struct records *r, struct record_link *l);
/* the first verdict that waits; NULL */
struct record_link *records_told(struct records *r);
/* from any state: free again */
void records_release(struct records *r, struct record_link *l);

#endif
