/* SPDX-License-Identifier: MIT */
/* queue_state.h - the parts of a queue. See queue.h for the locks. */
#ifndef BROOD_ENGINE_QUEUE_STATE_H
#define BROOD_ENGINE_QUEUE_STATE_H

#include "../pool/rank.h"
#include "../wire/ring.h"
#include "inbox.h"
#include <pthread.h>

enum queue_kind { QUEUE_OWN, QUEUE_QUEUE, QUEUE_THREAD, QUEUE_PINNED, QUEUE_CALLERS };

/* brood.queues.lock guards all of it. */
struct queue_listed {
	struct list link; /* brood.queues.list */
	bool watched;     /* its epoll is in brood.queues_fd: brood_stop() waits for it */
};

struct queue_own_fds {
	int epoll, tick, control;
	struct ring_queue *page; /* what `control` is mapped to */
	bool gone;               /* the fds are not ours any more, or all is lost */
};

struct queue_sleep {
	/* in epoll_wait(), or about to come back from there; NULL */
	struct sleeper *leader;
	struct list followers;
	uint32_t waking; /* of these, woken and not yet here */
	/* waiting for results; for a lease to come or to end, or a conversation to begin */
	struct sleeper *takers, *lookers;
	bool polled;    /* the program has its fd: listen whenever no thread looks */
	uint32_t looks; /* without a system call, in a row */
};

struct queue_timer {
	uint64_t at; /* when it fires; TIME_NEVER: it is not set */
	bool soon;   /* it was set to fire within PICK_STAND_NS */
	bool fired;  /* a note for the pump: set it anew */
};

struct queue_jobs {
	uint64_t next_id, last_id; /* of the block of ids that the queue has */
	struct queue_job **table;  /* by id; a power of two */
	size_t room, out, limit;
	size_t others;     /* of `out`: calls and conversations, whose results nobody takes */
	struct list spare; /* records that no job has */
	size_t spare_count;
	struct function **functions;
};

/* Jobs that no transport has. */
struct queue_waiting {
	struct rank_queue ranks;
	size_t count, paused_count, told; /* told: what of both the supervisor's page has */
	uint64_t ns;                      /* what they will take, as estimated */
	uint64_t due;        /* the first of them has waited for too long then, or later */
	struct list paused;  /* retries that have a pause: not in `ranks` */
	uint64_t paused_due; /* the first pause is over then, or later */
};

struct queue_results {
	uint32_t news, handle_news;   /* results, verdicts of handles, that nobody was told of */
	uint32_t round, handle_round; /* how often these were counted, and are 0 since */
	struct list callbacks;        /* closed: on_done is to be called */
	/* closed: to be delivered; taken by brood_take(), by brood_wait_id(): still the caller's */
	struct list list, taken, waited;
	size_t count, taken_count; /* taken_count: of both that were taken */
	struct list talkers;       /* submitted jobs with progress that is to be told */
	bool no_logs;         /* who looks has other locks, too, which the log callback may need */
	bool taking;          /* who holds the lock takes the results: nobody else is woken */
	bool delivering_next; /* and delivers: a poke has done its work */
};

struct queue_leases {
	struct list list, idle;
	struct lease **table;
	uint32_t table_size, serial;
	/* stalled: of those in use, with a job that takes long */
	uint32_t active, asked, stalled, limit;
	uint32_t ringed, streamed; /* jobs in rings, and handed off */
	uint32_t busy;             /* in use with a job in the ring, or a withdrawn one */
	struct lease *warm;        /* that got the last job; NULL */
	struct keys *keys;         /* which lease had a key last; NULL: no job had a key */
	uint64_t ask_again;        /* not before: the last wish was refused */
	bool ask_held, in_line;    /* one more is wanted then; in pool/line.h, perhaps no longer */
	bool wakes;                /* some lease is to_wake */
	bool unsaid;               /* some lease has something to say again */
	uint64_t behind_due;       /* a job behind others has waited for too long then, or later */
	enum brood_detail refused; /* why; NONE: it was not */
};

/* QUEUE_PINNED: the one lease, and its worker. */
struct queue_pinned {
	struct lease *lease;
	pid_t pid;
	uint32_t slot, generation;
	bool over;
};

struct queue_stats {
	uint64_t submitted, budgeted, dropped, redispatched, retried, verdicts[BROOD_OUTCOMES];
};

/*
 * `inbox` and `listed` say themselves which lock guards them. The queue's own lock guards all other
 * members but those that are constant (brood, pool, kind) or atomic (refs, orphan).
 */
struct queue {
	struct brood *brood;
	struct brood_pool *pool; /* its leases are workers of this one */
	enum queue_kind kind;
	pthread_mutex_t lock;
	_Atomic uint32_t refs; /* the queue's own, and one of each handle */
	_Atomic bool orphan;   /* QUEUE_THREAD without a thread */
	bool freed;            /* no callback any more */
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
};

/*
 * What an event of a queue's epoll is about: the low four bits. Above stand, for a lease, its place
 * in the table and that place's serial; for a stream, the job's id.
 */
enum {
	QUEUE_EVENT_WAKE = 1,
	QUEUE_EVENT_TICK,
	QUEUE_EVENT_CHANNEL,
	QUEUE_EVENT_LOG,
	QUEUE_EVENT_DONE,
	QUEUE_EVENT_SIDE,
	QUEUE_EVENT_STREAM,
	QUEUE_EVENT_OVER,
	QUEUE_EVENT_UNSENT
};
#define QUEUE_EVENT_KIND(data) ((unsigned)((data) % 16))
#define QUEUE_EVENT_LEASE(lease, kind) \
	((uint64_t)(lease)->serial << 32 | (uint64_t)(lease)->index << 4 | (kind))
#define QUEUE_EVENT_JOB(job) ((job)->id << 4 | QUEUE_EVENT_STREAM)

#endif
