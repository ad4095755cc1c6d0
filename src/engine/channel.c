/* SPDX-License-Identifier: MIT */
/*
 * channel.c - what the supervisor says. Any thread may read, under the lock, one frame after the
 * other, so that the order of the frames is that of what they do. The supervisor is of our own
 * house, but a frame that makes no sense means that one of us is broken: then nothing that follows
 * can be trusted, and the channel counts as ended.
 *
 * Log lines come on a socket of their own, and the user's callback is called without the lock, by
 * one thread at a time; meanwhile the others leave that socket alone.
 */
#include "lane.h"

#include <sys/epoll.h>
#include <sys/socket.h>

static bool verdict_sane(const struct brood_verdict *v)
{
	return v->outcome >= BROOD_DONE && v->outcome < BROOD_OUTCOMES &&
		(unsigned)v->detail < BROOD_DETAILS;
}

/* The reply's, for whoever has the handle. */
static void channel_fds(struct brood *b, struct frame *f)
{
	struct record *record = f->header.fds ? record_find(b, f->verdict.verdict.id) : NULL;
	struct brood_handle *handle = record ? record->handle : NULL;

	for (size_t i = 0; handle && i < f->header.fds && i < BROOD_JOB_FDS_MAX; i++)
		handle->reply_fds[handle->reply_fds_count++] = frame_take_fd(f, i);
}

static void channel_progress(struct brood *b, const struct message_progress *m)
{
	struct record *record = record_find(b, m->id);
	struct brood_handle *handle = record ? record->handle : NULL;
	struct message_progress named = *m;

	if (!handle || handle->progress_count >= PROGRESS_MAX)
		return;
	named.id = handle->public_id;
	if (!progress_add(&handle->progress, handle->on_progress, handle->progress_context, &named))
		return;
	handle->progress_count++;
	if (handle->lane)
		lane_inbox_handle(handle);
	else if (handle->waiter && handle->waiter != b->reader)
		waiter_poke(handle->waiter);
}

static int channel_frame(struct brood *b, struct frame *f)
{
	switch (f->header.type) {
	case MESSAGE_VERDICT:
		if (!verdict_sane(&f->verdict.verdict))
			return -EBADMSG;
		channel_fds(b, f);
		record_verdict(b, &f->verdict.verdict);
		return 0;
	case MESSAGE_LENT:
	case MESSAGE_LEASE_OVER: return loan_heard(b, f);
	case MESSAGE_PROGRESS: channel_progress(b, &f->progress); return 0;
	case MESSAGE_POOL_READY:
		b->ready = true;
		b->degraded = false;
		break;
	case MESSAGE_POOL_DEGRADED: b->degraded = true; break;
	case MESSAGE_STOPPED:
		b->stopped = true;
		b->left = f->pool.left;
		break;
	default: return -EBADMSG;
	}
	waiters_poke(b);
	return 0;
}

void channel_read(struct brood *b, struct waiter *reader, const struct brood_handle *until)
{
	struct waiter *before = b->reader;
	struct frame f;

	b->reader = reader;
	while (!b->lost && !(until && until->closed)) {
		int r = frame_receive(b->channel_fd, &f, MSG_DONTWAIT);

		if (r == -EAGAIN || r == -ENOMEM || r == -ENOBUFS)
			break;
		if (r > 0) {
			r = channel_frame(b, &f);
			frame_done(&f);
		} else if (r == 0) {
			r = -ENOTCONN;
		}
		if (r < 0)
			channel_lost(b);
	}
	b->reader = before;
}

