/* SPDX-License-Identifier: MIT */
/*
 * peer_lease.h - the fake supervisor of peer.h, and a fake worker on lease: the test makes each of
 * the worker's steps itself. Both live in the engine's own process. Every wait is bounded and
 * CHECKed.
 */
#ifndef BROOD_TESTS_PEER_LEASE_H
#define BROOD_TESTS_PEER_LEASE_H

#include "../../src/wire/ring.h"
#include "peer.h"

struct peer_lease {
	struct peer *peer;
	uint64_t id;
	const struct ring_down *down;
	struct ring_up *up;
	const struct ring_queue *queue;
	struct slot_page *page;
	struct lease_page *lease_page;
	int side, done_fd;   /* the worker's ends */
	uint64_t base, done; /* sequences: before the first job, of the last that was ended */
};

/*
 * Receives LEASE and grants the worker of this slot. The queue hears of it when one of its threads
 * looks. The supervisor's next look is never: each deadline is an early one.
 */
void peer_grant(struct peer *p, uint32_t slot, struct peer_lease *ret);
/* The last job that the worker knows of; is there one that it has not ended? */
uint64_t peer_known(const struct peer_lease *l);
bool peer_given(const struct peer_lease *l);
/* The worker begins the next job, which must be there. Returns its sequence. */
uint64_t peer_begin(struct peer_lease *l);
/*
 * The worker ends the job that it began, and tells whoever sleeps. The job has run for a
 * microsecond. flags: DONE_*.
 */
void peer_end(struct peer_lease *l, uint16_t flags);
/* The job says that, over the side socket. */
void peer_progress(struct peer_lease *l, uint64_t sequence, const char *text);

#endif
