/* SPDX-License-Identifier: MIT */
/*
 * stream.c - submitted jobs that are handed off: through the supervisor, with a socket pair each,
 * as a brood_call() would be, but no thread waits. Their sockets stand in the queue's epoll; their
 * verdicts come by the channel to the queue's inbox. Used when the program forces the handoff, or
 * when the job is for another pool than its queue's.
 */
#include "stream.h"

#include "engine_root.h"
#include "job_files.h"
#include "job_message.h"
#include "queue_jobs.h"
#include "queue.h"

#include <stdlib.h>

struct stream {
	struct brood_handle handle;
	struct transfer transfer;
};

static int epoll_of(const struct queue *l) { return l->fds.gone ? -1 : l->fds.epoll; }

/* The job's buffer is where the transfer has put the reply. */
static void reply_is_at(struct queue_job *job, const struct stream *s)
{
	job->reply.buffer = s->transfer.reply;
	job->reply.buffer_size = s->transfer.room;
}

void stream_event(struct queue *l, struct queue_job *job)
{
	transfer_step(&job->stream->transfer, POLLIN | POLLOUT);
	reply_is_at(job, job->stream);
	transfer_watch(&job->stream->transfer, epoll_of(l), QUEUE_EVENT_JOB(job));
}

static void describe(
	const struct queue_job *job, const struct engine_job *what, struct given *given)
{
	struct brood_job_options *o = &given->options;

	memset(given, 0, offsetof(struct given, text));
	given->fd = -1;
	o->flags = job->limits.flags;
	o->queue_ms = job->limits.queue_ms;
	o->run_ms = job->limits.run_ms;
	o->grace_ms = job->limits.grace_ms;
	o->retry_pause_ms = job->tries.pause_ms;
	o->key = job->limits.key;
	o->priority = job->limits.background ? BROOD_BACKGROUND : BROOD_NORMAL;
	o->fds = job->fds.extra ? job->fds.extra->fds : NULL;
	o->fds_count = job->fds.extra ? (uint32_t)job->fds.extra->count : 0;
	o->on_progress = job->tell.on_progress;
	o->context = job->result.context;
	given->job = what;
	given->pool = job->pool;
	given->request_size = job->request_size;
	given->given_ns = job->given_ns;
	given->attempt = job->tries.made;
	given->arg = job->bytes;
	given->arg_size = job->arg_size;
	given->plugin_size = job->plugin_size;
	given->tag_size = job->tell.tag_size;
}

static struct engine_bytes bytes_of(const struct queue_job *job)
{
	return (struct engine_bytes){ .request = job->bytes + job->arg_size,
		.request_size = (size_t)job->request_size,
		.reply = job->reply.buffer,
		.reply_size = job->reply.buffer_size,
		.grows = true };
}

/* The supervisor has the job. */
static void begun(struct queue *l, struct queue_job *job)
{
	struct stream *s = job->stream;

	/* the supervisor has the fds, and no other attempt will need them */
	if (job->fds.extra && job->tries.left == 0)
		job->fds.extra = queue_jobs_fds_free(job->fds.extra);
	if (s->handle.carried) /* whoever reads the channel may write the transfer now */
		return;
	transfer_watch(&s->transfer, epoll_of(l), QUEUE_EVENT_JOB(job));
}

/*
 * Begins one attempt of a job that has its bytes. The first attempt has the job's own id, which the
 * caller will know; if the record of that id is in use, the job gets another id. The job's messages
 * and log lines have this id, too.
 */
static int begin(struct queue *l, struct queue_job *job, uint64_t *ret_id)
{
	struct stream *s = job->stream;
	struct engine_job what = { .fn = job->function->fn, .name = job->function->name };
	struct engine_bytes bytes = bytes_of(job);
	struct given given;
	int r;

	describe(job, &what, &given);
	given.options.ret_id = ret_id;
	job_message_handle(&s->handle, l->brood, &given);
	s->handle.to = &l->inbox;
	s->handle.on.job = job;
	for (;;) {
		s->handle.public_id = job->id;
		given.id = given.attempt ? 0 : job->id;
		r = job_message_attempt(l->brood, &given, &s->handle, &bytes, &s->transfer);
		if (r != -EEXIST)
			break;
		queue_jobs_renumber(l, job);
	}
	if (r < 0)
		return r;
	job->state = JOB_STREAMED;
	if (r == JOB_MESSAGE_KEPT)
		l->timer.kept_due = MIN(l->timer.kept_due, s->handle.kept_until);
	else
		begun(l, job);
	return 0;
}

/* Sends a kept job. True: the job is kept no longer. */
static bool go(struct queue *l, struct queue_job *job)
{
	struct stream *s = job->stream;
	struct engine_job what = { .fn = job->function->fn, .name = job->function->name };
	struct engine_bytes bytes = bytes_of(job);
	struct given given;

	describe(job, &what, &given);
	if (job_message_go(l->brood, &given, &s->handle, &bytes, &s->transfer) == JOB_MESSAGE_KEPT)
		return false;
	if (!s->handle.closed || s->transfer.fd >= 0)
		begun(l, job);
	return true;
}

/* A bit for each pool that has kept jobs, of whatever queue. */
static uint64_t pools_that_keep(const struct brood *b)
{
	uint64_t pools = 0;

	for (uint32_t i = 0; i < b->pools_count; i++)
		if (b->pools[i].files.kept > 0)
			pools |= UINT64_C(1) << i;
	return pools;
}

