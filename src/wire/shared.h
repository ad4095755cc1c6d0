/*
 * shared.h - the three pieces of memory that the processes share, all made before the first fork.
 *
 *   roster   slot to pid, for the guard. Mapped in supervisor and guard. A worker writes its own entry before any user code runs (init hook included) and then unmaps it: no
 *            job can scribble pids into what the guard will kill. The engine unmaps it at once.
 *   desks    a page a slot. A worker keeps its own and unmaps the others; the engine unmaps all. One word tells which job runs, so that a kill cannot hit job N+1:
 *            the supervisor stores ASSIGNED(N) and sends RUN; the worker swaps ASSIGNED(N) to RUNNING(N) before the first instruction of fn and RUNNING(N) to DONE(N) after its
 *            last; who wants to kill swaps ASSIGNED(N) or RUNNING(N) to CONDEMNED(N), and only the winner kills. A worker that loses a swap waits to die.
 *            A worker that scribbles on its own desk harms itself alone: what the supervisor reads there only decides about that worker.
 *   board    counters, written by the supervisor, read-only in the engine; unmapped in workers and guard.
 */
#ifndef BROOD_WIRE_SHARED_H
#define BROOD_WIRE_SHARED_H

#include <brood.h>
#include <stdatomic.h>
#include <stdint.h>

enum desk_state { DESK_FREE, DESK_ASSIGNED, DESK_RUNNING, DESK_DONE, DESK_CONDEMNED };
#define DESK_WORD(sequence, state) ((uint64_t)(sequence) << 3 | (state))
#define DESK_STATE(word)    ((enum desk_state)((word) & 7))
#define DESK_SEQUENCE(word) ((word) >> 3)

struct desk { _Atomic uint64_t word; };            /* at the start of the slot's page */

struct roster_entry {
	_Atomic int32_t pid;                       /* 0: nobody */
	uint32_t generation;
	uint64_t born_ticks;                       /* process_boot_ticks() at birth: the leader of that session started no later */
};
struct roster {
	_Atomic int32_t engine_pid;
	uint32_t slots;
	uint64_t engine_born_ticks;
	struct roster_entry workers[];
};

struct board {                                     /* one writer; each field is read alone */
	_Atomic uint32_t ready, idle, busy, starting, queued, queued_peak, degraded;
	_Atomic uint64_t next_spawn_ns;            /* 0: none is waited for */
	_Atomic uint64_t verdicts[BROOD_OUTCOMES];
	_Atomic uint64_t redispatched, retried, spawned, died, killed, retired, spawn_failures, strays_killed, guard_deaths, logs_dropped;
	_Atomic int32_t guard_pid;                 /* for tests and tools */
};

struct shared {
	struct roster *roster; size_t roster_size;
	char *desks; size_t desks_size, desk_size; /* desk_size: the page */
	struct board *board; size_t board_size;
	uint32_t slots;
};
int shared_create(uint32_t slots, struct shared *ret);
void shared_free(struct shared *s);
static inline struct desk *shared_desk(const struct shared *s, uint32_t slot) { return (struct desk *)(s->desks + (size_t)slot * s->desk_size); }
/* What each role keeps. */
void shared_keep_engine(struct shared *s);         /* board, read-only */
void shared_keep_guard(struct shared *s);          /* roster */
void shared_keep_desk(struct shared *s, uint32_t slot);   /* worker, after it wrote its roster entry */

#endif
