/* SPDX-License-Identifier: MIT */
/*
 * engine_root.h - the engine's root struct, and what every public call does first. Life: engine.c.
 *
 * One mutex guards the channel, the records and the threads that wait for them; nothing blocks
 * under it. Queues have locks of their own (queue.h).
 */
#ifndef BROOD_ENGINE_ENGINE_ROOT_H
#define BROOD_ENGINE_ENGINE_ROOT_H

#include "../base/cancellation.h"
#include "../os/fds.h"
#include "../os/role.h"
#include "answer.h"
#include "engine.h"
#include "fail.h"
#include "pool_state.h"
#include "reloads.h"
#include "wish_state.h"
#include <stdatomic.h>

#define ENGINE_ALIVE 0x62726f6f642e656eull

enum engine_state { ENGINE_RUNNING, ENGINE_STOPPING, ENGINE_STOPPED };
enum out_state { OUT_OPEN, OUT_FULL, OUT_LATER };

/* A thread that blocks: an eventfd of its own to be woken by (waiter.c). */
struct waiter {
	/*
	 * In brood.followers while the thread sleeps and does not lead. In brood.spare while no
	 * thread has this waiter.
	 */
	struct list link;
	int efd;    /* -1: no eventfd was to be had; the thread looks every few ms */
	bool poked; /* efd is readable */
	bool state; /* the thread waits for a state of the pool, not (only) for a verdict */
};

/* Counts the jobs that the stop refused or lost, and keeps the first of them. */
struct drops {
	_Atomic uint64_t count;
	uint64_t first;
	char name[BROOD_NAME_MAX], tag[BROOD_TAG_MAX];
};

/* Which queues there are. */
struct brood_queues {
	pthread_mutex_t lock;
	struct list list;
	uint32_t threads; /* how many of these queues are threads' own */
};

struct brood_common {
	pthread_mutex_t lock; /* for births of queues that threads share: pools' own, callers' */
};

struct brood {
	/* ENGINE_ALIVE in the engine; wiped to 0 in its forked children, never set in workers */
	_Atomic uint64_t *alive;
	/* the first pool's options, resolved; arrays in them are not looked at */
	struct brood_options options;
	struct brood_pool *pools; /* an array, which begins with the first pool */
	uint32_t pools_count;
	struct shared shared;
	pid_t supervisor_pid;
	bool one_cpu;            /* this process may use one CPU alone, as it was at the start */
	bool spins;              /* threads and workers spin before they sleep: spinning.c */
	bool ticks;              /* cpu_ticks() can be used */
	engine_run_fn *run_here; /* inline mode runs jobs by this; NULL: workers run the jobs */
	/* the engine never closes these. -1: the program did, and may reuse the numbers */
	int channel_fd, log_fd;
	struct identity channel;
	int epoll_fd, news_fd, timer_fd;
	int queues_fd; /* an epoll of all queues' epolls, once brood_stop() was called */
	int over_fd;   /* readable when the channel has ended, or the stop */
	int unsent_fd; /* readable since a frame had to wait: each queue hears of it, once */
	size_t records_count;

	/* for any thread: atomic, or with locks of their own */
	_Atomic uint64_t crowd_until; /* 0: no crowd, and the last one is dealt with */
	_Atomic bool fd_used;         /* brood_fd() was called: keep its epoll right */
	_Atomic bool unsent;          /* `out` has frames */
	_Atomic bool queues_ended;    /* no verdict and no lease will come any more */
	_Atomic bool refusing;        /* brood_stop() was called, or exit() */
	struct drops drops;
	struct brood_queues queues;
	struct brood_common common;

	pthread_mutex_t lock; /* guards all that follows */
	enum engine_state state;
	bool lost;     /* the channel has ended */
	bool stopped;  /* the supervisor has said STOPPED */
	uint32_t left; /* from STOPPED: how many processes the stop could not end */
	uint64_t last_id;
	struct record *records;
	uint64_t *taken;   /* a bit for each record: it is taken */
	bool *lease_pages; /* which lease pages are taken */
	uint32_t lease_page_last;
	struct list calls; /* handles of calls that may be retried */
	struct wishes wishes;
	struct list keepers; /* inboxes of queues that keep jobs: job_files.h */
	bool files_freed;    /* there may be room for a job that is kept */
	struct list out;     /* frames that wait for room in the socket, in order */
	enum out_state out_state;
	uint64_t out_retry;        /* OUT_LATER: when to try again */
	bool epoll_out, timer_set; /* what the epoll watches for now */

	struct waiter *leader;    /* the thread that polls the channel for all, or NULL */
	struct waiter *reader;    /* the thread that dispatches right now: it needs no poke */
	struct waiter dispatcher; /* stands for brood_dispatch() as the reader */
	struct list followers, spare;
	bool logging;          /* a thread runs the log callback */
	struct list log_waits; /* inboxes of queues that do not watch the log meanwhile */
	bool log_ended;
	uint32_t news; /* verdicts that brood_dispatch() has not counted yet */
	bool news_set; /* news_fd is readable */
	struct kept kept;
	struct reloads reloads;
	bool ready_said;    /* NOTIFY_READY is on its way */
	size_t queues_open; /* brood_stop(): jobs of queues without a verdict */
};

static inline void engine_lock(struct brood *b) { pthread_mutex_lock(&b->lock); }
static inline void engine_unlock(struct brood *b) { pthread_mutex_unlock(&b->lock); }

/* True: this process is the engine, not a process that the engine has forked. */
#define ENGINE_IS_HERE(b) \
	((b) && atomic_load_explicit((b)->alive, memory_order_relaxed) == ENGINE_ALIVE)

/*
 * How a public function begins that stands in this folder: 0, or -errno with a sentence where this
 * process is not the engine. `what`, the call's first argument, is looked at only after the role.
 */
#define ENGINE_ROLE(call, what)                                                         \
	(atomic_load_explicit(role_mark, memory_order_relaxed) != ROLE_NOBODY && (what) \
			? (ANSWER_IF_ASKED(), 0)                                        \
			: engine_role_check(call, what))

/*
 * How a public call begins, before any lock: in a process that is not the engine the call is left
 * at once. The thread is not cancelled inside the library.
 */
#define VISIT_OR(b, value)      \
	if (!ENGINE_IS_HERE(b)) \
		return value;   \
	CANCELLATION_OFF
#define VISIT(b)      VISIT_OR(b, fail_not_engine(b))
#define VISIT_VOID(b) VISIT_OR(b, )

#endif
