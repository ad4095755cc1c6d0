/* SPDX-License-Identifier: MIT */
/*
 * message.h - what the processes say to each other. All are images of one binary, so a message is a
 * struct; the sender zeroes it whole (padding leaks memory), the receiver checks type and sizes
 * before it looks.
 *
 *   engine -> supervisor   JOB (+fds)  CANCEL  STOP  NOTIFY  INIT_DATA (+fds)  LEASE (+5 fds)
 *                          LEASE_END  LEASE_LOOK  LEASE_KILL  EXITING  DROPPED
 *   supervisor -> engine   VERDICT (+fds)  POOL_READY  POOL_DEGRADED  STOPPED  PROGRESS  LENT
 *                          LEASE_OVER
 *                          and on a datagram socket of their own, so that they never stand before
 *                          a verdict: LOG
 *   supervisor -> worker   RUN (+fds)  END  LEND (+5 fds)  LEAVE
 *   worker -> supervisor   READY  FINISHED (+fds)  ESCAPED  JOB_LOG  PROGRESS  LEFT  CALLED (a job
 *                          that made system calls is over, see desk.called)
 *   engine -> worker       on the link of a lease: WITH (+fds)
 *   worker -> engine       on the link of a lease: BACK (+fds)  PROGRESS
 *   supervisor -> guard    (nothing: it watches a pidfd and reads the roster)
 *
 * Who writes the verdict of a job: on the handoff path the supervisor, alone (src/pool/fate.c); of
 * a job in a ring (ring.h) the engine's library, alone, by the same rule; when the worker has died
 * it waits for LEASE_OVER, which has the facts. When a worker's pidfd is readable it reads the
 * worker's channel to its end, kills what is left of the worker's session, then reaps; a valid
 * FINISHED found on the way means done or failed, else the wait status decides. For handed-off jobs
 * the engine's library makes up verdicts only when the channel to the supervisor has ended, or the
 * stop time has: lost.
 */
#ifndef BROOD_WIRE_MESSAGE_H
#define BROOD_WIRE_MESSAGE_H

#include <brood.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum message_type {
	MESSAGE_JOB = 1,
	MESSAGE_CANCEL,
	MESSAGE_STOP,
	MESSAGE_NOTIFY,
	MESSAGE_INIT_DATA,
	MESSAGE_LEASE,
	MESSAGE_LEASE_END,
	MESSAGE_LEASE_LOOK,
	MESSAGE_LEASE_KILL,
	MESSAGE_EXITING,
	MESSAGE_DROPPED,
	MESSAGE_VERDICT = 32,
	MESSAGE_POOL_READY,
	MESSAGE_POOL_DEGRADED,
	MESSAGE_STOPPED,
	MESSAGE_LOG,
	MESSAGE_LENT,
	MESSAGE_LEASE_OVER,
	MESSAGE_RUN = 64,
	MESSAGE_END,
	MESSAGE_LEND,
	MESSAGE_LEAVE,
	/* PROGRESS also goes on to the engine, and over links */
	MESSAGE_READY = 96,
	MESSAGE_FINISHED,
	MESSAGE_ESCAPED,
	MESSAGE_JOB_LOG,
	MESSAGE_PROGRESS,
	MESSAGE_LEFT,
	MESSAGE_CALLED,
	MESSAGE_WITH = 128,
	MESSAGE_BACK,
};

/*
 * JOB: followed by arg_size bytes. `id` modulo the number of job records (same in engine and
 * supervisor) names its record: the engine gives no id whose record is out.
 */
