/* SPDX-License-Identifier: MIT */
/*
 * side.c - the side socket of a lease: descriptors go to the worker beside the entry in its ring.
 *
 * The engine keeps no copy of what it sent. A copy would hold a conversation open after its job has
 * died, until somebody calls the library. The message in the socket's queue is the copy: the engine
 * holds the worker's end, too, and reads there what the worker never read. So a job that had not
 * begun when its worker died can go to another worker. The price: the socket does not tell the
 * engine that the worker died. The supervisor tells (LEASE_OVER).
 *
 * Two readers of one queue need an order. At most one job with descriptors of its own is in a ring
 * at a time, and it stands there first; no other message is behind it until it is collected. The
 * worker reads a message after it has claimed the entry, and never the one of a withdrawn entry
 * with RING_FDS. So the engine may read when the entry is withdrawn or the worker is gone, and then
 * finds nothing but that job's message.
 *
 * A job that may be tried again (retries) keeps its descriptors here until its last attempt is in a
 * ring. On a pinned lease there is no second attempt.
 */
#include "side.h"

#include "fail.h"
#include "lease_state.h"
#include "loan.h"
#include "pipe.h"
#include "queue_jobs.h"

#include <stdlib.h>
#include <sys/socket.h>

int side_make(struct lease *lease)
{
	int pair[2], r = sockets_pair(SOCK_SEQPACKET, pair);

	if (r < 0)
		return r;
	lease->side.fd = fds_above_standard(pair[0]);
	lease->side.far_fd = fds_above_standard(pair[1]);
	if (lease->side.fd < 0 || lease->side.far_fd < 0)
		return MIN(lease->side.fd, lease->side.far_fd);
	r = identity_get(lease->side.fd, &lease->side.identity);
	return r < 0 ? r : identity_get(lease->side.far_fd, &lease->side.far_identity);
}

void side_close(struct lease *lease)
{
	lease->side.fd = closing_pair_end(lease->side.fd);
	lease->side.far_fd = closing_pair_end(lease->side.far_fd);
}

/* True: a job with descriptors of its own is in the ring, not collected. */
static bool occupied(const struct lease *lease) { return lease->side.sequence > lease->collected; }

/* True: the job has own descriptors (its socket, options.fds), besides a request's file. */
static bool has_own(const struct queue_job *job) { return job->fds.socket >= 0 || job->fds.extra; }

int side_send(struct lease *lease, struct queue_job *job, uint64_t sequence)
{
	_cleanup_close_ int theirs = -1;
	struct frame f;
	int r;

	if (occupied(lease) || (has_own(job) && lease->published != lease->collected))
		return -ENOBUFS;
	r = job->piped ? pipe_open(job, &theirs) : 0;
	if (r < 0)
		return r;
	frame_begin(&f, MESSAGE_WITH);
	f.side.sequence = sequence;
	if (lease->down->entries[sequence % RING_DEPTH].flags & RING_LOAN_FD) {
		f.side.flags |= SIDE_LOAN;
		f.fds[f.fds_count++] = r = loan_fd(job->fds.loan);
		if (r < 0)
			return r;
	}
	if (job->fds.memfd >= 0) {
		f.side.flags |= SIDE_MEMFD;
		f.fds[f.fds_count++] = job->fds.memfd;
	}
	if (theirs >= 0) {
		f.side.flags |= SIDE_STREAM;
		f.fds[f.fds_count++] = theirs;
	}
	if (job->fds.socket >= 0) {
		f.side.flags |= SIDE_SOCKET;
		f.fds[f.fds_count++] = job->fds.socket;
	}
	for (size_t i = 0; job->fds.extra && i < job->fds.extra->count; i++)
		f.fds[f.fds_count++] = job->fds.extra->fds[i];
	f.side.extra = job->fds.extra ? (uint32_t)job->fds.extra->count : 0;
	if (!identity_is(lease->side.fd, &lease->side.identity))
		return -EPIPE;
	r = frame_send(lease->side.fd, &f);
	return fail_is_later(r) ? -ENOBUFS : r;
}

void side_sent(struct lease *lease, struct queue_job *job)
{
	lease->side.sequence = job->sequence;
	if (job->tries.left > 0 && lease->queue->kind != QUEUE_PINNED)
		return;
	job->fds.out = true;
	job->fds.socket = job->fds.own_pair ? close_fd(job->fds.socket)
					    : closing_socket(job->fds.socket);
	job->fds.extra = job->fds.extra ? queue_jobs_fds_free(job->fds.extra) : NULL;
}

/* If the limit on open files kept some of the descriptors away, the job gets none of them back. */
static void recover(struct queue_job *job, struct frame *f)
{
	size_t first = f->side.flags & (SIDE_MEMFD | SIDE_STREAM | SIDE_LOAN) ? 1 : 0,
	       socket = f->side.flags & SIDE_SOCKET ? 1 : 0;
	struct queue_fds *extra = NULL;

	if (!job->fds.out || f->fds_lost || f->fds_count != first + socket + f->side.extra)
		return;
	if (f->side.extra > 0) {
		extra = calloc(1, sizeof *extra);
		if (!extra)
			return;
	}
	if (socket)
		job->fds.socket = frame_take_fd(f, first);
	for (size_t i = 0; extra && i < f->side.extra && i < BROOD_JOB_FDS_MAX; i++)
		extra->fds[extra->count++] = frame_take_fd(f, first + socket + i);
	job->fds.extra = extra;
	job->fds.out = false;
}

void side_take_back(struct lease *lease, const struct queue_job *job)
{
	struct frame f;

	if (lease->side.sequence != job->sequence)
		return;
	/* The program may have closed all files, and opened one that got this number. */
	while (lease->side.far_fd >= 0 &&
		identity_is(lease->side.far_fd, &lease->side.far_identity) &&
		frame_receive(lease->side.far_fd, &f, MSG_DONTWAIT) == 1) {
		if (f.header.type == MESSAGE_WITH && f.side.sequence == job->sequence)
			recover(lease->entries[job->sequence % RING_DEPTH].job, &f);
		frame_done(&f);
	}
}
