/* SPDX-License-Identifier: MIT */
/*
 * loglines.c - the supervisor's log lines, which come on a socket of their own. The program's
 * callback runs without brood.lock, in one thread at a time; meanwhile the other threads leave that
 * socket alone.
 */
#include "loglines.h"

#include "channel.h"
#include "engine_root.h"
#include "inbox.h"
#include "waiter.h"

#include "../wire/frame.h"
#include <sys/epoll.h>
#include <sys/socket.h>

void loglines_end(struct brood *b)
{
	if (!b->log_ended)
		channel_unwatch(b, b->log_fd);
	b->log_ended = true;
}

bool loglines_wanted(const struct brood *b)
{
	return b->options.log && !b->logging && !b->log_ended;
}

void loglines_watch(struct brood *b, bool on)
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
		.pool = m->pool > 0 && m->pool <= b->pools_count
			? pool_shown(&b->pools[m->pool - 1])
			: NULL,
		.function = m->function[0] ? m->function : NULL,
		.tag = m->tag[0] ? m->tag : NULL,
	};

	b->options.log(b->options.log_context, &log);
}

/* 1: there may be more lines; 0: there is none now; -errno: there will never be one. */
static int log_next(const struct brood *b)
{
	struct frame f;
	int r = frame_receive(b->log_fd, &f, MSG_DONTWAIT);

	if (r == -EBADMSG)
		return 1; /* a damaged line costs only that line */
	if (fail_is_later(r))
		return 0;
	if (r <= 0)
		return -ENOTCONN;
	if (f.header.type == MESSAGE_LOG)
		log_line(b, &f.log);
	frame_done(&f);
	return 1;
}

void loglines_read(struct brood *b, int limit)
{
	int r = 1;

	if (!loglines_wanted(b))
		return;
	b->logging = true;
	loglines_watch(b, false);
	engine_unlock(b);
	while (r > 0 && limit-- > 0)
		r = log_next(b);
	engine_lock(b);
	b->logging = false;
	b->log_ended |= r < 0;
	inbox_log_free(&b->log_waits);
	if (b->state == ENGINE_STOPPED)
		return;
	if (b->log_ended)
		channel_unwatch(b, b->log_fd);
	else
		loglines_watch(b, true);
	if (b->leader && !b->log_ended)
		waiter_poke(b->leader); /* the leader did not poll the log socket meanwhile */
}