struct message_job {
	uint64_t id;
	uint64_t fn;
	uint64_t request_size; /* BROOD_SIZE_UNKNOWN for a conversation */
	uint64_t given_ns;     /* when the caller gave it, CLOCK_MONOTONIC */
	uint32_t flags;        /* enum brood_job_flags */
	/* resolved: no zeros for defaults; UINT32_MAX forever */
	uint32_t queue_ms, run_ms, grace_ms;
	/*
	 * that the supervisor may make: for open and give. A call's are made by the engine's
	 * library, which has the request
	 */
	uint32_t retries;
	uint32_t attempt; /* attempts made before this message */
	uint32_t arg_size;
	/* of those bytes, the last: "path\0symbol\0"; 0: fn is the function */
	uint32_t plugin_size;
	/*
	 * 1: the socket is one of a pair that the library made for this job: blocking, without
	 * linger, and nobody else has set anything on it
	 */
	uint32_t own_pair, pad;
	char name[BROOD_NAME_MAX];
}; /* fds: the job's socket, then the extra ones */
/* RUN: followed by arg_size bytes. */
struct message_run {
	uint64_t id, sequence; /* sequence: of the desk word */
	uint64_t fn;
	uint64_t request_size;
	uint64_t soft_ns; /* the soft step, CLOCK_MONOTONIC; UINT64_MAX never */
	uint32_t attempt, arg_size;
	uint32_t plugin_size, own_pair;
	char name[BROOD_NAME_MAX];
};
struct message_cancel {
	uint64_t id;
};
/* of the drain time, what the engine's lanes have used up */
struct message_stop {
	uint32_t drained_ms, pad;
};
enum { NOTIFY_READY = 1, NOTIFY_STATUS };
struct message_notify {
	uint32_t kind, pad;
	char text[208];
};
/* fds: a memfd (data_size > 0), then fds_count */
struct message_init_data {
	uint64_t data_size;
	uint32_t version, fds_count;
};
struct message_verdict {
	struct brood_verdict verdict;
}; /* fds: those of the reply */
/*
 * POOL_READY, POOL_DEGRADED, STOPPED. left: STOPPED: processes that live on, as far as they are
 * known
 */
struct message_pool {
	uint32_t ready, workers, left, pad;
};
/*
 * EXITING (no fields): the program is in exit(), and nobody hears log lines any more. DROPPED: what
 * its end or the stop made of jobs.
 */
struct message_dropped {
	uint64_t count, first;
	char name[BROOD_NAME_MAX];
};
/* the line for the log; as snprintf() */
int message_dropped_text(const struct message_dropped *m, char *text, size_t size);
/* text: NUL-terminated; sent cut after its NUL */
struct message_log {
	uint32_t level, event;
	int32_t pid;
	uint32_t slot;
	uint64_t job;
	char text[512];
};
/* blind: enum self_blind */
struct message_ready {
	int32_t pid;
	uint32_t generation, blind, pad;
};
/* told: enum brood_verdict_flags. The last two: where they are accounted. fds: of the reply */
struct message_finished {
	uint64_t id, sequence;
	int32_t code;
	uint32_t left;
	uint32_t flags, told;
	uint64_t cpu_us, peak_kb;
};
/* RETIRING: the worker ends by itself now */
enum {
	FINISHED_REFUSED_POINTER = 1,
	FINISHED_RETIRING = 2,
	/* the job's fds did not arrive; fn was not entered. Comes with RETIRING */
	FINISHED_NO_FD = 4,
	/* worker_memory refused the job memory */
	FINISHED_MEMORY = 16,
	/* it could not be opened; fn was not entered */
	FINISHED_NO_PLUGIN = 8
};
enum { ESCAPED_LONGJMP = 1, ESCAPED_THREAD_EXIT };
struct message_escaped {
	uint64_t id, sequence;
	uint32_t how, pad;
};
/* sent cut after its NUL */
struct message_job_log {
	uint64_t id;
	uint32_t level, pad;
	char text[400];
};
/* sent whole */
struct message_progress {
	uint64_t id, sequence;
	uint32_t size, pad;
	unsigned char data[BROOD_PROGRESS_MAX];
};

/*
 * A lease. The engine makes link, ring and eventfd and asks (LEASE); the request waits in the
 * supervisor's queue like a job, in a record like a job's (`id`), and when it is its turn the fds
 * go on to an idle worker (LEND), and the engine hears who it is (LENT). From then on jobs go
 * through the ring. The lease ends by LEASE_OVER, always, exactly once, also when it was refused:
 * when the worker has died; or when it has left. It leaves because the supervisor says so (LEAVE,
 * and a ring of its bell): after the job that it runs, without looking at those behind it, it says
 * LEFT and is idle. The supervisor says so when the engine asked (LEASE_END), the limit is over,
 * the lease had no job for lease_idle_ms, somebody else waits, or the pool stops. Entries that a
 * worker has left behind in its ring were not started.
 */
