/* SPDX-License-Identifier: MIT */
/*
 * open.c - conversations: brood_open() and brood_give(), by a lease or by handoff.
 *
 * The trap: a worker on lease may leave or die before it begins the job. Then a thread of this
 * process must give the job to another worker, but the caller may be asleep on the job's socket,
 * outside the library. The supervisor is never asleep, so conversations are handed off, unless the
 * program has an event loop that dispatches (brood_fd() was called), or forces the lease.
 */
#include "channel.h"
#include "deliver.h"
#include "job_files.h"
#include "job_message.h"
#include "loan.h"
#include "path.h"
#include "place.h"
#include "queue_jobs.h"
#include "queues.h"
#include "engine_root.h"
#include "ring_in.h"
#include "sleep.h"
#include "wait.h"

#include <stdlib.h>
#include <sys/socket.h>

/* 1: the caller hands the job off. */
static int give(
	struct queue *l, const struct given *given, struct brood_handle *handle, uint64_t *ret_id)
{
	struct queue_job *job;
	uint64_t id;
	int r = queue_jobs_new(l, given, false, &job);

	if (r == -EAGAIN && given->options.dispatch != BROOD_PATH_LEASE && l->kind != QUEUE_PINNED)
		return 1; /* by handoff: untaken results are no reason to refuse the job */
	if (r < 0)
		return r == -EAGAIN ? path_results(l) : fail_system(r, "a job's record");
	id = job->id;
	if (given->options.ret_id)
		__atomic_store_n(given->options.ret_id, id, __ATOMIC_RELEASE);
	job->socket_job = true;
	l->jobs.others++;
	job->tell.on_done = NULL;
	/* a thread that waits for a handle does not call on_progress */
	job->tell.on_progress = NULL;
	job->fds.socket = given->fd;
	job->fds.own_pair = given->own_pair;
	job->alone = true;
	job->handle = handle;
	if (handle) {
		handle->id = handle->public_id = job->id;
		handle->on.queue = l;
		handle->on.job = job;
		atomic_fetch_add(&l->refs, 1);
	}
	r = place_give(l, job, given);
	if (r < 0) {
		job->fds.socket = -1; /* the socket is still the caller's */
		if (handle) {
			handle->on.queue = NULL;
			queues_put(l);
		}
		job->handle = NULL;
		queue_jobs_free(l, job);
		return r == -EAGAIN ? path_full(l) : fail_system(r, "what a job needs");
	}
	QUEUE_COUNT(l, given->pool, submitted, submitted);
	*ret_id = id;
	if (!deliver_here(l))
		ring_in_flush(l);
	return 0;
}

static int give_on_lease(struct brood *b, const struct given *given, struct brood_handle *handle)
{
	struct queue_job *job;
	struct queue *l;
	uint64_t id = 0;
	int r;

	r = path_enter(b, given, false, &l);
	if (r != 0)
		return r;
	r = give(l, given, handle, &id);
	if (r == 0 && !given->options.dispatch && l->kind != QUEUE_PINNED)
		path_ask_ahead(l, given->given_ns);
	/*
	 * The program forces a lease, and the queue has none yet, so this waits for one. The wait
	 * is bounded by the supervisor's answer, and by the job's queue_ms.
	 */
	while (r == 0 && l->leases.active == 0 && (job = queue_jobs_find(l, id)) &&
		job->state == JOB_WAITING && l->kind != QUEUE_PINNED)
		sleep_until(l, &l->sleep.lookers, TIME_NEVER);
	sleep_leave(l);
	return r;
}

/* The job that was just handed off takes one of the idle workers. */
static void lease_next_time(struct brood *b, const struct given *given)
{
	struct queue *l = atomic_load_explicit(&given->pool->own, memory_order_acquire);

	if (given->options.dispatch || given->options.lease || !l || !b->fd_used)
		return;
	queue_lock(l);
	path_ask_ahead(l, given->given_ns);
	queue_unlock(l);
}

/* How long a caller that gives jobs faster than they begin is held up. */
#define ROOM_PATIENCE_MS 1000

struct room_wait {
	struct wait wait; /* first member */
	struct brood_pool *pool;
	uint32_t files;
};

static bool room_done(const struct wait *wait)
{
	const struct room_wait *w = (const struct room_wait *)wait;

	return job_files_may_send(w->pool, w->files) || wait->brood->lost ||
		wait->brood->state != ENGINE_RUNNING;
}

