/* SPDX-License-Identifier: MIT */
/*
 * carried.c - jobs by handoff whose request and reply are small. The request came in RUN, and the
 * reply goes back in FINISHED, so that no socket is made: for a small job the socket's system calls
 * cost more than all else. Until the job has ended, the reply stands in the slot's trace page,
 * where the supervisor finds what there is of it if the worker dies.
 *
 * A job may ask for its socket (brood_job_fd()), or its reply may outgrow the message. Then the
 * worker makes a socket pair, writes the rest of the request into one end, and sends this end to
 * the engine (SOCKET, through the supervisor). From then on nothing differs from a job that came
 * with a socket.
 */
#include "carried.h"

#include "files.h"
#include "library_call.h"
#include "report.h"
#include "worker.h"

#include "../wire/trace_page.h"

#include <sys/socket.h>

/* Aligned for any type, as requests on a lease are. */
static _Alignas(64) unsigned char request[MESSAGE_ARG_MAX];

_Static_assert(TRACE_REPLY == MESSAGE_REPLY_MAX, "a whole reply fits");

static bool is_carried(const struct brood_job *job) { return job->bytes && !job->on_ring; }

void carried_take(struct brood_job *job, const void *data)
{
	if (job->request_size > 0)
		memcpy(request, data, job->request_size);
	job->request.bytes = request;
	job->bytes = true;
	job->reply = (struct job_reply){ .memfd = -1 };
	atomic_store(&the_worker.trace_page->reply_size, 0);
	atomic_store(&the_worker.trace_page->reply_sequence, job->sequence);
}

void carried_write(struct brood_job *job, const void *data, size_t size)
{
	struct trace_page *page = the_worker.trace_page;

	if (size > 0)
		memcpy(page->reply + job->reply.size, data, size);
	job->reply.size += size;
	atomic_store(&page->reply_size, (uint32_t)job->reply.size);
}

/* A new socket has room for all of it, so no send() waits. */
static int fill(struct brood_job *job, const int fds[2])
{
	size_t left = job->request_size - job->request.read;

	if (left > 0 && send(fds[0], request + job->request.read, left, MSG_NOSIGNAL) < 0)
		return -errno;
	if (job->reply.size > 0 &&
		send(fds[1], the_worker.trace_page->reply, job->reply.size, MSG_NOSIGNAL) < 0)
		return -errno;
	if (shutdown(fds[0], SHUT_WR) < 0 || (job->reply.ended && shutdown(fds[1], SHUT_WR) < 0))
		return -errno;
	return 0;
}

/* fd -1: the rest of the reply is lost, for there was no socket to be had. */
static void say(const struct brood_job *job, int fd)
{
	struct frame f;

	frame_begin(&f, MESSAGE_SOCKET)->asked.socket = (struct message_socket){ .id = job->id,
		.sequence = job->sequence };
	if (fd >= 0)
		f.fds[f.fds_count++] = fd;
	/* the job may have put another file at the channel's number */
	report_suspect();
	report_send(&f);
}

void carried_finish(const struct brood_job *job, struct frame *f)
{
	if (is_carried(job) && job->reply.error < 0)
		say(job, -1);
	else if (is_carried(job))
		frame_append(f, the_worker.trace_page->reply, (size_t)job->reply.size);
}

int carried_make_socket(struct brood_job *job)
{
	LIBRARY_CALL;
	int fds[2], r;

	if (!worker_is_self())
		return -EPERM; /* a child of the job: it cannot speak for the worker */
	r = sockets_pair(SOCK_STREAM, fds);
	if (r < 0)
		return r;
	r = fill(job, fds);
	if (r < 0) {
		close_fd(fds[0]);
		close_fd(fds[1]);
		return r;
	}
	say(job, fds[0]);
	close_fd(fds[0]);
	files_make_socket(job, fds[1]);
	job->bytes = false;
	if (!job->request.asked)
		job->request.bytes = NULL;
	return 0;
}

int carried_make_way(struct brood_job *job, size_t size)
{
	struct job_reply *r = &job->reply;

	if (size <= MESSAGE_REPLY_MAX - r->size || the_worker.forked || r->ended)
		return 0;
	if (r->error == 0)
		r->error = carried_make_socket(job);
	return r->error;
}

static int socket_of(struct brood_job *job)
{
	int r = 0;

	if (is_carried(job)) /* a reply that was cut goes no other way afterwards */
		r = job->reply.error < 0 ? job->reply.error : carried_make_socket(job);
	if (r < 0)
		return r;
	return job->bytes ? -ENOTSOCK : job->fd;
}

int brood_job_fd(struct brood_job *job) BROOD_NOEXCEPT { return socket_of(job); }

int brood_job_take_fd(struct brood_job *job) BROOD_NOEXCEPT
{
	int fd = socket_of(job);

	if (fd < 0)
		return fd;
	job->taken = true;
	/* the socket stays open after the job, so the look for residue must not be left out */
	syscalls_note();
	return fd;
}
