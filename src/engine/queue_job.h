/* SPDX-License-Identifier: MIT */
/*
 * queue_job.h - one job of a queue, whatever its transport. All of it is guarded by the queue's
 * lock.
 */
#ifndef BROOD_ENGINE_QUEUE_JOB_H
#define BROOD_ENGINE_QUEUE_JOB_H

#include "outcome.h"
#include "progress.h"

#define QUEUE_BUFFER_KEPT (64u << 10)
#define QUEUE_TAKEN_MAX   16 /* workers may die under a job that has not started so often */

/* What a function is called, and how long it runs, as far as seen. */
struct function {
	brood_fn *fn;
	const char *text; /* the caller's, a literal: compared by address */
	uint32_t est_ns;
	bool seen; /* else est_ns is a guess: nobody has seen it run */
	char name[BROOD_NAME_MAX];
};

struct queue_fds {
	size_t count;
	int fds[BROOD_JOB_FDS_MAX];
};

struct queue_limits {
	uint32_t flags, queue_ms, run_ms, grace_ms; /* flags: enum brood_job_flags */
	bool background;
};

/* The descriptors of the job. -1: none. */
struct queue_job_fds {
	int memfd, socket;
	bool own_pair; /* the socket, as in JOB */
	bool out;      /* socket and extra are not here: the worker has them, or the side socket */
	struct queue_fds *extra; /* NULL */
};

/* What came back, besides job.result. */
struct queue_reply {
	bool lost;    /* no memory, no fd for it */
	char *buffer; /* the library's, for replies that have no other place */
	size_t buffer_size;
	void *mapped;
	size_t mapped_size; /* a reply that is a memfd */
	struct queue_fds *fds;
	int memfd;
	bool came; /* what the worker sent over the side socket */
};

/* A call: what its thread has of the job, on its own stack. The job's record ends before it. */
struct queue_call {
	struct sleeper *sleeper; /* that thread, while it sleeps */
	void *room;
	size_t room_size;         /* where the reply goes */
	struct progress progress; /* not told yet */
	/* closed: the job has its verdict, and what follows is set */
	bool closed, lost; /* lost: as in struct queue_reply */
	struct brood_verdict *verdict;
	size_t reply_size;
	struct queue_fds *fds; /* of the reply; NULL */
};

/* NONE: to come. CAME: in queue.results.list or callbacks. OUT: the program's, or called back. */
enum queue_result { RESULT_NONE, RESULT_CAME, RESULT_OUT };

/* The callbacks, and the way of the result. */
struct queue_tell {
	brood_done_fn *on_done;
	brood_progress_fn *on_progress;
	/* a submitted job's, not told yet */
	struct progress progress;
	struct list talks; /* queue.results.talkers */
	/* a thread tells it now, without the lock; closed meanwhile: the result waits for that */
	bool telling, held;
	uint32_t tag_size;
	char *tag; /* a submitted job's, for its result; NULL: it has none */
	/* a thread waits for the result, and sleeps there */
	bool awaited;
	struct sleeper *waiter;
	enum queue_result result;
	uint32_t round;    /* queue.results.round, when the result came */
	const void *taker; /* of queue.results.waited: the thread */
};

/* PAUSED: a retry that waits for its time. HERE: runs in this process (inline mode) */
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
	/* WAITING, PAUSED: queue.waiting. CLOSED: results or taken. Else none */
	struct list link;
	enum queue_job_state state;
	struct brood_pool *pool; /* whose workers may do it */
	uint64_t id, sequence;
	struct lease *lease; /* RINGED */
	const struct function *function;
	struct function *own_function; /* when the queue's table was full */
	struct queue_limits limits;
	struct tries tries;
	uint64_t given_ns, waiting_until;
	uint32_t queued_ns;

	/* bytes: argument, plugin text, tag, and the request, while it is in no ring */
	uint32_t arg_size, plugin_size; /* arg_size: of the first three; the tag's: tell.tag_size */
	uint64_t request_size;          /* BROOD_SIZE_UNKNOWN: a conversation */
	/* of the request: what lies in the ring, or with the job; else a file or socket has it */
	uint64_t inline_size;
	unsigned char *bytes;
	struct queue_job_fds fds;
	bool alone;      /* behind no other job */
	bool in_backlog; /* a call or conversation that waits: counted in pool.queues_waiting */
	bool socket_job; /* open, give: its result is a handle's */
	bool piped;      /* its request goes over the pipe */

	struct brood_handle *handle; /* open, give */
	struct queue_call *call;     /* NULL: it is none */
	struct queue_tell tell;
	struct brood_result result;
	struct queue_reply reply;
	struct stream *stream; /* STREAMED */
	struct pipe *pipe;     /* RINGED: its bytes go over a socket; NULL */
};

#endif
