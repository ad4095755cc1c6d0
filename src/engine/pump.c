/* SPDX-License-Identifier: MIT */
/*
 * pump.c - the rare events of a queue: those of its epoll that belong to no lease, and the end of
 * the supervisor. sleep.c looks at all else.
 */
#include "pump.h"

#include "behind.h"
#include "channel.h"
#include "collect.h"
#include "leasing.h"
#include "lease_state.h"
#include "loglines.h"
#include "out.h"
#include "unsent.h"
#include "pipe.h"
#include "engine_root.h"
#include "stream.h"
#include "queue_jobs.h"
#include "sums.h"

#include <sys/epoll.h>

#define LOG_BATCH 32

/*
 * Under brood.lock. Another thread runs the log callback, or the log has ended. So nobody reads the
 * log now: its fd would stay readable, and the leader would spin. The thread in the log callback
 * says when it is through (loglines.c). Then inbox_look() watches again.
 */
static void unwatch_log(struct queue *l)
{
	struct brood *b = l->brood;

	if (l->fds.gone)
		return;
	epoll_ctl(l->fds.epoll, EPOLL_CTL_DEL, b->log_fd, NULL);
	if (!b->log_ended && list_empty(&l->inbox.log))
		list_append(&l->inbox.log, &b->log_waits);
}

void pump_channel(struct queue *l, bool logs)
{
	struct brood *b = l->brood;

	engine_lock(b);
	if (logs && (b->log_ended || b->logging))
		unwatch_log(l);
	if (channel_ours(b)) {
		if (b->out_state == OUT_FULL || unsent_due(b))
			out_flush(b);
		channel_read(b, NULL, NULL);
		if (logs && !l->results.no_logs && loglines_wanted(b)) {
			/* The log callback must not find the queue locked. */
			engine_unlock(b);
			queue_unlock(l);
			engine_lock(b);
			loglines_read(b, LOG_BATCH);
			engine_unlock(b);
			queue_lock(l);
			return;
		}
	}
	engine_unlock(b);
}

void pump_event(struct queue *l, uint64_t data)
{
	struct queue_job *job;

	switch (QUEUE_EVENT_KIND(data)) {
	case QUEUE_EVENT_WAKE:
		if (!l->sleep.leader &&
			(l->results.delivering_next || !l->sleep.polled || !queue_has_news(l)))
			fds_unpoke(l->inbox.wake_fd);
		break;
	case QUEUE_EVENT_TICK:
		behind_fired(l);
		if (atomic_load_explicit(&l->brood->unsent, memory_order_relaxed))
			pump_channel(l, false);
		break;
	case QUEUE_EVENT_CHANNEL: pump_channel(l, false); break;
	case QUEUE_EVENT_OVER: /* these events would stay readable for ever */
		epoll_ctl(l->fds.epoll, EPOLL_CTL_DEL, l->brood->over_fd, NULL);
		epoll_ctl(l->fds.epoll, EPOLL_CTL_DEL, l->brood->channel_fd, NULL);
		epoll_ctl(l->fds.epoll, EPOLL_CTL_DEL, l->brood->log_fd, NULL);
		break;
	case QUEUE_EVENT_LOG: pump_channel(l, true); break;
	case QUEUE_EVENT_STREAM:
		job = queue_jobs_find(l, data >> 4);
		if (job && job->state == JOB_STREAMED)
			stream_event(l, job);
		else if (job && job->pipe)
			pipe_event(l, job);
		break;
	default: break;
	}
}

static void give_up(struct queue *l, enum brood_detail detail)
{
	list_for_each_safe(link, tmp, &l->leases.list) {
		struct lease *lease = container_of(link, struct lease, link);

		if (lease->state != LEASE_ASKED)
			collect_done(lease);
		leasing_lost(lease);
	}
	for (size_t i = 0; i < l->jobs.room; i++) {
		struct queue_job *job = l->jobs.table[i];
		struct brood_verdict v = { .outcome = BROOD_LOST, .detail = detail };

		if (!job || job->state == JOB_CLOSED)
			continue;
		if ((job->state == JOB_WAITING || job->state == JOB_PAUSED) && l->brood->stopped) {
			queue_jobs_refuse(l, job, BROOD_DETAIL_DRAINING);
			continue;
		}
		v.started = job->state >= JOB_RINGED;
		if (job->state == JOB_RINGED) { /* the job's lease may be gone already */
			l->leases.ringed--;
			job->state = JOB_NEW;
		}
		if (job->state == JOB_STREAMED) {
			stream_free(l, job);
			status_verdict(SUMS_PLACE(l, job->pool), v.outcome, v.detail);
		}
		queue_jobs_close(l, job, &v);
	}
	list_for_each_safe(link, tmp, &l->leases.list)
		leasing_drop(container_of(link, struct lease, link));
}

/* The supervisor is gone: nothing more will come. */
void pump_lost(struct queue *l)
{
	struct brood *b = l->brood;
	bool lost;

	engine_lock(b);
	lost = b->lost || b->state == ENGINE_STOPPED;
	if (b->epoll_fd < 0) {
		/* the program closed the fds, and may have others with these numbers */
		l->fds.gone = true;
		l->inbox.wake_fd = -1;
	}
	engine_unlock(b);
	if (!lost)
		return;
	give_up(l, b->stopped ? BROOD_DETAIL_STOP_TIME : BROOD_DETAIL_CHANNEL);
	l->pinned.over |= l->kind == QUEUE_PINNED;
	queue_wake(l, &l->sleep.takers);
}
