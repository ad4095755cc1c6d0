/* SPDX-License-Identifier: MIT */
/*
 * engine.h - the engine's side: handles, calls, waiting. No thread, no signal. brood.lock guards
 * the channel and what goes by handoff (engine_root.h), queues have locks of their own; nothing
 * blocks under a lock.
 *
 * Waiting among threads: one leads (polls the channel beside its own socket, dispatches for all),
 * the others sleep on an eventfd each beside theirs. A leader that has what it wants wakes one of
 * them. A thread that only polls brood_fd() is told of verdicts that nobody waits for.
 */
#ifndef BROOD_ENGINE_H
#define BROOD_ENGINE_H

#include "../pool/kept.h"
#include "../wire/pool_setup.h"
#include "../wire/shared.h"
#include <brood.h>

struct given;
struct queue;
struct queue_job;

/*
 * Runs a job in this process and gives its verdict. Under the queue's lock, which is free while the
 * job runs. 0; -errno: the job did not run.
 */
typedef int engine_run_fn(struct queue *l, struct queue_job *job, const struct given *given);

struct engine_config {
	/* resolved; only the options that hold for all pools count */
	const struct brood_options *options;
	struct pool_setups pools;
	struct shared *shared;
	int channel_fd, log_fd; /* the engine's ends */
	uint32_t records;       /* how many job records there are, on both sides */
	pid_t supervisor_pid;
	struct kept kept;        /* its memory is the caller's, for life */
	engine_run_fn *run_here; /* inline mode runs jobs by this; NULL: workers run the jobs */
};
/* Called before the fork: allocates all that the engine needs, so nothing fails later. */
int engine_prepare(const struct engine_config *config, struct brood **ret_brood);
/* The engine's first call: sets pdeathsig, the epoll and the wipe-on-fork page. 0 or -errno. */
int engine_adopt(struct brood *brood);
struct brood *engine_free(struct brood *brood);
int engine_rearm(struct brood *brood);
/* Sets the sentence that brood_error() gives to this thread. */
void engine_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The sentence that brood_error() gives; never NULL. */
const char *engine_error_text(void);

/*
 * Returns enum role_way in the engine; otherwise an error, whose sentence is set: -EPERM (this is a
 * worker or a forked child) or -EINVAL (nothing was started, or `what` is NULL). what: the object
 * that the call is about.
 */
int engine_role_check(const char *call, const void *what);

/*
 * The bodies of the public calls of brood.h, for src/front. brood_call() and brood_submit() are
 * whole in the engine. Inline mode uses these, too, unless inline/inline.h has its own.
 */
struct engine_job {
	brood_fn *fn;
	const char *name;
	const struct brood_job_options *options;
};
/* Describes a job. A function keeps the name with which it was given first. */
struct engine_job engine_job_of(
	brood_fn *fn, const char *text, const struct brood_job_options *options);
int engine_open(struct brood *b, const struct engine_job *job, int *ret_fd,
	struct brood_handle **ret_handle);
int engine_give(
	struct brood *b, const struct engine_job *job, int fd, struct brood_handle **ret_handle);
struct engine_bytes {
	const void *request;
	size_t request_size;
	void *reply;
	size_t reply_size;
	bool grows; /* the reply gets memory of its own, from malloc() */
};
ssize_t engine_call(struct brood *b, const struct engine_job *job, const struct engine_bytes *bytes,
	struct brood_verdict *ret_verdict);
uint64_t engine_id(const struct brood_handle *h);
const char *engine_tag(const struct brood_handle *h);
int engine_fetch(struct brood_handle *h, struct brood_verdict *ret);
int engine_wait(struct brood_handle *h, uint32_t timeout_ms, struct brood_verdict *ret);
void engine_release(struct brood_handle *h);
int engine_cancel(struct brood *b, uint64_t id);
int engine_fd(struct brood *b);
int engine_dispatch(struct brood *b);
int engine_wait_ready(struct brood *b, uint32_t timeout_ms);
int engine_stop(struct brood *b);
void engine_at_exit(struct brood *b); /* exit() calls this in the engine */
/* The pool of that name, or NULL. name NULL: the first pool of b. */
struct brood_pool *engine_pool(struct brood *b, const char *name);
/* 0, or -errno with a sentence: what no pool can give to its workers. */
int engine_check_init_data(const void *data, size_t size, const int *fds, size_t fds_count);
int engine_set_init_data(
	struct brood_pool *pool, const void *data, size_t size, const int *fds, size_t fds_count);
int engine_reload(struct brood *b, const struct brood_pool *pool, uint64_t *ret_reload);
int engine_reload_wait(struct brood *b, uint64_t reload, uint32_t timeout_ms);
int engine_notify(struct brood *b, uint32_t kind, const char *text);
/* The name is good (pool/kept.h). fd -1: forgets the name. */
int engine_keep(struct brood *b, const char *name, int fd);
int engine_kept(struct brood *b, const char *name, int *ret_fds, size_t room);
int engine_notify_check(const char *fields); /* 0, or -errno with a sentence */
int engine_notify_fields(struct brood *b, const char *fields);
int engine_notify_barrier(struct brood *b, uint32_t timeout_ms);
int engine_stats(struct brood *b, struct brood_stats *ret);
int engine_report(struct brood *b, uint64_t id, struct brood_report *ret);
ssize_t engine_metrics(struct brood *b, char *text, size_t size);
int engine_pool_resize(struct brood_pool *pool, uint32_t min, uint32_t max);
int engine_pool_stats(struct brood_pool *pool, struct brood_stats *ret);
int engine_workers(
	struct brood_pool *pool, struct brood_worker_info *ret, size_t info_size, size_t room);
int engine_histogram(struct brood_pool *pool, enum brood_time which, struct brood_histogram *ret);
/* How many workers a pool of fixed size has; how many any other pool may have at most. */
uint32_t engine_pool_most(const struct brood_pool *pool);

/* The caller has checked the pieces of the request. */
int engine_submit(struct brood *b, const struct engine_job *job, const struct iovec *request,
	size_t count, uint64_t *ret_id);
/* brood_submit_many(). job: the call's function and options. */
ssize_t engine_submit_many(
	struct brood *b, const struct engine_job *job, struct brood_submission *jobs, size_t count);
int engine_queue_new(
	struct brood *b, const struct brood_queue_options *options, struct brood_queue **ret);
void engine_queue_free(struct brood_queue *q);
struct brood_queue *engine_own_queue(struct brood *b);
int engine_queue_fd(struct brood_queue *q);
int engine_queue_dispatch(struct brood_queue *q);
int engine_queue_wait(struct brood_queue *q, uint32_t timeout_ms);
int engine_take(struct brood_queue *q, const struct brood_result **ret, size_t room);
int engine_wait_id(
	struct brood_queue *q, uint64_t id, uint32_t timeout_ms, const struct brood_result **ret);
int engine_queue_cancel(struct brood_queue *q);
size_t engine_queue_out(struct brood_queue *q);
int engine_request_new(struct brood *b, size_t size, struct brood_request **ret);
void *engine_request_memory(const struct brood_request *loan, size_t *ret_size);
size_t engine_request_out(const struct brood_request *loan);
void engine_request_free(struct brood_request *loan);
void engine_reply_free(struct brood_reply *reply);
int engine_lease(
	struct brood *b, const struct brood_lease_options *options, struct brood_lease **ret);
void engine_lease_end(struct brood_lease *l);
struct brood_queue *engine_lease_queue(struct brood_lease *l);
int engine_lease_worker(
	struct brood_lease *l, pid_t *ret_pid, uint32_t *ret_slot, uint32_t *ret_generation);

#endif
