/* SPDX-License-Identifier: MIT */
/*
 * queue_job.h - one job of a queue, whatever its transport. All of it is guarded by the queue's
 * lock.
 */
#ifndef BROOD_ENGINE_QUEUE_JOB_H
#define BROOD_ENGINE_QUEUE_JOB_H

#include "outcome.h"
#include "queue_call.h"

#define QUEUE_BUFFER_KEPT (64u << 10)
#define QUEUE_TAKEN_MAX   16 /* how many workers may die under a job that has not started */

/* A function's name, and how long it runs, as far as seen. */
struct function {
	brood_fn *fn;
	const char *text; /* the caller's literal: compared by address */
	uint32_t est_ns;
	bool seen; /* false: no run of the function was measured, and est_ns is a guess */
	char name[BROOD_NAME_MAX];
};

struct queue_fds {
	size_t count;
	int fds[BROOD_JOB_FDS_MAX];
};

struct queue_limits {
	uint32_t flags, queue_ms, run_ms, grace_ms; /* flags: enum brood_job_flags */
	bool background;
	uint64_t key; /* options.key; 0: none */
};

/* The descriptors of the job. -1: none. */
struct queue_job_fds {
	int memfd, socket;
	bool own_pair; /* the library made the socket pair, as in JOB */
	bool out;      /* socket and extra are gone: the worker or the side socket has them */
	struct queue_fds *extra;    /* the job's extra fds; NULL: it has none */
	struct brood_request *loan; /* has the request's memory; NULL: none */
	size_t loan_at;
};

/* What the worker sent back for the job, besides job.result. */
struct queue_reply {
	bool lost;    /* there was no memory or no fd for the reply */
	char *buffer; /* memory of the library, for a reply that has no other place */
	size_t buffer_size;
	void *mapped;
	size_t mapped_size; /* set for a reply that is a memfd */
	struct queue_fds *fds;
	int memfd;
	bool came; /* the worker sent something over the side socket */
};

/*
 * Where a job's result is. NONE: it is to come. CAME: in queue.results.list or .callbacks. OUT: the
 * program has taken it, or on_done was called.
 */
enum queue_result { RESULT_NONE, RESULT_CAME, RESULT_OUT };

/* How the program hears of a submitted job: its callbacks, and where its result goes. */
struct queue_tell {
	brood_done_fn *on_done;
	brood_progress_fn *on_progress;
	/* The progress of a submitted job that was not told yet. */
	struct progress progress;
	struct list talks; /* in queue.results.talkers while `progress` has something */
	/*
	 * telling: a thread tells progress now, without the lock. held: the job was closed
	 * meanwhile, and its result waits for that thread.
	 */
	bool telling, held;
	uint32_t tag_size;
	char *tag; /* the tag of a submitted job, for its result; NULL: none */
	/* A thread waits for this result, and sleeps as `waiter`. */
	bool awaited;
	struct sleeper *waiter;
	enum queue_result result;
	uint32_t round;    /* what queue.results.round was when the result came */
	const void *taker; /* the thread in queue.results.waited that took the result */
};

/* PAUSED: a retry that waits for its time. HERE: runs in this process (inline mode). */
enum queue_job_state {
	JOB_NEW,
	JOB_WAITING,
	JOB_PAUSED,
	JOB_RINGED,
	JOB_STREAMED,
	JOB_HERE,
	JOB_CLOSED
};
struct queue_job {
	/* WAITING, PAUSED: in queue.waiting. CLOSED: in results or taken. Otherwise in no list. */
	struct list link;
	enum queue_job_state state;
	struct brood_pool *pool; /* the pool whose workers may do the job */
	uint64_t id, sequence;
	struct lease *lease; /* the lease whose ring has the job, if RINGED */
	const struct function *function;
	struct function *own_function; /* for plugins, and when the queue's table was full */
	struct queue_limits limits;
	uint64_t given_ns, waiting_until;
	uint32_t queued_ns;

	/*
	 * bytes: argument, plugin text and tag; behind them the request, while the job is in no
	 * ring. arg_size: of argument, plugin text and tag together. The tag alone: tell.tag_size.
	 */
	uint32_t arg_size, plugin_size;
	uint64_t request_size; /* BROOD_SIZE_UNKNOWN: the job is a conversation */
	/* How much of the request is in the ring or in `bytes`. A file or socket has the rest. */
	uint64_t inline_size;
	unsigned char *bytes;
	struct queue_job_fds fds;
	bool alone;      /* the job stands behind no other job */
	bool in_backlog; /* a waiting call or conversation: counted in pool.queues_waiting */
	bool socket_job; /* open or give: the handle has the result */
	bool piped;      /* the request goes over `pipe` */

	struct brood_handle *handle; /* the handle of open and give; else NULL */
	struct queue_call *call;     /* NULL: the job is no call */
	struct queue_tell tell;
	struct brood_result result;
	struct queue_reply reply;
	struct stream *stream; /* set if STREAMED */
	struct pipe *pipe;     /* set if RINGED and the bytes go over a socket; else NULL */
	struct tries tries;    /* last: few jobs need its verdict of an earlier attempt */
};

#endif
