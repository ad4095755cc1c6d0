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
	struct queue *queue;      /* open and give on a lease: its queue; NULL */
	struct queue_job *job;    /* NULL: it is closed */
	struct sleeper *sleepers; /* the thread that waits for it */
	uint32_t round;           /* closed: results.handle_round when it was */
};

/* A job as its owner sees it. On the heap for open and give, on the caller's stack for call. */
struct brood_handle {
	struct brood *brood;
	struct brood_pool *pool;
	uint64_t id;        /* on the wire */
	uint64_t public_id; /* of the first attempt */
	uint64_t given_ns;
	struct waiter *waiter; /* the thread that sleeps for it, NULL */
	_Atomic bool closed;   /* the verdict is there */
	bool cancelled;        /* between two attempts of a call: no more of them */
	bool waited;           /* a thread is in brood_wait() for it */
	struct list calls;     /* in brood.calls, if it may be retried */
	struct inbox *to;      /* a handed-off submit: the inbox that hears of it; NULL */
	struct list inbox;     /* to->handles */
	struct handle_queue on;
	brood_progress_fn *on_progress;
	void *progress_context;
	struct progress progress;
	int reply_fds[BROOD_JOB_FDS_MAX];
	size_t reply_fds_count;
	struct brood_verdict verdict;
	const char *tag; /* of open and give; NULL: none */
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

/* an id for a job that never gets out */
uint64_t job_record_fresh_id(struct brood *b);
/*
 * *inout_id: 0, or an id to have. handle may be NULL. -EAGAIN: all of the pool's are out; -EEXIST:
 * that one is
 */
int job_record_claim(struct brood_pool *pool, struct brood_handle *handle, uint64_t *inout_id);
/* NULL: no job or lease of that id is out */
struct record *job_record_find(struct brood *b, uint64_t id);
/* its frame did not get out */
void job_record_unclaim(struct brood *b, uint64_t id);
/* from the wire */
void job_record_verdict(struct brood *b, const struct brood_verdict *verdict);
/* made up here */
void job_record_give_up(struct brood *b, uint64_t id, enum brood_outcome outcome,
	enum brood_detail detail, bool started);
/* lost; also what stands in the queue */
void job_record_give_up_all(struct brood *b, enum brood_detail detail);
/* a lease page for a new lease, or RECORD_NO_PAGE */
uint32_t job_record_page_take(struct brood *b);
void job_record_page_give_back(struct brood *b, uint32_t number);

#endif
