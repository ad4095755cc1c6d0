/* SPDX-License-Identifier: MIT */
/*
 * job_record.h - the records of jobs and leases that the supervisor knows, and the handles of their
 * owners. All under brood.lock.
 */
#ifndef BROOD_ENGINE_JOB_RECORD_H
#define BROOD_ENGINE_JOB_RECORD_H

#include "progress.h"
#include "transfer.h"

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
	_Atomic bool closed;   /* the job is over: `verdict` is filled in */
	bool cancelled;        /* cancelled between two attempts of a call: make no other one */
	bool waited;           /* a thread is in brood_wait() for this handle */
	struct list calls;     /* in brood.calls, if the call may be retried */
	struct inbox *to;      /* of a handed-off submit: the inbox that hears of it; NULL */
	struct list inbox;     /* to->handles */
	struct handle_queue on;
	brood_progress_fn *on_progress;
	void *progress_context;
	struct progress progress;
	struct list kept; /* in a list of kept jobs, while the job is kept: job_files.h */
	bool is_kept;
	uint32_t files; /* how many files the job has */
	uint64_t kept_until;
	struct transfer *carried;    /* takes the reply, if the job is carried; else NULL */
	struct transfer_news socket; /* the carried job has got a socket */
	int reply_fds[BROOD_JOB_FDS_MAX];
	size_t reply_fds_count;
	struct brood_verdict verdict;
	const char *tag; /* lives as long as the handle; NULL: none */
	char name[BROOD_NAME_MAX];
};

/*
 * A job or a lease that the supervisor knows. The record is in use from the message that asks (JOB,
 * LEASE) to the one that ends it (VERDICT, LEASE_OVER), even if the handle was released before.
 * lease: NULL for a job, and for a lease whose queue is gone: then `page` is its lease page.
 */
struct record {
	uint64_t id;
	struct brood_pool *pool;
	struct brood_handle *handle;
	struct lease_news *lease;
	uint32_t page;
	uint32_t files; /* how many files of the job the supervisor holds */
	bool cancel_sent, is_lease, granted;
	bool bytes;    /* a job that the engine counts at its end: sums.h */
	bool released; /* its handle was released: nobody waits for the verdict */
};

/* Makes an id for a job that never gets to the supervisor. */
uint64_t job_record_fresh_id(struct brood *b);
/*
 * Claims a record. *inout_id: the id that the job is to have; 0: any, and the id is returned there.
 * handle may be NULL. -EAGAIN: all records of the pool are in use; -EEXIST: the record of this id
 * is in use.
 */
int job_record_claim(struct brood_pool *pool, struct brood_handle *handle, uint64_t *inout_id);
/* The record of a job or lease that the supervisor still knows. NULL: it knows no such id. */
struct record *job_record_find(struct brood *b, uint64_t id);
/* The job's handle was released: its verdict will be dropped, and counted. */
void job_record_release(struct brood *b, struct record *record);
/* Frees the record of a frame that was never sent. */
void job_record_unclaim(struct brood *b, uint64_t id);
/* The supervisor has closed the job's files, or never had them. */
void job_record_files_closed(struct record *record);
/* The handle's job is kept no longer: job_files.h. */
void job_record_unkeep(struct brood_handle *handle);
/* Takes a verdict that came from the supervisor. */
void job_record_verdict(struct brood *b, const struct brood_verdict *verdict);
/* Gives the job a verdict that the engine makes up. */
void job_record_give_up(struct brood *b, uint64_t id, enum brood_outcome outcome,
	enum brood_detail detail, bool started);
/* Jobs that wait for room for their files are refused. */
void job_record_refuse_kept(struct brood *b, enum brood_detail detail);
/* Gives the verdict "lost" to all handed-off jobs, also those whose frames wait to be sent. */
void job_record_give_up_all(struct brood *b, enum brood_detail detail);
/* Takes a lease page for a new lease. RECORD_NO_PAGE: none is free. */
uint32_t job_record_page_take(struct brood *b);
void job_record_page_give_back(struct brood *b, uint32_t number);

#endif
