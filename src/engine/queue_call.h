/* SPDX-License-Identifier: MIT */
/* queue_call.h - a call on a queue, as its thread sees it. Guarded by the queue's lock. */
#ifndef BROOD_ENGINE_QUEUE_CALL_H
#define BROOD_ENGINE_QUEUE_CALL_H

#include "progress.h"

struct queue_fds;
struct sleeper;

/* The memory of a reply that the caller reads in place. At most one of the two is set. */
struct reply_memory {
	void *buffer; /* from malloc() */
	void *mapped;
	size_t mapped_size;
};

/*
 * A call: what its thread needs of the job, on the thread's stack. When the job has its verdict,
 * struct queue_job is freed, and the thread finds the verdict here.
 */
struct queue_call {
	struct sleeper *sleeper; /* the calling thread, while it sleeps */
	void *room;
	size_t room_size;         /* the caller's room for the reply */
	bool in_place;            /* there is no such room: `memory` will have the reply */
	struct progress progress; /* messages that were not told yet */
	/* closed: the job has its verdict, and the members after this one are set */
	bool closed, lost; /* lost: as in struct queue_reply */
	struct brood_verdict *verdict;
	size_t reply_size;
	struct reply_memory memory;
	struct queue_fds *fds; /* the reply's fds; NULL: none */
};

#endif
