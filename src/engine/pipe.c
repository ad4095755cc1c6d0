/* SPDX-License-Identifier: MIT */
/*
 * pipe.c - large requests and replies of a call on a lease. The worker is hostile: the bytes that
 * came are counted here, and compared with what the worker says.
 */
#include "pipe.h"

#include "given.h"
#include "queue_job.h"
#include "queue_state.h"
#include "transfer.h"

#include "../os/sockets.h"
#include <stdlib.h>
#include <sys/socket.h>

struct pipe {
	struct transfer transfer;  /* fd -1: nothing is moved now */
	struct engine_bytes bytes; /* the caller's memory, which stays while the caller waits */
	bool request;              /* the pipe carries a request; else it is for the reply alone */
};

static struct pipe *pipe_new(struct queue_job *job)
{
	struct pipe *p = calloc(1, sizeof *p);

	if (p)
		p->transfer.fd = -1;
	return job->pipe = p;
}

int pipe_order(struct queue_job *job, const struct given *given)
{
	struct pipe *p = pipe_new(job);

	if (!p)
		return -ENOMEM;
	p->request = true;
	p->bytes.request = given->request->iov_base; /* the request of a call is one piece */
	p->bytes.request_size = given->request->iov_len;
	job->piped = true;
	return 0;
}

static int epoll_of(const struct queue *l) { return l->fds.gone ? -1 : l->fds.epoll; }

static void hang_up(struct queue *l, struct queue_job *job)
{
	struct transfer *t = &job->pipe->transfer;

	transfer_unwatch(t, epoll_of(l));
	t->watched = 0;
	t->fd = close_fd(t->fd);
}

int pipe_open(struct queue_job *job, int *ret_theirs)
{
	struct pipe *p = job->pipe;
	int fds[2], r;

	/* Closes the socket of an earlier attempt. A closed socket leaves the epoll by itself. */
	p->transfer.fd = close_fd(p->transfer.fd);
	r = sockets_pair(SOCK_STREAM, fds);
	if (r < 0)
		return r;
	p->bytes.reply = job->call->room;
	p->bytes.reply_size = job->call->room_size;
	transfer_begin(&p->transfer, fds[0], &p->bytes);
	*ret_theirs = fds[1];
	return 0;
}

void pipe_begin(struct queue *l, struct queue_job *job)
{
	transfer_watch(&job->pipe->transfer, epoll_of(l), QUEUE_EVENT_JOB(job));
}

int pipe_take(struct queue *l, struct queue_job *job, int fd)
{
	if (fd < 0 || job->pipe || !job->call || !pipe_new(job)) {
		close_fd(fd);
		return fd >= 0 && !job->pipe && job->call ? -ENOMEM : -EBADMSG;
	}
	job->pipe->transfer = (struct transfer){
		.fd = fd, .reply = job->call->room, .room = job->call->room_size, .reading = true
	};
	pipe_event(l, job);
	return 0;
}

/* A job that is in no ring any more has no worker to talk to. A retry makes a new pipe. */
void pipe_event(struct queue *l, struct queue_job *job)
{
	if (job->state != JOB_RINGED) {
		hang_up(l, job);
		return;
	}
	transfer_step(&job->pipe->transfer, POLLIN | POLLOUT);
	pipe_begin(l, job);
}

bool pipe_finish(struct queue_job *job, uint64_t size)
{
	struct transfer *t = &job->pipe->transfer;

	if (t->fd < 0)
		return false;
	/* The worker has written all: what was not read yet lies in the socket. */
	transfer_finish(t);
	return t->received == size;
}

uint64_t pipe_so_far(struct queue_job *job)
{
	if (!job->pipe)
		return 0;
	if (job->pipe->transfer.fd >= 0)
		transfer_step(&job->pipe->transfer, POLLIN);
	return job->pipe->transfer.received;
}

void pipe_free(struct queue *l, struct queue_job *job)
{
	hang_up(l, job);
	free(job->pipe);
	job->pipe = NULL;
	job->piped = false;
}
