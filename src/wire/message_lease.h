/* SPDX-License-Identifier: MIT */
/* message_lease.h - messages about a lease, and over its side socket: see message.h. */
#ifndef BROOD_WIRE_MESSAGE_LEASE_H
#define BROOD_WIRE_MESSAGE_LEASE_H

#include <stdint.h>

/*
 * A lease. The engine makes side socket, ring and eventfd, and asks for a lease (LEASE). The
 * request waits in the supervisor's queue like a job, in a record like a job's (`id`). When its
 * turn comes, the fds go on to an idle worker (GRANT), and the engine hears which one (GRANTED).
 * From then on jobs go through the ring.
 *
 * Each lease or request ends by exactly one LEASE_OVER: the request was refused, or the worker has
 * died, or has left. A worker leaves because the supervisor recalls it (RECALL, and a write to its
 * wake word). After the job that it runs, and without looking at those behind that job, it says
 * LEFT and is idle. After a soft RECALL it does the jobs behind it first. Entries that a worker has
 * left behind in its ring were not started.
 *
 * The supervisor recalls a worker when the engine asked (LEASE_END), the limit is over, the lease
 * had no job for lease_idle_ms, somebody else waits, the worker is to be replaced (softly), or the
 * pool stops.
 */
#define LEASE_FDS 5
/*
 * How many leases may be asked for beyond one for each worker. Jobs have other records: workers +
 * backlog.
 */
#define LEASE_WAITING(workers) ((workers) < 64 ? (workers) : 64)
enum { LEASE_FD_SIDE, LEASE_FD_DONE, LEASE_FD_DOWN, LEASE_FD_UP, LEASE_FD_QUEUE };
/*
 * limit_ms: counts from the grant. lease_page: the number of the page, which is this lease's alone
 * until the engine is through with it. queue: the engine's queue that asks; 0: none. While this
 * request waits, no lease of the same queue is taken back for it. pool: the pool whose worker is
 * wanted.
 */
struct message_lease {
	uint64_t id, given_ns;
	uint32_t queue_ms, limit_ms, flags, queue, lease_page, pool;
};
/* The lease is the program's own: it is not taken back for others, or for being idle. */
enum { LEASE_PINNED = 1 };
/* GRANT. sequence: that of the first job, less 1. */
struct message_grant {
	uint64_t id, sequence;
	uint32_t flags, pad; /* flags: as in LEASE */
};
/* RECALL. soft 1: the worker leaves once its ring is empty; 0: after the job that it runs. */
struct message_recall {
	uint64_t id;
	uint32_t soft, pad;
};
/*
 * LEFT. sequence: the last job that the worker has done. flags: FINISHED_RETIRING, FINISHED_NO_FD.
 * left: the residue of that job.
 */
struct message_left {
	uint64_t id, sequence;
	uint32_t flags, left;
};
struct message_granted {
	uint64_t id, sequence;
	int32_t pid;
	uint32_t slot, generation, pad;
};
struct message_lease_kill {
	uint64_t id, sequence;
	uint32_t cause, pad;
};
/*
 * CANCEL: begin the ladder of the job with that sequence, once it runs. NONSENSE: the worker sent
 * what makes no sense, so kill it
 */
enum { LEASE_KILL_CANCEL = 1, LEASE_KILL_NONSENSE };
enum { LEASE_REFUSED = 1, LEASE_RETURNED, LEASE_DIED };
enum {
	OVER_PROTOCOL = 1,
	OVER_STUCK = 2,
	OVER_MEMORY = 4,
	OVER_ABORT = 8,
	OVER_CONDEMNED = 16,
	OVER_GAVE_UP = 256,
	OVER_OPERATOR = 512, /* the worker was killed because an operator wanted that */
	OVER_OOM = 1024,     /* the kernel killed the worker for want of memory */
	/* The soft step was sent to the job `sequence`, for `cause`. */
	OVER_TOLD = 32,
	OVER_NOTICED = 128, /* the job `sequence` has noticed the soft step */
	/*
	 * The worker was killed and does not end. Nobody knows how it will end, so what it began is
	 * not tried again.
	 */
	OVER_UNDEAD = 64
};
struct message_lease_over {
	uint64_t id;
	uint32_t how, detail; /* detail: for REFUSED, enum brood_detail */
	int32_t pid;
	uint32_t slot, generation;
	uint32_t flags;
	/*
	 * RETURNED: the last job done. DIED: the job that the ladder was about, condemned if flags
	 * say so; with STUCK the last job that the worker began.
	 */
	uint64_t sequence;
	/* DIED: the slot page word; when condemned, as it was before the swap */
	uint64_t word;
	uint64_t escaped_sequence;
	/* DIED: from the slot page, where the slot's next worker will write over it */
	uint64_t began_ns;
	uint64_t died_ns; /* DIED: when the supervisor saw the death */
	uint32_t escaped, cause;
	int32_t code, status, kill_signal;
	uint32_t pad;
	uint64_t cpu_us, peak_kb;
};

/*
 * On the side socket. WITH: the fds of the entry with that sequence, sent before the entry is
 * published: [the request's memfd][the job's socket][extra ...]. BACK: the fds of a reply, sent
 * before the job's completion: [the reply's memfd][extra ...].
 */
/*
 * STREAM: in WITH, a socket for request and reply stands in the memfd's place. A BACK with STREAM
 * comes while the job runs, and has no fd but a socket for the reply.
 */
/* LOAN: in WITH, a file of memory on loan stands in the memfd's place. */
enum { SIDE_MEMFD = 1, SIDE_SOCKET = 2, SIDE_STREAM = 4, SIDE_LOAN = 8 };
struct message_side {
	uint64_t sequence;
	uint32_t flags, extra;
};

#endif
