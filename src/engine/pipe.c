/* SPDX-License-Identifier: MIT */
/*
 * pipe.c - large requests and replies of a call on a lease. The worker is hostile: the bytes that
 * came are counted here, and compared with what the worker says.
 */
#include "pipe.h"

#include "fail.h"
#include "given.h"
#include "queue_job.h"
#include "queue_state.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define SCRATCH  16384              /* where a reply goes that has no room */
#define READ_MAX ((size_t)64 << 20) /* at once */
#define TURN     64                 /* reads, so that no worker keeps the queue for itself */

struct pipe {
	int fd;       /* -1: none now */
	bool request; /* it has one; else it is for the reply alone */
	bool reading;
	uint32_t watched;           /* by the queue's epoll: for this */
	const struct iovec *pieces; /* the caller's, which waits */
	size_t count, piece, at;    /* the next byte to write: in that piece, there */
	uint64_t received;
};

static struct pipe *pipe_new(struct queue_job *job)
{
	struct pipe *p = calloc(1, sizeof *p);

	if (p)
		p->fd = -1;
	return job->pipe = p;
}

int pipe_order(struct queue_job *job, const struct given *given)
{
	struct pipe *p = pipe_new(job);

	if (!p)
		return -ENOMEM;
	p->request = true;
	p->pieces = given->request;
	p->count = given->request_count;
	job->piped = true;
	return 0;
}

static void watch(struct queue *l, struct queue_job *job, uint32_t events)
{
	struct pipe *p = job->pipe;
	struct epoll_event event = { .events = events, .data.u64 = QUEUE_EVENT_JOB(job) };
	int how = !p->watched ? EPOLL_CTL_ADD : events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;

	if (events == p->watched || p->fd < 0 || l->fds.gone)
		return;
	if (epoll_ctl(l->fds.epoll, how, p->fd, &event) == 0)
		p->watched = events;
}

static void hang_up(struct queue *l, struct queue_job *job)
{
	watch(l, job, 0);
	job->pipe->watched = 0;
	job->pipe->fd = close_fd(job->pipe->fd);
}

int pipe_open(struct queue_job *job, int *ret_theirs)
{
	struct pipe *p = job->pipe;
	int fds[2], r;

	p->fd = close_fd(p->fd); /* of an attempt before; the epoll forgets it */
	p->watched = 0;
	r = sockets_pair(SOCK_STREAM, fds);
	if (r < 0)
		return r;
	p->fd = fds[0];
	p->piece = p->at = 0;
	p->received = 0;
	p->reading = true;
	*ret_theirs = fds[1];
	return 0;
}

static bool writing(const struct pipe *p) { return p->request && p->piece < p->count; }

/* All of it is written, or nobody wants the rest. */
static void write_end(struct pipe *p)
{
	p->piece = p->count;
	shutdown(p->fd, SHUT_WR);
}

static void write_some(struct pipe *p)
{
	while (writing(p)) {
		const struct iovec *piece = &p->pieces[p->piece];
		size_t left = piece->iov_len - p->at;
		ssize_t n = left == 0 ? 0
				      : send(p->fd, (const char *)piece->iov_base + p->at, left,
						MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && fail_is_later(-errno))
			return;
		if (n < 0)
			break;
		p->at += (size_t)n;
		if (p->at == piece->iov_len) {
			p->piece++;
			p->at = 0;
		}
	}
	write_end(p);
}

/* False: there is nothing now. No room is offered for fds: the kernel closes those that come. */
static bool read_once(struct queue_job *job)
{
	struct pipe *p = job->pipe;
	char scratch[SCRATCH];
	size_t have = (size_t)MIN(p->received, (uint64_t)job->call.room_size);
	size_t room = MIN(job->call.room_size - have, READ_MAX);
	struct iovec iov = { .iov_base = room ? (char *)job->call.room + have : scratch,
		.iov_len = room ? room : sizeof scratch };
	ssize_t n = recv(p->fd, iov.iov_base, iov.iov_len, MSG_DONTWAIT);

	if (n > 0)
		p->received += (uint64_t)n;
	if (n > 0 || (n < 0 && errno == EINTR))
		return true;
	p->reading = n < 0 && fail_is_later(-errno);
	return false;
}

static void read_some(struct queue_job *job)
{
	for (int i = 0; i < TURN && job->pipe->reading && read_once(job); i++)
		;
}

static void wait_for_more(struct queue *l, struct queue_job *job)
{
	struct pipe *p = job->pipe;

	watch(l, job, (p->reading ? EPOLLIN : 0) | (writing(p) ? EPOLLOUT : 0));
}

void pipe_begin(struct queue *l, struct queue_job *job)
{
	write_some(job->pipe);
	wait_for_more(l, job);
}

int pipe_take(struct queue *l, struct queue_job *job, int fd)
{
	if (fd < 0 || job->pipe || !job->call.waited || !pipe_new(job)) {
		close_fd(fd);
		return fd >= 0 && !job->pipe && job->call.waited ? -ENOMEM : -EBADMSG;
	}
	job->pipe->fd = fd;
	job->pipe->reading = true;
	read_some(job);
	wait_for_more(l, job);
	return 0;
}

/* A job that is in no ring any more (another attempt may come) has nobody to talk to. */
void pipe_event(struct queue *l, struct queue_job *job)
{
	if (job->state != JOB_RINGED) {
		hang_up(l, job);
		return;
	}
	if (writing(job->pipe))
		write_some(job->pipe);
	read_some(job);
	wait_for_more(l, job);
}

bool pipe_finish(struct queue_job *job, uint64_t size)
{
	struct pipe *p = job->pipe;

	if (p->fd < 0)
		return false;
	/* All of it lies in the socket, which holds so much and no more. */
	for (int i = 0; i < TURN && p->received < size && p->reading; i++)
		read_once(job);
	return p->received == size;
}

uint64_t pipe_so_far(struct queue_job *job)
{
	if (!job->pipe)
		return 0;
	if (job->pipe->fd >= 0)
		read_some(job);
	return job->pipe->received;
}

void pipe_free(struct queue *l, struct queue_job *job)
{
	hang_up(l, job);
	free(job->pipe);
	job->pipe = NULL;
	job->piped = false;
}
