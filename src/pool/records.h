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
/* The first member of the owner's record. */
struct record_link {
	struct list link;
	uint64_t id;
	enum record_state state;
	bool background; /* set after the claim, then never changed */
};
/* queued: counts the parked ones, too. */
struct records {
	char *memory;
	size_t stride;
	uint32_t count;
	struct rank_queue queue;
	struct list parked, paused, told;
	uint32_t queued, parked_count, queued_peak, out;
};
/*
 * Makes the records. 0; -ENOMEM; -EINVAL. They are zeroed, and their memory is untouched until they
 * are claimed.
 */
int records_init(struct records *r, uint32_t count, size_t stride);
/* Sets up another pool's records, with the memory of the first pool. */
void records_share(struct records *r, const struct records *first);
/* Frees the memory. Only for the first pool, which has it. */
void records_free(struct records *r);
/* The record is CLAIMED from now on. NULL: it is taken, or the id is 0. */
struct record_link *records_claim(struct records *r, uint64_t id);
/* a record that is not FREE; or NULL */
struct record_link *records_find(struct records *r, uint64_t id);
/*
 * The record goes into the queue, from any state but FREE and TOLD. A move that makes no sense (a
 * second verdict) aborts: a bug of the library.
 */
void records_queue(struct records *r, struct record_link *l, bool front);
/* The record whose turn it is; it stays in the queue. NULL: none. */
struct record_link *records_next(struct records *r);
/* PARKED: the request waits for a lease to end, holds up no other, and still counts as queued. */
void records_park(struct records *r, struct record_link *l);
/* The first record that is parked; NULL: none. */
struct record_link *records_parked(struct records *r);
/*
 * PAUSED: a retry that waits for its time, or a job that waits for the worker of its key; nothing
 * counts it. From any state as records_queue().
 */
void records_pause(struct records *r, struct record_link *l);
/* The first record that pauses; NULL: none. */
struct record_link *records_paused(struct records *r);
void records_run(struct records *r, struct record_link *l);
void records_tell(struct records *r, struct record_link *l);
/* The first record whose verdict waits; NULL: none. */
struct record_link *records_told(struct records *r);
/* The record is free again, whatever its state was. */
void records_release(struct records *r, struct record_link *l);

#endif
