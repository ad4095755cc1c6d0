/* SPDX-License-Identifier: MIT */
/*
 * job_record.h - the records of jobs and leases that the supervisor knows, and the handles of their
 * owners. All under brood.lock.
 */
#ifndef BROOD_ENGINE_JOB_RECORD_H
#define BROOD_ENGINE_JOB_RECORD_H

#include "progress.h"

#define RECORD_NO_PAGE UINT32_MAX

/* Where a handle's job is, if it goes by a queue. Under the queue's lock. */
struct handle_queue {
	struct queue *queue;      /* open and give on a lease: the job's queue; else NULL */
	struct queue_job *job;    /* the job; NULL: the handle is closed */
	struct sleeper *sleepers; /* the thread that waits for the handle */
	uint32_t round;           /* once closed: what results.handle_round was at that time */
};

/* A job as its owner sees it. On the heap for open and give, on the caller's stack for call. */
struct brood_handle {
	struct brood *brood;
	struct brood_pool *pool;
	uint64_t id;        /* the job's id on the wire */
	uint64_t public_id; /* the id of the first attempt, which the caller knows */
	uint64_t given_ns;
	struct waiter *waiter; /* the thread that sleeps for this handle, or NULL */
	_Atomic bool closed;   /* the verdict is there */
	bool cancelled;        /* between two attempts of a call: no further attempt */
	bool waited;           /* a thread is in brood_wait() for this handle */
	struct list calls;     /* in brood.calls, if the call may be retried */
	struct inbox *to;      /* of a handed-off submit: the inbox that hears of it; NULL */
	struct list inbox;     /* to->handles */
	struct handle_queue on;
	brood_progress_fn *on_progress;
	void *progress_context;
	struct progress progress;
	int reply_fds[BROOD_JOB_FDS_MAX];
	size_t reply_fds_count;
	struct brood_verdict verdict;
	const char *tag; /* lives as long as the handle; NULL: none */
	char name[BROOD_NAME_MAX];
};

/*
 * A job, or a lease, as the supervisor sees it: taken from JOB to VERDICT, whatever became of the
 * handle. lease: NULL, too, when its queue is gone; then page is its lease page.
 */
struct record {
	uint64_t id;
	struct brood_pool *pool;
	struct brood_handle *handle;
	struct lease_news *lease;
	uint32_t page;
	bool cancel_sent, is_lease;
};

/* Makes an id for a job that never gets to the supervisor. */
uint64_t job_record_fresh_id(struct brood *b);
/*
 * *inout_id: 0, or the id to have. handle may be NULL. -EAGAIN: all records of the pool are taken;
 * -EEXIST: the record of that id is.
 */
int job_record_claim(struct brood_pool *pool, struct brood_handle *handle, uint64_t *inout_id);
/* NULL: no job or lease of that id is out */
struct record *job_record_find(struct brood *b, uint64_t id);
/* Frees the record of a frame that was never sent. */
void job_record_unclaim(struct brood *b, uint64_t id);
/* Takes a verdict that came from the supervisor. */
void job_record_verdict(struct brood *b, const struct brood_verdict *verdict);
/* Gives the job a verdict that the engine makes up. */
void job_record_give_up(struct brood *b, uint64_t id, enum brood_outcome outcome,
	enum brood_detail detail, bool started);
/* All jobs are lost, also those whose frames wait to be sent. */
void job_record_give_up_all(struct brood *b, enum brood_detail detail);
/* Takes a lease page for a new lease. RECORD_NO_PAGE: none is free. */
uint32_t job_record_page_take(struct brood *b);
void job_record_page_give_back(struct brood *b, uint32_t number);

#endif