/* Under brood.lock. Waits for room: the supervisor closes the files of jobs that have begun. */
static int send_with_room(struct brood *b, const struct given *given, struct brood_handle *handle)
{
	struct room_wait w = { .wait = { .brood = b,
				       .done = room_done,
				       .until = time_after_ms(now_ns(),
					       MIN(given->options.queue_ms, ROOM_PATIENCE_MS)) },
		.pool = given->pool,
		.files = 1 + (uint32_t)given->options.fds_count };
	int r = job_message_send(b, given, handle);

	if (r == -EXFULL && b->fd_used && channel_ours(b)) {
		/* the channel may have news of closed files: the program has not dispatched */
		channel_read(b, NULL, NULL);
		r = job_message_send(b, given, handle);
	}
	while (r == -EXFULL && !b->fd_used) {
		given->pool->files.openers++;
		r = wait_until(&w.wait);
		given->pool->files.openers--;
		if (r < 0)
			break;
		r = job_message_send(b, given, handle);
	}
	return r == -EXFULL || r == -ETIMEDOUT
		? fail_with(-EAGAIN,
			  "as many files of jobs wait for a worker as the supervisor has room for "
			  "(%u): wait for a verdict, or raise its hard limit on open files "
			  "(LimitNOFILE=)",
			  given->pool->setup->job_files)
		: r;
}

static int job_hand_off(struct brood *b, const struct given *given, struct brood_handle *handle)
{
	int r = job_message_full(given->pool);

	if (r < 0)
		return r;
	engine_lock(b);
	r = send_with_room(b, given, handle);
	if (r == 1)
		wait_for_room(b);
	engine_unlock(b);
	return r;
}

/* The tag is stored behind the handle. */
static struct brood_handle *new_handle(struct brood *b, const struct given *given)
{
	struct brood_handle *handle = malloc(sizeof *handle + given->tag_size);

	if (!handle)
		return NULL;
	job_message_handle(handle, b, given);
	handle->on_progress = NULL; /* a thread that waits for a handle does not call on_progress */
	if (given->tag_size)
		handle->tag = memcpy(handle + 1, given_tag(given), given->tag_size);
	return handle;
}

/*
 * Sends the job and closes the fd when the supervisor has it. On failure the fd is still the
 * caller's.
 */
static int job_give(struct brood *b, const struct given *given, struct brood_handle **ret_handle)
{
	struct brood_handle *handle = NULL;
	int r;

	if (ret_handle && !(handle = new_handle(b, given)))
		return fail_system(-ENOMEM, "a job's handle");
	r = give_on_lease(b, given, handle);
	if (r == 0) {
		r = 1; /* the fd is the library's */
	} else if (r == 1) {
		r = job_hand_off(b, given, handle);
		if (r >= 0)
			lease_next_time(b, given);
	}
	if (r < 0) {
		free(handle);
		return outcome_refused(given->pool, r);
	}
	if (r == 0)
		close_fd(given->fd);
	if (ret_handle)
		*ret_handle = handle;
	return 0;
}

int engine_open(struct brood *b, const struct engine_job *job, int *ret_fd,
	struct brood_handle **ret_handle)
{
	VISIT(b);
	struct given given;
	int fds[2], r;

	if (!ret_fd)
		return fail_with(
			-EINVAL, "brood_open: ret_fd is NULL, nobody could talk to the job");
	r = given_check(b, job, false, &given);
	if (r < 0)
		return outcome_refused(given.pool, r);
	if (given.options.request && (r = loan_check(b, &given)) < 0)
		return r;
	r = sockets_pair(SOCK_STREAM, fds);
	if (r < 0)
		return fail_system(r, "a job's socket pair");
	given.fd = fds[1];
	given.own_pair = true;
	r = job_give(b, &given, ret_handle);
	if (r < 0) {
		close_fd(fds[0]);
		close_fd(fds[1]);
		return r;
	}
	*ret_fd = fds[0];
	return 0;
}

static int give_check(int fd)
{
	int r = sockets_is_stream_socket(fd);

	switch (r) {
	case 0:
	/* the client has gone already: the job will read that, and the engine does not care */
	case -ENOTCONN: return 0;
	case -EBADF: return fail_with(r, "brood_give: fd %d is not open", fd);
	case -EPROTOTYPE:
		return fail_with(r,
			"brood_give: fd %d is not a connected stream socket (is it a listening or "
			"a datagram socket?)",
			fd);
	default: return fail_with(r, "brood_give: fd %d is no socket", fd);
	}
}

int engine_give(
	struct brood *b, const struct engine_job *job, int fd, struct brood_handle **ret_handle)
{
	VISIT(b);
	struct given given;
	int r;

	r = give_check(fd);
	if (r < 0)
		return r;
	r = given_check(b, job, false, &given);
	if (r < 0)
		return outcome_refused(given.pool, r);
	if (given.options.request && (r = loan_check(b, &given)) < 0)
		return r;
	given.fd = fd;
	return job_give(b, &given, ret_handle);
}
