/* SPDX-License-Identifier: MIT */
/*
 * stream.c - submitted jobs that are handed off: through the supervisor, with a socket pair each,
 * as a brood_call() would be, but no thread waits. Their sockets stand in the queue's epoll; their
 * verdicts come by the channel to the queue's inbox. For a program that forces this path, and for
 * comparison.
 */
#include "stream.h"

#include "fail.h"
#include "given.h"
#include "job_message.h"
#include "progress.h"
#include "queue.h"
#include "queue_job.h"
#include "queue_jobs.h"
#include "job_record.h"
#include "engine_root.h"
#include "job_verdict.h"

#include "../base/base.h"
#include "../os/closing.h"
#include "../os/fds.h"
#include "../os/sockets.h"
#include "../wire/frame.h"
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

struct stream {
	struct brood_handle handle;
	int fd;
	size_t written, received;
	bool reading;
	uint32_t watched;
};

static void watch(struct queue *l, struct queue_job *job, uint32_t events)
{
	struct stream *s = job->stream;
	struct epoll_event event = { .events = events, .data.u64 = QUEUE_EVENT_JOB(job) };

	if (events == s->watched || l->fds.gone)
		return;
	epoll_ctl(l->fds.epoll, s->watched ? events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL : EPOLL_CTL_ADD,
		s->fd, &event);
	s->watched = events;
}

static void write_some(struct queue_job *job)
{
	struct stream *s = job->stream;
	size_t size = (size_t)job->request_size;

	while (s->written < size) {
		ssize_t n = send(s->fd, job->bytes + job->arg_size + s->written, size - s->written,
			MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && fail_is_later(-errno))
			return;
		if (n < 0)
			break; /* the job did not want all of it */
		s->written += (size_t)n;
	}
	s->written = size;
	shutdown(s->fd, SHUT_WR);
}

static bool room(struct queue_job *job, size_t need)
{
	size_t want = MAX(need * 2, (size_t)1024);
	char *buffer;

	if (need <= job->reply.buffer_size)
		return true;
	buffer = realloc(job->reply.buffer, want);
	if (!buffer)
		return false;
	job->reply.buffer = buffer;
	job->reply.buffer_size = want;
	return true;
}

static void read_some(struct queue_job *job)
{
	struct stream *s = job->stream;

	while (s->reading) {
		ssize_t n;

		if (!room(job, s->received + 512)) {
			job->reply.lost = true;
			s->reading = false;
			return;
		}
		n = recv(s->fd, job->reply.buffer + s->received,
			job->reply.buffer_size - s->received, MSG_DONTWAIT);
		if (n < 0 && fail_is_later(-errno))
			return;
		if (n <= 0)
			s->reading = false;
		else
			s->received += (size_t)n;
	}
}

void stream_event(struct queue *l, struct queue_job *job)
{
	struct stream *s = job->stream;

	if (s->written < job->request_size)
		write_some(job);
	read_some(job);
	watch(l, job, (s->reading ? EPOLLIN : 0) | (s->written < job->request_size ? EPOLLOUT : 0));
}

static void describe(
	const struct queue_job *job, const struct engine_job *what, struct given *given)
{
	struct brood_job_options *o = &given->options;

	memset(o, 0, sizeof *o);
	o->flags = job->limits.flags;
	o->queue_ms = job->limits.queue_ms;
	o->run_ms = job->limits.run_ms;
	o->grace_ms = job->limits.grace_ms;
	o->fds = job->fds.extra ? job->fds.extra->fds : NULL;
	o->fds_count = job->fds.extra ? (uint32_t)job->fds.extra->count : 0;
	o->on_progress = job->tell.on_progress;
	o->context = job->result.context;
	given->job = what;
	given->request_size = job->request_size;
	given->given_ns = job->given_ns;
	given->attempt = job->tries.made;
	given->arg = job->bytes;
	given->arg_size = job->arg_size;
	given->plugin_size = job->plugin_size;
}

/*
 * The first attempt goes by the id that its caller knows: one whose record is free. What a job says
 * of itself, and its log lines, have it too.
 */
static int send_as(struct queue *l, struct queue_job *job, struct given *given, uint64_t *ret_id)
{
	struct brood *b = l->brood;
	struct brood_handle *handle = &job->stream->handle;
	int r;

	for (;;) {
		given->id = given->attempt ? 0 : job->id;
		given->options.ret_id = ret_id;
		engine_lock(b);
		r = job_message_send(b, given, handle);
		handle->public_id = job->id;
		if (r >= 0 && !given->attempt)
			b->submitted--; /* counted by the queue */
		engine_unlock(b);
		if (r != -EEXIST)
			return r;
		queue_jobs_renumber(l, job);
	}
}