/*
 * The first kept job for which there is room now. Jobs of several pools may be on this queue: a
 * pool without room holds up its own jobs only, and these keep their order.
 */
static struct queue_job *next_kept(struct queue *l)
{
	struct brood *b = l->brood;
	struct queue_job *job = NULL;
	uint64_t looked;

	engine_lock(b);
	looked = ~pools_that_keep(b);
	list_for_each_safe(link, tmp, &l->inbox.kept) {
		struct brood_handle *handle = container_of(link, struct brood_handle, kept);
		uint64_t pool = UINT64_C(1) << (handle->pool - b->pools);

		if (!(looked & pool) && job_files_room(handle->pool, handle->files))
			job = handle->on.job;
		looked |= pool;
		if (job || looked == UINT64_MAX)
			break;
	}
	engine_unlock(b);
	return job;
}

void stream_late(struct queue *l, uint64_t now)
{
	struct brood *b = l->brood;
	uint64_t due = TIME_NEVER;

	if (l->timer.kept_due > now)
		return;
	engine_lock(b);
	list_for_each_safe(link, tmp, &l->inbox.kept) {
		struct brood_handle *handle = container_of(link, struct brood_handle, kept);

		if (handle->kept_until <= now)
			job_record_give_up(
				b, handle->id, BROOD_REFUSED, BROOD_DETAIL_QUEUE_TIME, false);
		else
			due = MIN(due, handle->kept_until);
	}
	job_files_gone(b);
	engine_unlock(b);
	l->timer.kept_due = due;
}

int stream_begin(struct queue *l, struct queue_job *job, uint64_t *ret_id)
{
	int r;

	job->stream = calloc(1, sizeof *job->stream);
	if (!job->stream)
		return fail_system(-ENOMEM, "a job's record");
	job->stream->transfer.fd = -1;
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
	transfer_unwatch(&job->stream->transfer, epoll_of(l));
	transfer_close(&job->stream->transfer);
}

void stream_free(struct queue *l, struct queue_job *job)
{
	struct brood *b = l->brood;
	struct stream *s = job->stream;
	struct record *record;

	if (!s)
		return;
	stream_close_fd(l, job);
	l->leases.streamed--;
	job->stream = NULL;
	engine_lock(b);
	list_remove(&s->handle.inbox);
	progress_free(&s->handle.progress);
	record = job_record_find(b, s->handle.id);
	if (s->handle.is_kept)
		job_record_unclaim(b, s->handle.id); /* nobody will send it */
	else if (record && record->handle == &s->handle)
		job_record_release(b, record);
	engine_unlock(b);
	reply_is_at(job, s);
	closing_fd(s->handle.socket.fd);
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

/* True: the job is tried again. False: *v is its verdict. */
static bool again(struct queue *l, struct queue_job *job, struct brood_verdict *v)
{
	int r = 0;

	job->tries.made = v->attempts;
	if (!l->freed && job_message_again(l->brood, &job->stream->handle, l, &job->tries)) {
		stream_close_fd(l, job);
		reply_is_at(job, job->stream);
		job->given_ns = now_ns();
		r = begin(l, job, NULL);
		if (r == 0)
			return true;
	}
	v->flags = job->stream->handle.verdict.flags;
	job_message_over(&job->stream->handle, &job->tries, r, v);
	return false;
}

static void over(struct queue *l, struct queue_job *job)
{
	struct transfer *t = &job->stream->transfer;
	struct brood_verdict v = job->stream->handle.verdict;

	if (again(l, job, &v))
		return;
	transfer_finish(t);
	reply_is_at(job, job->stream);
	take_fds(job);
	job->reply.lost = t->error != 0;
	job->result.reply = t->error ? NULL : job->reply.buffer;
	job->result.reply_size = t->received;
	stream_free(l, job);
	queue_jobs_close(l, job, &v);
}

/* The job's worker has made it a socket. */
static void adopt(struct queue *l, struct queue_job *job, struct transfer_news *news)
{
	transfer_adopt(&job->stream->transfer, news);
	transfer_watch(&job->stream->transfer, epoll_of(l), QUEUE_EVENT_JOB(job));
}

static void hear_handles(struct queue *l)
{
	struct brood *b = l->brood;

	for (;;) {
		struct transfer_news socket = { .fd = -1 };
		struct brood_handle *handle = NULL;
		struct list *first;
		bool closed = false;

		engine_lock(b);
		first = list_first(&l->inbox.handles);
		if (first) {
			handle = container_of(first, struct brood_handle, inbox);
			list_remove(first);
			closed = handle->closed;
			if (handle->socket.came)
				socket = handle->socket;
			handle->socket = (struct transfer_news){ .fd = -1 };
			progress_move(&handle->progress, &handle->on.job->tell.progress);
		}
		engine_unlock(b);
		if (!handle)
			return;
		if (!list_empty(&handle->on.job->tell.progress.list))
			queue_jobs_progress_came(l, handle->on.job);
		if (socket.came)
			adopt(l, handle->on.job, &socket);
		if (closed)
			over(l, handle->on.job);
	}
}

/* What has ended comes first: its files are closed then, and a kept job needs some. */
void stream_inbox(struct queue *l)
{
	struct queue_job *job;

	hear_handles(l);
	while ((job = next_kept(l)) && go(l, job))
		;
	hear_handles(l); /* jobs that were refused just now */
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
