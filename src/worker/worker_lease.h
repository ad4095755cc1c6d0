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
	bool gone;          /* nobody reads the side socket: no more jobs from there */
	bool leaving;       /* RECALL was heard */
	bool draining;      /* a soft one was: leaves when its ring is empty */
	bool pinned;        /* the lease is a session: the worker does not end by itself */
	bool owed;          /* a trusted job is still to be looked after, */
	uint64_t owed_ns;   /* since then */
	uint64_t last;      /* sequence of the last entry that was dealt with: up.done */
	uint64_t published; /* down.published, as it was seen last */
	uint64_t told;      /* what was `last` when the engine was told, */
	uint64_t rung;      /* and that it was; 0: not yet */
	uint64_t word;      /* the slot page word, as this worker left it */
	/* when the last job ended, if that is now; 0: look at the clock */
	uint64_t now;
	uint32_t left;           /* that the last look found */
	struct ring_space space; /* of up.bytes */
	/*
	 * by sequence % RING_DEPTH: the position in up.bytes up to which there is room again, once
	 * the engine has collected that job's reply
	 */
	uint64_t ends[RING_DEPTH];
	const void *callable; /* the function that was found to be callable last */
	bool trusted;         /* the job that runs is */
	bool caller;          /* a thread may sleep for it: RING_CALLER */
};
extern struct worker_lease the_lease;

/* What GRANT brought. False: no use, fds did not come or are not what they should be. */
bool worker_lease_take(struct worker_lease *l, struct frame *f);
void worker_lease_give_back(struct worker_lease *l);
/* A job may have put other files in the place of the side socket and the done fd. */
void worker_lease_suspect(void);
bool worker_lease_still_ours(const struct worker_lease *l);
/*
 * On the side socket; waits for room. False: nobody is there, or the kernel does not take its fds.
 */
bool worker_lease_say(struct worker_lease *l, struct frame *f);
/* Ends the process where the side socket is not ours any more. */
void worker_lease_check_side(struct worker_lease *l);

#endif
