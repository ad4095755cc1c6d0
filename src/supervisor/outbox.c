/* SPDX-License-Identifier: MIT */
/*
 * outbox.c - messages to the engine: verdicts, the begin and the end of leases, and the state of
 * the pool. A full socket stops nothing: records wait for room, and are free once their message is
 * sent.
 */
#include "outbox.h"
#include "logging.h"
#include "pool.h"

#include "../base/printable.h"
#include <inttypes.h>

/*
 * The kernel may refuse to pass on the fds of a reply (ETOOMANYREFS), and a job can make it refuse
 * for long. After this time the verdict goes without the fds.
 */
#define REPLY_FDS_NS NS_PER_S

static bool refused_for_long(struct job *job)
{
	uint64_t now = now_ns();

	if (job->refused_ns == 0)
		job->refused_ns = now;
	return now - job->refused_ns >= REPLY_FDS_NS;
}

/* 0: the message was sent, or nobody hears it any more; else -errno. */
static int send(struct supervisor *s, struct frame *f)
{
	return engine_is_deaf(s) ? 0 : frame_send(s->config.channel_fd, f);
}

static int tell_verdict(struct supervisor *s, struct job *job)
{
	char shown[PRINTABLE_JOB_MAX];
	struct frame f;
	int r;

	frame_begin(&f, MESSAGE_VERDICT)->verdict.verdict = job->verdict;
	frame_append(&f, job->arg, job->carried.reply_size);
	f.fds_count = job->fds_count;
	memcpy(f.fds, job->fds, job->fds_count * sizeof f.fds[0]);
	r = send(s, &f);
	s->unread.verdicts += r == 0;
	if (r == 0 || job->fds_count == 0 ||
		(error_passes(r) && (r != -ETOOMANYREFS || !refused_for_long(job))))
		return r;
	logging_line(s,
		&(struct logging_about){ .level = BROOD_WARNING,
			.event = BROOD_EVENT_RESOURCE,
			.pool = job->pool,
			.job = job->link.id,
			.function = job->message.name,
			.tag = record_tag(job),
			.error = -r },
		"the files that came with the reply of job %" PRIu64 " %s are dropped: %s",
		job->link.id, printable_job(shown, job->message.name, record_tag(job)),
		strerror(-r));
	record_close_fds(job); /* whatever is wrong with the fds, the verdict must go */
	f.fds_count = 0;
	r = send(s, &f);
	s->unread.verdicts += r == 0;
	return r;
}

static int tell_lease_over(struct supervisor *s, struct job *job)
{
	struct frame f;

	frame_begin(&f, MESSAGE_LEASE_OVER)->lease_over = job->grant.over;
	return send(s, &f);
}

static int tell_granted(struct pool *pool)
{
	struct list *first;
	struct frame f;
	int r;

	while ((first = list_first(&pool->leases.untold))) {
		frame_begin(&f, MESSAGE_GRANTED)->granted =
			container_of(first, struct job, untold)->grant.granted;
		r = send(pool->supervisor, &f);
		if (error_passes(r))
			return r;
		pool->supervisor->unread.grants += r == 0;
		list_remove(first);
	}
	return 0;
}

static int tell_taken(struct pool *pool)
{
	struct list *first;
	struct frame f;

	while ((first = list_first(&pool->copies.untold))) {
		int r;

		frame_begin(&f, MESSAGE_TAKEN)->about.id =
			container_of(first, struct job, filed)->link.id;
		r = send(pool->supervisor, &f);
		if (error_passes(r))
			return r;
		list_remove(first);
	}
	return 0;
}

/* Told before the job's verdict: the engine reads the reply there. */
static int tell_sockets(struct pool *pool)
{
	struct list *first;
	struct frame f;

	while ((first = list_first(&pool->copies.sockets))) {
		struct job *job = container_of(first, struct job, carried.untold);
		int r;

		frame_begin(&f, MESSAGE_SOCKET)->asked.socket.id = job->link.id;
		if (job->carried.socket_fd >= 0)
			f.fds[f.fds_count++] = job->carried.socket_fd;
		r = send(pool->supervisor, &f);
		if (r == -ETOOMANYREFS && refused_for_long(job)) {
			f.fds_count = 0; /* the engine hears that the reply is lost */
			r = send(pool->supervisor, &f);
		}
		if (error_passes(r))
			return r;
		list_remove(first);
		job->carried.socket_fd = closing_fd(job->carried.socket_fd);
	}
	return 0;
}

/* Tries again once a full socket is writable; for any other shortage, by the retry timer. */
static void flush_later(struct supervisor *s, int r)
{
	uint32_t events = r == -EAGAIN ? EPOLLIN | EPOLLOUT : EPOLLIN;

	if (s->engine.channel.fd < 0 || loop_modify(&s->loop, &s->engine.channel, events) < 0 ||
		r != -EAGAIN)
		note(s, NOTE_RETRY);
}

/* 0: all messages of the pool were sent; -errno: not now. */
static int flush_pool(struct pool *pool)
{
	struct supervisor *s = pool->supervisor;
	struct job *job;
	int r = tell_granted(pool);

	if (r >= 0)
		r = tell_taken(pool);
	if (r >= 0)
		r = tell_sockets(pool);

	while (r >= 0 && (job = record_of(records_told(&pool->records)))) {
		r = job->is_lease ? tell_lease_over(s, job) : tell_verdict(s, job);
		if (error_passes(r))
			return r;
		record_close_fds(job);
		/* the socket took the message, or the engine is gone */
		records_release(&pool->records, &job->link);
		note(s, NOTE_STOP);
		r = 0;
	}
	return r;
}

/* The next flush begins with the pool after the one at which the socket was full. */
void outbox_flush(struct supervisor *s)
{
	for (uint32_t n = 0; n < s->pools_count; n++) {
		struct pool *pool = pool_in_turn(s, s->tell_turn, n);
		int r = flush_pool(pool);

		if (r < 0) {
			s->tell_turn = turns_after(pool->setup->number);
			flush_later(s, r);
			return;
		}
	}
	if (s->engine.channel.fd >= 0 && (s->engine.channel.events & EPOLLOUT) &&
		loop_modify(&s->loop, &s->engine.channel, EPOLLIN) < 0)
		note(s, NOTE_RETRY);
}

int outbox_send(struct supervisor *s, struct frame *f)
{
	int r = send(s, f);

	if (r < 0)
		note(s, NOTE_RETRY);
	return r;
}

int outbox_tell(struct pool *pool, enum message_type type)
{
	struct supervisor *s = pool->supervisor;
	struct frame f;

	frame_begin(&f, type);
	f.pool.ready = pool_ready(pool);
	f.pool.workers = pool->size.target;
	f.pool.left = s->left;
	f.pool.pool = pool->setup->number;
	return outbox_send(s, &f);
}
