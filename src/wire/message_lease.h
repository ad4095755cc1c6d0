/* SPDX-License-Identifier: MIT */
/* message_lease.h - messages about a lease, and over its side socket: see message.h. */
#ifndef BROOD_WIRE_MESSAGE_LEASE_H
#define BROOD_WIRE_MESSAGE_LEASE_H

#include <stdint.h>

/*
 * A lease. The engine makes side socket, ring and eventfd and asks (LEASE); the request waits in
 * the supervisor's queue like a job, in a record like a job's (`id`), and when it is its turn the
 * fds go on to an idle worker (GRANT), and the engine hears who it is (GRANTED). From then on jobs
 * go through the ring. The lease ends by LEASE_OVER, always, exactly once, also when it was
 * refused: when the worker has died; or when it has left. It leaves because the supervisor says so
 * (RECALL, and a write to its wake word): after the job that it runs, without looking at those
 * behind it, it says LEFT and is idle. A soft RECALL lets it do those behind it, too. The
 * supervisor says so when the engine asked (LEASE_END), the limit is over, the lease had no job for
 * lease_idle_ms, somebody else waits, its worker is to be replaced (softly), or the pool stops.
 * Entries that a worker has left behind in its ring were not started.
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
 * until the engine is through with it. queue: the lease's queue; while it waits, no lease of the
 * same queue is taken back for it; 0: no queue. pool: the pool whose worker it shall be.
 */
struct message_lease {
	uint64_t id, given_ns;
	uint32_t queue_ms, limit_ms, flags, queue, lease_page, pool;
};
/* The lease is the program's own: it is not taken back for others, or for being idle. */
enum { LEASE_PINNED = 1 };
/* sequence: that of the first job, less 1. */
struct message_grant {
	uint64_t id, sequence;
	uint32_t flags, pad; /* flags: as in LEASE */
};
/* soft: the worker leaves once its ring is empty; else after the job that it runs. */
struct message_recall {
	uint64_t id;
	uint32_t soft, pad;
};
/*
 * sequence: the last job that the worker has done. flags: FINISHED_RETIRING, FINISHED_NO_FD. left:
 * the residue of that job.
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
	/* The soft step was sent to the job `sequence`, for `cause`. */
	OVER_TOLD = 32,
	OVER_NOTICED = 128, /* that job has noticed the soft step */
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
	 * RETURNED: of the last job done. DIED: that the ladder was about, and that was condemned
	 * when flags say so; STUCK: the last that it began
	 */
	uint64_t sequence;
	/* DIED: the slot page word; when condemned, as it was before the swap */
	uint64_t word;
	uint64_t escaped_sequence;
	/* DIED: the slot page's, which the next worker there will write over */
	uint64_t began_ns;
	uint64_t died_ns; /* DIED: when the supervisor saw the death */
	uint32_t escaped, cause;
	int32_t code, status, kill_signal;
	uint32_t pad;
	uint64_t cpu_us, peak_kb;
};

/*
 * On the side socket. WITH: the fds of the entry with that sequence, sent before it is published:
 * [the request's memfd][the job's socket][extra ...]. BACK: before the job's completion: [the
 * reply's memfd][extra ...].
 */
/*
 * STREAM, with WITH: a socket for request and reply, in the memfd's place. BACK with it is said
 * while the job runs, and brings the socket of its reply alone.
 */
enum { SIDE_MEMFD = 1, SIDE_SOCKET = 2, SIDE_STREAM = 4 };
struct message_side {
	uint64_t sequence;
	uint32_t flags, extra;
};

#endif
