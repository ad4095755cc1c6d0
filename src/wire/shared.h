/* SPDX-License-Identifier: MIT */
/*
 * shared.h - the four pieces of memory that all processes share, made before the first fork. (A
 * lease has memory of its own: ring.h.)
 *
 *   roster   slot to pid, for the guard. Mapped in supervisor and guard. A worker writes its own
 *            entry before any user code runs (init hook included) and then unmaps it: no job can
 *            scribble pids into what the guard will kill. The engine unmaps it at once.
 *   desks    a page a slot. A worker keeps its own and unmaps the others; the supervisor and the
 *            engine keep all. One word tells which job runs, so that a kill cannot hit job N+1: the
 *            supervisor stores ASSIGNED(N) and sends RUN; the worker swaps ASSIGNED(N) to
 *            RUNNING(N) before the first instruction of fn and RUNNING(N) to DONE(N) after its
 *            last; who wants to kill swaps ASSIGNED(N) or RUNNING(N) to CONDEMNED(N), and only the
 *            winner kills. A worker that loses a swap waits to die. A worker that scribbles on its
 *            own desk harms itself alone: what the supervisor and the engine read there only
 *            decides about that worker. On a lease the word goes from DONE(N-1) (FREE at first) to
 *            RUNNING(N) to DONE(N) without the supervisor; condemning swaps DONE(N-1) or RUNNING(N)
 *            to CONDEMNED(N).
 *   ledgers  a page a lease, for what the engine's library says of the jobs in a worker's ring,
 *            without a message a job: the engine writes, the supervisor reads (but for look_at); no
 *            worker has it mapped. The engine picks one when it asks, and no other lease gets it
 *            before the lane that had it knows that its lease is over: what a lane writes that does
 *            not know yet harms nobody. The supervisor looks at look_at at the latest: which job
 *            runs, since when, what its limits are. Who publishes a job whose run time ends sooner
 *            says so (LEASE_LOOK): the engine stores `published`, then (seq_cst) loads look_at; the
 *            supervisor stores look_at, then loads `published` again.
 *   board    counters, written by the supervisor, read-only in the engine; unmapped in workers and
 *            guard.
 *   tally    counters of the engine's, for the supervisor to read when the engine has ended;
 *            unmapped in workers and guard.
 */
#ifndef BROOD_WIRE_SHARED_H
#define BROOD_WIRE_SHARED_H

#include "../os/closing.h"
#include <brood.h>
#include <stdatomic.h>
#include <stdint.h>

enum desk_state { DESK_FREE, DESK_ASSIGNED, DESK_RUNNING, DESK_DONE, DESK_CONDEMNED };
#define DESK_WORD(sequence, state) ((uint64_t)(sequence) << 3 | (state))
#define DESK_STATE(word)           ((enum desk_state)((word) % 8))
#define DESK_SEQUENCE(word)        ((word) >> 3)

#define DESK_STANDARD UINT32_C(0x80000000)

/*
 * How a worker ends by itself. The code alone proves nothing, for a job may exit with the same one:
 * the worker writes it into its slot's page as well, and says by that that it was the library.
 */
enum worker_exit {
	WORKER_EXIT_ORDERLY = 0,
	WORKER_EXIT_BIRTH = 70, /* the kernel refused something that a worker needs */
	WORKER_EXIT_INIT = 71,  /* worker_init did not return 0, or left its frame */
	/* the channel is gone, is something else now, or carried nonsense */
	WORKER_EXIT_CHANNEL = 72,
	WORKER_EXIT_DESK = 73,    /* the desk word makes no sense: somebody wrote there */
	WORKER_EXIT_ESCAPED = 74, /* a job left its frame; ESCAPED was sent before */
	/* on lease: the ring makes no sense, or the link carried nonsense */
	WORKER_EXIT_RING = 75,
};