/* One attempt. The job has its bytes. */
static int begin(struct queue *l, struct queue_job *job, uint64_t *ret_id)
{
	struct brood *b = l->brood;
	struct stream *s = job->stream;
	struct engine_job what = { .fn = job->function->fn, .name = job->function->name };
	struct given given;
	int fds[2], r = sockets_pair(SOCK_STREAM, fds);

	if (r < 0)
		return fail_system(r, "a job's socket pair");
	describe(job, &what, &given);
	given.fd = fds[1];
	given.own_pair = true;
	job_message_handle(&s->handle, b, &given);
	s->handle.to = &l->inbox;
	s->handle.on.job = job;
	s->fd = fds[0];
	s->written = s->received = 0;
	s->reading = true;
	s->watched = 0;
	r = send_as(l, job, &given, ret_id);
	if (r != 1)
		close_fd(fds[1]);
	if (r < 0) {
		s->fd = close_fd(s->fd);
		return r;
	}
	job->state = JOB_STREAMED;
	/* the supervisor has them; no other attempt will need them */
	if (job->fds.extra && job->tries.left == 0)
		job->fds.extra = queue_jobs_fds_free(job->fds.extra);
	write_some(job);
	watch(l, job, EPOLLIN | (s->written < job->request_size ? EPOLLOUT : 0));
	return 0;
}

int stream_begin(struct queue *l, struct queue_job *job, uint64_t *ret_id)
{
	int r;

	job->stream = calloc(1, sizeof *job->stream);
	if (!job->stream)
		return fail_system(-ENOMEM, "a job's record");
	job->stream->fd = -1;
	list_init(&job->stream->handle.inbox);
	list_init(&job->stream->handle.progress);
	r = begin(l, job, ret_id);
	if (r < 0) {
		free(job->stream);
		job->stream = NULL;
	} else {
		l->leases.streamed++;
	}
	return r;
}

static void stream_close_fd(struct queue *l, struct queue_job *job)
{
	watch(l, job, 0);
	job->stream->fd = closing_pair_end(job->stream->fd);
}

void stream_free(struct queue *l, struct queue_job *job)
{
	struct brood *b = l->brood;
	struct stream *s = job->stream;
	struct record *record;

	if (!s)
		return;
	l->leases.streamed--;
	job->stream = NULL;
	engine_lock(b);
	list_remove(&s->handle.inbox);
	progress_free(&s->handle.progress);
	record = job_record_find(b, s->handle.id);
	if (record && record->handle == &s->handle)
		record->handle = NULL;
	engine_unlock(b);
	if (!l->fds.gone && s->watched)
		epoll_ctl(l->fds.epoll, EPOLL_CTL_DEL, s->fd, NULL);
	closing_pair_end(s->fd);
	for (size_t i = 0; i < s->handle.reply_fds_count; i++)
		closing_fd(s->handle.reply_fds[i]);
	free(s);
}

static void take_fds(struct queue_job *job)
{
	struct brood_handle *h = &job->stream->handle;

	if (!h->reply_fds_count)
		return;
	job->reply.fds = calloc(1, sizeof *job->reply.fds);
	if (!job->reply.fds)
		return;
	job->reply.fds->count = h->reply_fds_count;
	memcpy(job->reply.fds->fds, h->reply_fds, sizeof h->reply_fds);
	h->reply_fds_count = 0;
	job->result.fds = job->reply.fds->fds;
	job->result.fds_count = job->reply.fds->count;
}

static void over(struct queue *l, struct queue_job *job)
{
	struct stream *s = job->stream;
	struct brood_verdict v = s->handle.verdict;

	job->tries.made = v.attempts;
	if (job_verdict_retry(l, job, &v)) {
		stream_close_fd(l, job);
		job->given_ns = now_ns();
		/* the supervisor has counted that attempt's verdict: as with a call */
		l->stats.retried--;
		if (begin(l, job, NULL) == 0) {
			engine_lock(l->brood);
			l->brood->retried++;
			engine_unlock(l->brood);
			return;
		}
		v = job->tries.before;
	}
	read_some(job);
	take_fds(job);
	job->result.reply = job->reply.lost ? NULL : job->reply.buffer;
	job->result.reply_size = s->received;
	stream_free(l, job);
	job_verdict_give(l, job, &v);
}

void stream_inbox(struct queue *l)
{
	struct brood *b = l->brood;

	for (;;) {
		struct brood_handle *handle = NULL;
		struct list *first;
		bool closed = false;

		engine_lock(b);
		first = list_first(&l->inbox.handles);
		if (first) {
			handle = container_of(first, struct brood_handle, inbox);
			list_remove(first);
			closed = handle->closed;
			handle->on.job->tell.progress_count += progress_move(
				&handle->progress, &handle->on.job->tell.progress);
			handle->progress_count = 0;
		}
		engine_unlock(b);
		if (!handle)
			return;
		if (!list_empty(&handle->on.job->tell.progress))
			job_verdict_progress_came(l, handle->on.job);
		if (closed)
			over(l, handle->on.job);
	}
}

void stream_cancel(struct queue *l, struct queue_job *job)
{
	struct brood *b = l->brood;
	struct record *record;

	engine_lock(b);
	record = job_record_find(b, job->stream->handle.id);
	if (record)
		job_message_cancel(b, record);
	engine_unlock(b);
}
