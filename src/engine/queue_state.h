/* SPDX-License-Identifier: MIT */
/* queue_state.h - the parts of a queue. See queue.h for the locks. */
#ifndef BROOD_ENGINE_QUEUE_STATE_H
#define BROOD_ENGINE_QUEUE_STATE_H

#include "../pool/rank.h"
#include "../pool/spin.h"
#include "../wire/ring.h"
#include "../wire/status.h"
#include "inbox.h"
#include "queue_event.h"
#include <pthread.h>

enum queue_kind { QUEUE_OWN, QUEUE_QUEUE, QUEUE_THREAD, QUEUE_PINNED, QUEUE_CALLERS };

/* brood.queues.lock guards all of it. */
struct queue_listed {
	struct list link; /* brood.queues.list */
	bool watched;     /* the queue's epoll is in brood.queues_fd, where brood_stop() waits */
};

struct queue_own_fds {
	int epoll, tick, control;
	struct ring_queue *page; /* what `control` is mapped to */
	bool gone;               /* the library or the program has closed the fds */
};

struct queue_sleep {
	struct sleeper *leader; /* in epoll_wait(), or on the way back; NULL: no thread leads */
	struct list followers;
	uint32_t waking; /* how many followers were woken and do not run yet */
	/* threads that wait for results; for a lease's begin or end, or a conversation's begin */
	struct sleeper *takers, *lookers;
	bool all_tell;  /* many leases: workers tell of each completion; no look is at all */
	bool polled;    /* the program has the queue's fd: listen whenever no thread looks */
	uint32_t looks; /* how many looks in a row made no system call */
	uint64_t taken; /* when brood_take() looked with a system call last */
	uint32_t cpu;   /* what the page says of this thread's CPU */
	struct spin spin;
	_Atomic uint32_t wanted; /* how many threads wait for the lock: atomic */
};

struct queue_timer {
	/* when the timer fires; when a kept job may be refused; or TIME_NEVER */
	uint64_t at, kept_due;
	bool soon;  /* the timer was set to fire within PICK_STAND_NS */
	bool fired; /* a note for the pump: set the timer anew */
};

struct queue_jobs {
	uint64_t next_id, last_id; /* what is left of the block of ids that the queue has */
	struct queue_job **table;  /* job of an id: at id % room, a power of two */
	size_t room, out, limit;
	size_t others;     /* how many of `out` are calls and conversations: they leave no result */
	struct list spare; /* free structs for further jobs */
	size_t spare_count;
	struct function **functions;
};

/* Jobs that wait in the queue: no transport has them. */
struct queue_waiting {
	struct rank_queue ranks;
	size_t count, paused_count, told; /* told: how many of both the tally counts */
	uint64_t ns;         /* how long the waiting jobs will take together, as estimated */
	uint64_t due;        /* before this time, no job has waited for longer than queue_ms */
	struct list paused;  /* retries that have a pause: not in `ranks` */
	uint64_t paused_due; /* before this time, no retry's pause is over */
};

struct queue_results {
	uint32_t news, handle_news;      /* results, verdicts of handles, that nobody was told of */
	uint32_t round, handle_round;    /* how often news, handle_news were told and set to 0 */
	struct list callbacks;           /* closed jobs whose on_done is to be called */
	struct list list, taken, waited; /* closed jobs: to be delivered; lent to the program */
	size_t count, taken_count, calling; /* jobs in `list`; lent; threads that run callbacks */
	struct list talkers;                /* submitted jobs with progress that is to be told */
	bool no_logs;         /* run no log callback: it may need a lock that this thread holds */
	bool taking;          /* the thread with the lock takes the results: wake nobody else */
	bool delivering_next; /* the thread with the lock will call the callbacks: poke nobody */
};

struct queue_leases {
	struct list list, idle, tell;
	struct lease **table;
	uint32_t table_size, table_from, serial; /* no place before table_from is free */
	/* active: leases in use. stalled: how many of these have a job that takes long. */
	uint32_t active, asked, stalled, limit;
	uint32_t ringed, streamed; /* how many jobs are in rings, and how many were handed off */
	uint32_t busy;             /* leases in use whose ring has entries, also withdrawn ones */
	struct lease *warm;        /* the lease that got the last job; NULL: none */
	struct keys *keys;         /* which lease had a key last; NULL: no job had a key */
	uint64_t ask_again;        /* ask for no lease before this time: the last was refused */
	bool ask_held, in_line;    /* a lease is wanted then; the queue is in the pool's line */
	bool wakes;                /* some lease is in `tell`: its worker may not know of a job */
	bool unsaid;               /* some lease has a message that is to be sent again */
	uint64_t behind_due;       /* before this time, no job stood behind others for too long */
	enum brood_detail refused; /* why the last request was refused; NONE: it was not */
};

/* QUEUE_PINNED: the one lease, and its worker. */
struct queue_pinned {
	struct lease *lease;
	pid_t pid;
	uint32_t slot, generation;
	bool over;
};

/* Verdicts are counted elsewhere: sums.h. */
struct queue_stats {
	uint64_t submitted, budgeted, dropped, redispatched, retried;
};

/*
 * `inbox` and `listed` say themselves which lock guards them. The queue's own lock guards all other
 * members but those that are constant (brood, pool, kind) or atomic (refs, orphan).
 */
struct queue {
	struct brood *brood;
	struct brood_pool *pool; /* the pool whose workers the queue's leases are */
	enum queue_kind kind;
	pthread_mutex_t lock;
	_Atomic uint32_t refs; /* one for the queue itself, and one for each handle */
	_Atomic bool orphan;   /* a QUEUE_THREAD whose thread has ended */
	bool freed;            /* the queue is being freed: no callback is called any more */
	struct queue_listed listed;
	struct inbox inbox;
	struct queue_own_fds fds;
	struct queue_sleep sleep;
	struct queue_timer timer;
	struct queue_jobs jobs;
	struct queue_waiting waiting;
	struct queue_results results;
	struct queue_leases leases;
	struct queue_pinned pinned;
	struct queue_stats stats;
	struct status_place sums; /* sums.h */
};

#endif
