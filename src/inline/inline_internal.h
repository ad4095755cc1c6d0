/* SPDX-License-Identifier: MIT */
/*
 * inline_internal.h - what inline mode's files share: inline.c (start, stop, open, give, call,
 * verdicts), inline_run.c (one job), inline_submit.c (queues), inline_lease.c.
 *
 * The lock guards what several threads change: ids, counters, running jobs, verdicts, queues. No
 * job and no callback runs under it.
 */
#ifndef BROOD_INLINE_INTERNAL_H
#define BROOD_INLINE_INTERNAL_H

#include "../base/base.h"
#include "../base/list.h"
#include "inline.h"

#include <pthread.h>
#include <sys/uio.h>

struct init_version;
struct inline_queue;

struct inline_brood {
	const struct brood_options *options;
	pthread_mutex_t lock, log_lock;
	pthread_cond_t changed;
	bool stopped;
	int news_fd;
	uint64_t last_id;
	/* verdicts of handles that brood_dispatch() has not counted */
	uint32_t news;
	struct list running; /* jobs */
	struct brood_stats stats;
	struct init_version *init;
	struct inline_queue *own;
};

struct inline_handle {
	struct inline_brood *brood;
	unsigned holders; /* the caller, and the thread that runs the job */
	bool closed;
	struct brood_verdict verdict;
};

/* One job. */
struct run {
	struct list link; /* in brood.running */
	struct inline_brood *brood;
	struct inline_handle *handle; /* NULL: nobody wants the verdict by one */
	/* a copy; what its pointers point to is valid during the call that gave the job */
	struct brood_job_options options;
	struct brood_verdict verdict;
	brood_fn *fn; /* NULL: there is no such plugin */
	int fd;
	size_t request_size;
	int fds[BROOD_JOB_FDS_MAX]; /* extra: until the job runs, which closes them */
	size_t fds_count;
	int back[BROOD_JOB_FDS_MAX]; /* those of the reply */
	size_t back_count;
	bool bytes; /* of call or submit: one that may reply fds */
	void (*progress)(void *context, const void *data, size_t size);
	void *progress_context;
	_Alignas(16) unsigned char arg[BROOD_ARG_MAX];
};

/* Where the bytes of a call go. */
struct run_bytes {
	const struct iovec *request;
	size_t request_count, request_size;
	char *reply; /* with `grow`: allocated here, the caller's */
	size_t room;
	bool grow;
};

static inline struct inline_brood *mine(struct brood *b) { return (struct inline_brood *)b; }

static inline int inline_fail(int r, const char *call, const char *why)
{
	engine_error("%s: %s", call, why);
	return r;
}

static inline int cancellation_off(void)
{
	int old;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	return old;
}
static inline void cancellation_back(int *old)
{
	int now;

	pthread_setcancelstate(*old, &now);
}
#define NO_CANCELLATION \
	int cancellation_ __attribute__((cleanup(cancellation_back), unused)) = cancellation_off()

bool inline_all_zero(const uint64_t *words, size_t count);
/* -ESHUTDOWN after brood_stop() */
int inline_check_open(struct inline_brood *b, const char *call);
/* for pthread_cond_timedwait() */
struct timespec inline_deadline(uint32_t timeout_ms);
/* one at a time; context: struct inline_brood */
void inline_log(void *context, const struct brood_log *line);
/* one that takes no signal of the program's. 0 or -errno */
int inline_thread(pthread_t *ret, void *(*main)(void *), void *arg);

/* inline_run.c */
/* after a failure nothing is to be cleared */
int run_init(
	struct run *run, struct inline_brood *b, const struct engine_job *job, const char *call);
int run_new(struct inline_brood *b, const struct engine_job *job, const char *call,
	bool with_handle, struct run **ret_run);
void run_clear(struct run *run); /* of a job that never ran */
void run_free(struct run *run);  /* the same, and its memory and handle */
/* from here on it has an id, and will have a verdict */
void run_accept(struct run *run);
void run_unaccept(struct run *run);
/* here, in this thread. The fd is shut down and closed unless the job took it: true */
bool run_now(struct run *run);
void run_finish(struct run *run); /* the verdict is known to all */
/*
 * A job of bytes from beginning to end, but for run_finish(). 0: it was accepted, and has its
 * verdict.
 */
int run_bytes(struct run *run, struct run_bytes *bytes, const char *call, uint64_t *ret_id);
/* under the lock */
void handle_close(struct inline_handle *h, const struct brood_verdict *verdict);
void handle_drop(struct inline_handle *h);

/* inline_submit.c */
#define QUEUE_JOBS 4096u
/*
 * fd: the queue's from now on; -1: it has the brood's. NULL: no memory. Not for brood_queue_free()
 */
struct inline_queue *queue_make(struct inline_brood *b, size_t jobs, int fd);
struct inline_queue *queue_destroy(struct inline_queue *q);
int queue_deliver(struct inline_queue *q); /* callbacks. How many results came */

/* inline_lease.c */
struct inline_queue *lease_queue(struct brood_lease *lease);

#endif
