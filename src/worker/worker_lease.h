/* SPDX-License-Identifier: MIT */
/* worker_lease.h - the worker's half of a lease: its ring, its side socket, its done fd. */
#ifndef BROOD_WORKER_WORKER_LEASE_H
#define BROOD_WORKER_WORKER_LEASE_H

#include "../os/fds.h"
#include "../wire/frame.h"
#include "../wire/ring.h"

/* The worker's half of a lease. */
struct worker_lease {
	uint64_t id;
	const struct ring_down *down;
	struct ring_up *up;
	const struct ring_queue *queue;
	int side, done_fd;
	struct identity side_identity, done_identity;
	bool suspect_side, suspect_done;
	bool gone;          /* nobody reads the side socket: no jobs come from there */
	bool leaving;       /* the worker has heard RECALL */
	bool draining;      /* a soft RECALL was heard: leave when the ring is empty */
	bool pinned;        /* the lease is pinned: a worn worker does not end by itself */
	bool owed;          /* the look for a trusted job's residue was put off, since owed_ns */
	uint64_t owed_ns;   /* since when the look is put off */
	uint64_t last;      /* sequence of the last entry that was dealt with: up.done */
	uint64_t published; /* down.published, as the worker saw it last */
	uint64_t told;      /* what `last` was when the engine was told */
	uint64_t rung;      /* what `last` was at the last eventfd write; 0: none yet */
	uint64_t word;      /* the slot page word, as this worker left it */
	/* When the last job ended, if it just did. 0: look at the clock. */
	uint64_t now;
	uint32_t left;           /* the residue that the last look found */
	struct ring_space space; /* the space of up.bytes */
	/*
	 * At sequence % RING_DEPTH: up to which position up.bytes has room again, once the engine
	 * has collected that job's reply.
	 */
	uint64_t ends[RING_DEPTH];
	const void *callable; /* the last function that was found to be callable */
	bool trusted;         /* the job that runs is trusted */
	bool caller;          /* a thread may sleep for the job: RING_CALLER */
};
extern struct worker_lease the_lease;

/* Takes what GRANT brought. False: the lease is of no use, for fds are missing or wrong. */
bool worker_lease_take(struct worker_lease *l, struct frame *f);
void worker_lease_give_back(struct worker_lease *l);
/* Code ran that may have put other files at the numbers of side socket and done fd: look later. */
void worker_lease_suspect(void);
bool worker_lease_still_ours(const struct worker_lease *l);
/*
 * Sends on the side socket, and waits for room. False: the engine has closed its end, or the kernel
 * does not take the fds.
 */
bool worker_lease_say(struct worker_lease *l, struct frame *f);
/* Ends the worker if the side socket's number has another file now. */
void worker_lease_check_side(struct worker_lease *l);

#endif