static void channel_unwatch(struct brood *b, int fd)
{
	if (fd >= 0)
		epoll_ctl(b->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* Every lane has this in its epoll. */
void channel_all_over(struct brood *b)
{
	atomic_store_explicit(&b->lanes_over, true, memory_order_release);
	if (b->epoll_fd >= 0)
		fds_poke(b->over_fd);
}

void channel_lost(struct brood *b)
{
	if (b->lost)
		return;
	b->lost = true;
	/* A damaged channel is no more use to the other side either. */
	shutdown(b->channel_fd, SHUT_RDWR);
	record_give_up_all(b, BROOD_DETAIL_CHANNEL);
	channel_all_over(b);
	channel_unwatch(b, b->channel_fd);
	waiters_poke(b);
	channel_news(b);
}

/*
 * Daemon code closes all fds that it finds, and what the program opens next gets our numbers. So
 * before anything is sent, and before a thread begins to read: is the channel still the one that it
 * was? If not, all is lost, and none of the numbers is ours to touch any more.
 */
bool channel_ours(struct brood *b)
{
	if (b->lost)
		return false;
	if (identity_is(b->channel_fd, &b->channel))
		return true;
	b->channel_fd = b->log_fd = b->epoll_fd = b->news_fd = b->timer_fd = b->lanes_fd =
		b->over_fd = -1;
	b->log_ended = true;
	list_for_each_safe(link, tmp, &b->spare)
		container_of(link, struct waiter, link)->efd = -1;
	channel_lost(b);
	return false;
}

void channel_deaf(struct brood *b)
{
	if (!b->log_ended)
		channel_unwatch(b, b->log_fd);
	b->log_ended = true;
}

void channel_leave(struct brood *b)
{
	if (!b->lost)
		channel_unwatch(b, b->channel_fd);
	if (!b->log_ended)
		channel_unwatch(b, b->log_fd);
	channel_unwatch(b, b->news_fd);
	channel_unwatch(b, b->timer_fd);
}

void channel_news(struct brood *b)
{
	if (!b->fd_used || b->news_set || b->reader == &b->dispatcher)
		return;
	fds_poke(b->news_fd);
	b->news_set = true;
}

/* ---- log lines ---- */

bool channel_logs(const struct brood *b) { return b->options.log && !b->logging && !b->log_ended; }

static void log_watch(struct brood *b, bool on)
{
	struct epoll_event event = { .events = on ? EPOLLIN : 0, .data.fd = b->log_fd };

	if (b->fd_used)
		epoll_ctl(b->epoll_fd, EPOLL_CTL_MOD, b->log_fd, &event);
}

static void log_line(const struct brood *b, const struct message_log *m)
{
	struct brood_log log = {
		.size = sizeof log,
		.level = (enum brood_level)m->level,
		.event = (enum brood_event)m->event,
		.pid = m->pid,
		.slot = m->slot,
		.job = m->job,
		.text = m->text,
	};

	b->options.log(b->options.log_context, &log);
}

/* 1: there may be more, 0: none now, -errno: never again. */
static int log_next(const struct brood *b)
{
	struct frame f;
	int r = frame_receive(b->log_fd, &f, MSG_DONTWAIT);

	if (r == -EBADMSG)
		return 1; /* a damaged line costs that line */
	if (r == -EAGAIN || r == -ENOMEM || r == -ENOBUFS)
		return 0;
	if (r <= 0)
		return -ENOTCONN;
	if (f.header.type == MESSAGE_LOG)
		log_line(b, &f.log);
	frame_done(&f);
	return 1;
}

void channel_log(struct brood *b, int limit)
{
	int r = 1;

	if (!channel_logs(b))
		return;
	b->logging = true;
	log_watch(b, false);
	engine_unlock(b);
	while (r > 0 && limit-- > 0)
		r = log_next(b);
	engine_lock(b);
	b->logging = false;
	b->log_ended |= r < 0;
	if (b->state == ENGINE_STOPPED)
		return;
	if (b->log_ended)
		channel_unwatch(b, b->log_fd);
	else
		log_watch(b, true);
	if (b->leader && !b->log_ended)
		waiter_poke(b->leader); /* it left that socket out meanwhile */
}

/* ---- for event loops ---- */

int engine_fd(struct brood *b)
{
	VISIT(visit);
	int r = visit_begin(&visit, b);

	if (r < 0)
		return r;
	engine_lock(b);
	if (b->state != ENGINE_RUNNING) {
		r = engine_fail_stopped();
	} else if (b->epoll_fd < 0) {
		r = engine_fail_gone();
	} else {
		r = b->epoll_fd;
		if (!b->fd_used) {
			b->fd_used = true;
			out_watch(b);
			if (b->logging)
				log_watch(b, false);
			if (b->news || b->lost)
				channel_news(b);
			waiters_poke(b);
		}
	}
	engine_unlock(b);
	direct_polled(b);
	return r;
}

int engine_dispatch(struct brood *b)
{
	VISIT(visit);
	int r = visit_begin(&visit, b);
	int results;
	bool lost;

	if (r < 0)
		return r;
	/* -1: there is no such queue. Else its epoll has said whether there is something to read */
	results = direct_dispatch(b);
	engine_lock(b);
	if (b->state != ENGINE_RUNNING) {
		engine_unlock(b);
		return engine_fail_stopped();
	}
	if (results < 0)
		channel_ours(b);
	if (b->out_state == OUT_FULL || out_due(b))
		out_flush(b);
	else if (b->timer_set)
		out_watch(b);
	if (results < 0)
		channel_read(b, &b->dispatcher, NULL);
	if (b->news_set)
		fds_unpoke(b->news_fd);
	b->news_set = false;
	r = (int)MIN(b->news, (uint32_t)INT32_MAX);
	b->news = 0;
	channel_log(b, LOG_ROUND);
	lost = b->lost;
	engine_unlock(b);
	return lost ? engine_fail_gone() : r + MAX(results, 0);
}