/* at the start of the slot's page. All of it hostile, but to its worker */
struct desk {
	_Atomic uint64_t word;
	/* of RUNNING(N), stored before it: when the worker says it began */
	_Atomic uint64_t began_ns;
	/*
	 * the supervisor's: sequence of the last job that was told to end. Stored before the
	 * signal. No job has 0
	 */
	_Atomic uint64_t soft;
	/* the worker's, as it dies: worker_memory refused it memory */
	_Atomic uint32_t memory;
	/* why: one of BROOD_TOLD_*. Stored before `soft` */
	_Atomic uint32_t soft_cause;
	/* the worker's: sequence of the last job to which brood_job_cancelled() said so */
	_Atomic uint64_t noticed;
	/*
	 * what a worker on lease sleeps on (futex): added to by the engine after it published, and
	 * by the supervisor
	 */
	_Alignas(64) _Atomic uint32_t bell;
	/*
	 * 1: it sleeps on it, or is about to: ring. It sets that, looks again (seq_cst), and sleeps
	 */
	_Atomic uint32_t asleep;
	/*
	 * DESK_STANDARD | flags of stdout and of stderr before the job that runs, where the engine
	 * shares them; 0: nothing is to be put back
	 */
	_Atomic uint32_t standard[2];
	/*
	 * 1: a job made system calls since the supervisor looked for strays. The worker sets it and
	 * says so (CALLED); the supervisor clears it before it looks
	 */
	_Atomic uint32_t called;
	/* 1: the supervisor has sent something: look at the channel before the next job */
	_Atomic uint32_t attention;
	/* enum worker_exit, right before the worker ends itself; 0: it does not */
	_Atomic uint32_t gave_up;
	/* the function of the last job that began, for log lines: may lack its NUL */
	char name[BROOD_NAME_MAX];
};

/* jobs in one worker's ring. Job `sequence` has entry sequence % RING_DEPTH in ledger and ring */
#define RING_DEPTH 128
/* flags: enum brood_job_flags */
struct ledger_entry {
	uint64_t id;
	uint32_t run_ms, grace_ms, flags, pad;
};
struct ledger {
	/* sequence of the last job in the ring. Entries first, then this (release) */
	_Atomic uint64_t published;
	/* the supervisor's: CLOCK_MONOTONIC; TIME_NEVER: not without LEASE_LOOK */
	_Alignas(64) _Atomic uint64_t look_at;
	/* the supervisor's: 1: it asked the worker to leave; publishing there is in vain */
	_Atomic uint32_t leaving;
	_Alignas(64) struct ledger_entry entries[RING_DEPTH];
};

struct roster_entry {
	_Atomic int32_t pid; /* 0: nobody */
	uint32_t generation;
	/* process_boot_ticks() at birth: the leader of that session started no later */
	uint64_t born_ticks;
};
struct roster {
	_Atomic int32_t engine_pid;
	uint32_t slots;
	uint64_t engine_born_ticks;
	/*
	 * one a slot; behind them the remains: dead workers in whose sessions something of their
	 * jobs may live, until a sweep has found nothing any more
	 */
	struct roster_entry workers[];
};
#define ROSTER_ENTRIES(slots) ((size_t)(slots)*2 + 64)

struct board { /* one writer; each field is read alone */
	_Atomic uint32_t ready, idle, busy, starting, queued, queued_peak, degraded;
	_Atomic uint64_t next_spawn_ns; /* 0: none is waited for */
	_Atomic uint64_t verdicts[BROOD_OUTCOMES];
	_Atomic uint32_t leased, library; /* library: leased, but for explicit leases */
	_Atomic uint64_t leases, leases_revoked;
	_Atomic uint64_t redispatched, retried, spawned, died, killed, retired, spawn_failures,
		strays_killed, guard_deaths, logs_dropped;
	_Atomic uint32_t undead;
	_Atomic uint64_t undead_ever;
	_Atomic int32_t guard_pid; /* for tests and tools */
};

struct tally {
	/* jobs that the engine accepted and that wait in it for a worker */
	_Atomic uint64_t waiting;
	/*
	 * os/closing.h: pids of the supervisor's and of the engine's helpers, as the kernel wrote
	 * them
	 */
	_Atomic int closers[2][CLOSING_HELPERS];
};

struct shared {
	struct roster *roster;
	size_t roster_size;
	char *desks;
	size_t desks_size, desk_size; /* desk_size: the page */
	char *ledgers;
	size_t ledgers_size, ledger_size;
	uint32_t ledgers_count;
	struct board *board;
	size_t board_size;
	struct tally *tally;
	size_t tally_size;
	uint32_t slots;
};
/* Places beside those of the workers, for those whose process cannot die. */
#define SLOTS_SPARE(workers) ((workers) / 8 > 2 ? (workers) / 8 : 2)
int shared_create(uint32_t slots, struct shared *ret);
void shared_free(struct shared *s);
static inline struct desk *shared_desk(const struct shared *s, uint32_t slot)
{
	return (struct desk *)(s->desks + (size_t)slot * s->desk_size);
}
static inline struct ledger *shared_ledger(const struct shared *s, uint32_t number)
{
	return (struct ledger *)(s->ledgers + (size_t)number * s->ledger_size);
}
/* What each role keeps. */
void shared_keep_engine(struct shared *s); /* desks, ledgers; the board, read-only */
void shared_keep_guard(struct shared *s);  /* roster */
/* worker, after it wrote its roster entry */
void shared_keep_desk(struct shared *s, uint32_t slot);

#endif
