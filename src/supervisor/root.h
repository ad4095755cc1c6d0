/* SPDX-License-Identifier: MIT */
/*
 * root.h - all that the supervisor process has, and the notes of what has happened. The structs of
 * a worker's place and of a job stand in slot.h and record.h.
 */
#ifndef BROOD_SUPERVISOR_ROOT_H
#define BROOD_SUPERVISOR_ROOT_H

#include "control_root.h"
#include "manager_root.h"
#include "pool_root.h"
#include "supervisor.h"
#include "unread.h"
#include "../os/stdlog.h"
#include "../pool/fold.h"
#include "../pool/halt.h"
#include "../pool/turns.h"

/* After EAGAIN, ENOMEM, EMFILE or ETOOMANYREFS, all that waits is tried again after this time. */
#define RETRY_MS 10u
/* A worker whose channel ended has this long to end: a busy machine needs time to kill one. */
#define EOF_GRACE_MS 2000u

/*
 * What has happened, one bit for each thing. The code that changes something sets its bit. notes.c
 * looks once after each batch of events, before the loop sleeps, and does what follows, in one
 * order.
 */
enum note_bit {
	NOTE_SWEPT = 1 << 0,   /* a sweep has found no stray */
	NOTE_GAUGES = 1 << 1,  /* numbers of the stats page have changed */
	NOTE_TELL = 1 << 2,    /* a verdict, GRANTED or LEASE_OVER waits for the engine's socket */
	NOTE_QUEUE = 1 << 3,   /* something new waits, or a worker or lease is free */
	NOTE_BIRTH = 1 << 4,   /* a place is empty, or a reason not to fill it is gone */
	NOTE_POOL = 1 << 5,    /* the pool may be ready, degraded, or recovered */
	NOTE_STOP = 1 << 6,    /* the stop may enter its next phase, or finish */
	NOTE_RETRY = 1 << 7,   /* a resource was short: try again in RETRY_MS */
	NOTE_SIZE = 1 << 8,    /* the pool's load has changed: it may need more workers, or fewer */
	NOTE_RENEW = 1 << 9,   /* a worker is to be replaced, is ready or has ended */
	NOTE_REPORT = 1 << 10, /* a death report is new, or has its names */
	NOTE_CONTROL = 1 << 11, /* what a connection of the control socket waits for may be over */
	NOTE_FIGURES = 1 << 12, /* jobs on leases may have been done: they are on no gauge */
	NOTE_STDERR = 1 << 13,  /* stderr takes again what workers write */
};

struct supervisor {
	uint32_t notes;     /* enum note_bit: what has happened */
	uint32_t notes_all; /* the notes that are about all pools */
	struct supervisor_config config;
	const struct brood_options *options;
	struct stats_page *stats_page;
	struct loop loop;
	pid_t pid;
	struct birth birth; /* what all births have in common */
	struct rlimit core; /* the limit at the start, which workers get */
	int oom_mark;       /* the workers' oom_score_adj; -1: unchanged, it was 1000 or unknown */
	enum process_spawn way;

	struct pool *pools;
	uint32_t pools_count;
	struct list touched; /* slots whose record on the status page is to be written */
	/* Which pool's turn it is: tell_turn: messages; birth_turn: births; turn: the rest. */
	uint32_t turn, tell_turn, birth_turn;
	struct timer spawn_timer, retry_timer;

	struct engine_process engine;
	struct guard_process guard;
	struct spawner_process spawner;
	struct manager manager;
	struct notifier notifier;
	struct cgroups cgroups;
	struct feed feed;
	struct unread unread;
	struct memory_pressure memory_pressure;
	struct resolver_process resolver;
	struct control control;

	struct halt halt;
	struct timer halt_timer;
	bool stop_asked;             /* the engine asked for the stop, and waits for STOPPED */
	uint64_t done_ns;            /* when the last worker had ended */
	bool start_failed;           /* BROOD_START_OR_FAIL: the service ends for that */
	bool undead_said, left_said; /* logged: workers, or strays, that cannot be ended */
	uint32_t left;               /* processes that the stop leaves behind, as far as known */

	struct timer sweep_timer;
	uint64_t last_sweep_ns;
	uint32_t sweep_pause_ms;
	struct list called;   /* slots whose workers have said CALLED since the last sweep */
	bool strays_seen;     /* a sweep has killed strays */
	bool strays_blind;    /* the supervisor cannot list its children */
	uint32_t sweeps;      /* how many sweeps in all have found nothing */
	uint32_t strays_left; /* how many strays the last sweep found */
	uint32_t remains;     /* dead workers that the roster keeps until a sweep finds nothing */

	int signal_fd;
	struct source signals;
	sigset_t pass;
	struct held_signals held;

	struct fold fold;
	struct timer fold_timer;
	struct stdlog stdlog;
	struct tails tails;
	uint64_t logs_lost; /* log lines for which there was no room, and nobody was told yet */
};

#define for_each_pool(pool_, s_) \
	for (struct pool *pool_ = (s_)->pools; pool_ < (s_)->pools + (s_)->pools_count; pool_++)
/* The n-th pool, counted from the one whose turn it is: so no pool is always the first. */
static inline struct pool *pool_in_turn(struct supervisor *s, uint32_t turn, uint32_t n)
{
	return &s->pools[turns_at(turn, n, s->pools_count)];
}
/* The pool that a message of the engine is about. NULL: no pool has that number. */
static inline struct pool *pool_addressed(struct supervisor *s, uint32_t number)
{
	return number < s->pools_count ? &s->pools[number] : NULL;
}

/* Adds one to a counter of the stats page. */
#define count_one(counter_) atomic_fetch_add_explicit((counter_), 1, memory_order_relaxed)

static inline void note(struct supervisor *s, uint32_t notes)
{
	s->notes |= notes;
	s->notes_all |= notes;
}
/* Notes what has happened to this pool alone: the other pools are not looked at. */
static inline void note_pool(struct pool *pool, uint32_t notes)
{
	pool->notes |= notes;
	pool->supervisor->notes |= notes;
}

/* True: the engine cannot hear anything any more. */
static inline bool engine_is_deaf(const struct supervisor *s)
{
	return s->engine.channel_ended || s->engine.ended;
}

/* True: this error of sending a message passes, so try again later. */
static inline bool error_passes(int r)
{
	return r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM || r == -ETOOMANYREFS ||
		r == -EMFILE || r == -ENFILE || r == -EINTR;
}

#endif
