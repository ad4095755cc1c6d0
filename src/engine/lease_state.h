/* SPDX-License-Identifier: MIT */
/*
 * lease_state.h - a lease: a worker that a queue has. All of it is guarded by the queue's lock, but
 * for `news` (inbox.h).
 */
#ifndef BROOD_ENGINE_LEASE_STATE_H
#define BROOD_ENGINE_LEASE_STATE_H

#include "../os/fds.h"
#include "../pool/pick.h"
#include "queue.h"

enum lease_state { LEASE_ASKED, LEASE_ACTIVE, LEASE_DYING, LEASE_OVER };

/* The side socket. far_fd: the worker's end, to take back what the worker did not read. */
struct lease_side {
	int fd, far_fd;
	struct identity identity, far_identity;
	uint64_t sequence; /* of the last job that had fds of its own */
};

/* What the worker and the supervisor were told of the ring. */
struct lease_told {
	/* the last sequence that the worker knows of; the earliest deadline of later ones */
	uint64_t said, look_due;
	uint32_t unsaid;
	bool to_wake;
};

/* How long jobs stand in the ring (behind.c). */
struct lease_stand {
	uint64_t head_since; /* when the first of those in the ring became the first */
	/* the last job in the ring at the last look, and when that was */
	uint64_t seen, seen_ns;
	bool stalled; /* the first job takes long */
	struct pick_doubt doubt;
};

/* One job in the ring. */
struct lease_entry {
	struct queue_job *job; /* NULL: withdrawn */
	uint64_t end;          /* of its bytes in the space */
	uint32_t cost;
	const struct function *named; /* whose name stands in the ring's entry */
};

/* What the supervisor was to be told, and was not: there was no memory. */
struct lease_unsaid {
	bool end, look, kill;
	uint64_t kill_sequence;
	uint32_t kill_cause;
};

struct lease {
	struct lease_news news;
	struct queue *queue;
	struct list link; /* queue.leases */
	struct list idle; /* queue.leases.idle when ACTIVE and nothing is in its ring */
	uint32_t index;   /* in queue.leases.table */
	/* of that place: events of an earlier lease there are not this one's */
	uint32_t serial;
	enum lease_state state;
	pid_t pid;
	uint32_t slot, generation;
	int done_fd;
	struct lease_side side;
	struct ring_down *down;
	struct ring_up *up;
	struct slot_page *page;
	struct lease_page *lease_page;
	struct ring_space space;
	/* in the ring: all after `collected`, up to `published` */
	uint64_t base, published, collected;
	uint64_t cost_ns; /* of what is in the ring, as estimated */
	struct lease_told told;
	struct lease_stand stand;
	struct lease_unsaid unsaid;
	bool damaged, ended_by_us;
	struct lease_entry entries[RING_DEPTH];
};

#endif
