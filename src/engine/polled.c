/* SPDX-License-Identifier: MIT */
/* polled.c - for event loops: brood_fd() and brood_dispatch(). */
#include "channel.h"
#include "loglines.h"
#include "out.h"
#include "unsent.h"
#include "queues.h"
#include "engine_root.h"
#include "submit.h"
#include "waiter.h"

int engine_fd(struct brood *b)
{
	VISIT(b);
	int r;

	engine_lock(b);
	if (b->state != ENGINE_RUNNING) {
		r = fail_stopped();
	} else if (b->epoll_fd < 0) {
		r = fail_gone();
	} else {
		r = b->epoll_fd;
		if (!b->fd_used) {
			b->fd_used = true;
			unsent_watch(b);
			if (b->logging)
				loglines_watch(b, false);
			if (b->news || b->lost)
				waiter_tell_poller(b);
			waiter_poke_all(b);
		}
	}
	engine_unlock(b);
	queues_own_polled(b);
	return r;
}

int engine_dispatch(struct brood *b)
{
	VISIT(b);
	int r;
	int results;
	bool lost;

	/*
	 * -1: the brood has no queue of its own, so the channel is read here. Otherwise the queue's
	 * look has read the channel, if there was anything to read.
	 */
	results = submit_dispatch_own(b);
	engine_lock(b);
	if (b->state != ENGINE_RUNNING) {
		engine_unlock(b);
		return fail_stopped();
	}
	if (results < 0)
		channel_ours(b);
	if (b->out_state == OUT_FULL || unsent_due(b))
		out_flush(b);
	else if (b->timer_set)
		unsent_watch(b);
	if (results < 0)
		channel_read(b, &b->dispatcher, NULL);
	if (b->news_set)
		fds_unpoke(b->news_fd);
	b->news_set = false;
	r = (int)MIN(b->news, (uint32_t)INT32_MAX);
	b->news = 0;
	loglines_read(b, LOG_ROUND);
	lost = b->lost;
	engine_unlock(b);
	return lost ? fail_gone() : r + MAX(results, 0);
}