#define LEASE_FDS 5
/*
 * leases that may be asked for beyond one a worker. Jobs have records of their own: workers +
 * backlog
 */
#define LEASE_WAITING(workers) ((workers) < 64 ? (workers) : 64)
enum { LEASE_FD_LINK, LEASE_FD_BELL, LEASE_FD_DOWN, LEASE_FD_UP, LEASE_FD_LANE };
/*
 * limit_ms: from the loan. ledger: its number, this lease's alone until the engine is through with
 * it. lane: whose it is: while it waits none of the same lane is taken back for it; 0: nobody's
 */
struct message_lease {
	uint64_t id, given_ns;
	uint32_t queue_ms, limit_ms, flags, lane, ledger, pad;
};
/* an explicit one: not to be taken back for others or for being idle */
enum { LEASE_KEPT = 1 };
/* sequence: the first job's less 1 */
struct message_lend {
	uint64_t id, sequence;
};
struct message_leave {
	uint64_t id;
};
/*
 * sequence: of the last job that it has done. flags: FINISHED_RETIRING, FINISHED_NO_FD. left: what
 * the last one left behind then
 */
struct message_left {
	uint64_t id, sequence;
	uint32_t flags, left;
};
struct message_lent {
	uint64_t id, sequence;
	int32_t pid;
	uint32_t slot, generation, pad;
};
/* LEASE_END, LEASE_LOOK: the engine published a job whose run time ends before ledger.look_at */
struct message_lease_id {
	uint64_t id;
};
struct message_lease_kill {
	uint64_t id, sequence;
	uint32_t cause, pad;
};
/* CANCEL: the ladder of that job, if it still runs. NONSENSE: the worker sent some */
enum { LEASE_KILL_CANCEL = 1, LEASE_KILL_NONSENSE };
enum { LEASE_REFUSED = 1, LEASE_RETURNED, LEASE_DIED };
enum {
	OVER_PROTOCOL = 1,
	OVER_STUCK = 2,
	OVER_MEMORY = 4,
	OVER_ABORT = 8,
	OVER_CONDEMNED = 16,
	OVER_GAVE_UP = 256,
	/* the soft step was sent to the job `sequence`, for `cause` */
	OVER_TOLD = 32,
	OVER_NOTICED = 128, /* and it has noticed */
	/*
        * it was killed and does not end: how it will is not known, and what it began is not tried
        * again
        */
	OVER_UNDEAD = 64
};
struct message_lease_over {
	uint64_t id;
	uint32_t how, detail; /* REFUSED: enum brood_detail */
	int32_t pid;
	uint32_t slot, generation;
	uint32_t flags;
	/*
	 * RETURNED: of the last job done. DIED: that the ladder was about, and that was condemned
	 * when flags say so; STUCK: the last that it began
	 */
	uint64_t sequence;
	/* DIED: the desk word; when condemned, as it was before the swap */
	uint64_t word;
	uint64_t escaped_sequence;
	/* DIED: the desk's, which the next worker there will write over */
	uint64_t began_ns;
	uint32_t escaped, cause;
	int32_t code, status, kill_signal;
	uint32_t pad;
	uint64_t cpu_us, peak_kb;
};

/*
 * On the link. WITH: the fds of the entry with that sequence, sent before it is published: [the
 * request's memfd][the job's socket][extra ...]. BACK: before the job's completion: [the reply's
 * memfd][extra ...].
 */
/*
 * STREAM, with WITH: a socket for request and reply, in the memfd's place. BACK with it is said
 * while the job runs, and brings the socket of its reply alone.
 */
enum { LINK_MEMFD = 1, LINK_SOCKET = 2, LINK_STREAM = 4 };
struct message_link {
	uint64_t sequence;
	uint32_t flags, extra;
};

#endif
