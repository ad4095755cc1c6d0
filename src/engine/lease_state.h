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

struct lease_loans;

enum lease_state { LEASE_ASKED, LEASE_ACTIVE, LEASE_DYING, LEASE_OVER };

/* far_fd is the worker's end: the engine reads back there what the worker did not read. */
struct lease_side {
	int fd, far_fd;
	struct identity identity, far_identity;
	uint64_t sequence; /* the sequence of the last job with fds of its own */
};

/* What the worker and the supervisor were told of the ring. */
struct lease_told {
	/* said: the last job that the worker knows. look_due: the first deadline of later jobs. */
	uint64_t said, look_due;
	uint32_t unsaid;
	bool to_wake;
};

/* How long jobs stand in the ring (behind.c). */
struct lease_stand {
	uint64_t head_since; /* when the present first job of the ring became the first */
	/* The last job in the ring at the last look, and when that look was. */
	uint64_t seen, seen_ns;
	bool stalled; /* the first job in the ring takes long */
	struct pick_doubt doubt;
};

/* One job in the ring. */
struct lease_entry {
	struct queue_job *job; /* NULL: the job was withdrawn */
	uint64_t end;          /* where the job's bytes end in `space` */
	uint32_t cost;
	const struct function *named; /* the function whose name stands in the ring's entry */
};

/* Messages for the supervisor that could not be sent for lack of memory. */
struct lease_unsaid {
	bool end, look, kill;
	uint64_t kill_sequence;
	uint32_t kill_cause;
};

struct lease {
	struct lease_news news;
	struct queue *queue;
	struct list link; /* queue.leases */
	struct list idle; /* in queue.leases.idle while ACTIVE with an empty ring */
	struct list tell; /* in queue.leases.tell from a job's publication until the next flush */
	uint32_t index;   /* the lease's place in queue.leases.table */
	/* no other lease of the queue has this number: an old event is known by its serial */
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
	/* Sequences. The ring has the jobs after `collected`, up to `published`. */
	uint64_t base, published, collected;
	uint64_t cost_ns; /* how long all jobs in the ring will take, as estimated */
	struct lease_told told;
	struct lease_stand stand;
	struct lease_unsaid unsaid;
	struct lease_loans *loans; /* NULL: the worker has had no loan */
	bool damaged, ended_by_us;
	struct lease_entry entries[RING_DEPTH];
};

/* Nobody waits for the completion of this job, which is in the ring: wire/answers.h. */
#define LEASE_UNWAIT(lease_, sequence_)                                                           \
	atomic_store_explicit(&(lease_)->lease_page->entries[(sequence_) % RING_DEPTH].unread, 0, \
		memory_order_relaxed)

/* Fetches what the worker wrote about a job in the ring, and the job's struct, into the cache. */
static inline void lease_fetch(const struct lease *lease, uint64_t sequence)
{
	const struct queue_job *job = lease->entries[sequence % RING_DEPTH].job;

	__builtin_prefetch(&lease->up->dones[sequence % RING_DEPTH]);
	if (!job)
		return;
	__builtin_prefetch(job, 1);
	__builtin_prefetch(&job->result, 1);
	__builtin_prefetch(job->result.verdict.name, 1);
	__builtin_prefetch(&job->tries, 1);
}

#endif
