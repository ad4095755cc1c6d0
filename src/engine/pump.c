/* SPDX-License-Identifier: MIT */
/*
 * pump.c - what has happened in a queue, looked at in one function (settle) in one order. sleep.c
 * waits until something happens.
 *
 * Looking costs no system call when completions can be seen in memory; the epoll is asked when none
 * can, and every so often all the same.
 */
#include "pump.h"

#include "behind.h"
#include "channel.h"
#include "collect.h"
#include "inbox_look.h"
#include "leasing.h"
#include "lease_state.h"
#include "loglines.h"
#include "out.h"
#include "unsent.h"
#include "pipe.h"
#include "place.h"
#include "queue.h"
#include "queue_job.h"
#include "queue_jobs.h"
#include "engine_root.h"
#include "stream.h"
#include "job_verdict.h"

#include "../base/base.h"
#include "../os/fds.h"
#include <sys/epoll.h>

#define LOOKS_WITHOUT_EPOLL 64
#define LOG_BATCH           32

static struct lease *lease_of(struct queue *l, uint64_t data)
{
	uint32_t index = (uint32_t)data >> 4;
	struct lease *lease = index < l->leases.table_size ? l->leases.table[index] : NULL;

	return lease && lease->serial == (uint32_t)(data >> 32) ? lease : NULL;
}

void pump_channel(struct queue *l, bool logs)
{
	struct brood *b = l->brood;

	engine_lock(b);
	/* nobody reads them: they would be readable for ever */
	if (logs && b->log_ended && !l->fds.gone)
		epoll_ctl(l->fds.epoll, EPOLL_CTL_DEL, b->log_fd, NULL);
	if (channel_ours(b)) {
		if (b->out_state == OUT_FULL || unsent_due(b))
			out_flush(b);
		channel_read(b, NULL, NULL);
		if (logs && !l->results.delivering) {
			/* The callback must not find the queue locked. */
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

static void wake_drain(struct queue *l) { fds_unpoke(l->inbox.wake_fd); }

static void on_event(struct queue *l, uint64_t data)
{
	struct lease *lease;
	struct queue_job *job;

	switch (QUEUE_EVENT_KIND(data)) {
	case QUEUE_EVENT_WAKE:
		if (!l->sleep.leader &&
			(l->results.delivering_next || !l->sleep.polled || !queue_has_news(l)))
			wake_drain(l);
		break;
	case QUEUE_EVENT_TICK: behind_fired(l); break;
	case QUEUE_EVENT_CHANNEL: pump_channel(l, false); break;
	case QUEUE_EVENT_OVER: /* these would be readable for ever */
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
	default:
		lease = lease_of(l, data);
		if (lease && QUEUE_EVENT_KIND(data) == QUEUE_EVENT_DONE)
			collect_done(lease);
		else if (lease)
			collect_side(lease);
		break;
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
		if (job->state == JOB_WAITING && l->brood->stopped) {
			job_verdict_refuse(l, job, BROOD_DETAIL_DRAINING);
			continue;
		}
		v.started = job->state == JOB_RINGED || job->state == JOB_STREAMED;
		if (job->state == JOB_RINGED)
			l->leases.ringed--;
		if (job->state == JOB_STREAMED)
			stream_free(l, job);
		job_verdict_give(l, job, &v);
	}
	list_for_each_safe(link, tmp, &l->leases.list)
		leasing_drop(container_of(link, struct lease, link));
}

/* The supervisor is gone: nothing will come any more. */
static void all_lost(struct queue *l)
{
	struct brood *b = l->brood;
	bool lost;

	engine_lock(b);
	lost = b->lost || b->state == ENGINE_STOPPED;
	if (b->epoll_fd < 0) {
		/* the program closed them, and may have others with these numbers */
		l->fds.gone = true;
		l->inbox.wake_fd = -1;
	}
	engine_unlock(b);
	if (!lost)
		return;
	give_up(l, b->stopped ? BROOD_DETAIL_STOP_TIME : BROOD_DETAIL_CHANNEL);
	queue_wake(l, &l->sleep.takers);
}

/* Also where all jobs were withdrawn (ringed is 0): once a worker has passed them by it is idle. */
static void scan(struct queue *l)
{
	list_for_each_safe(link, tmp, &l->leases.list) {
		struct lease *lease = container_of(link, struct lease, link);

		if (lease->state != LEASE_ASKED && ring_used(lease) > 0)
			collect_done(lease);
	}
}

/* After whatever happened. */
static void settle(struct queue *l)
{
	if (atomic_load_explicit(&l->inbox.full, memory_order_acquire))
		inbox_look(l);
	if (atomic_load_explicit(&l->brood->queues_ended, memory_order_acquire))
		all_lost(l);
	if (l->waiting.count > 0 || l->leases.asked > 0)
		place_waiting(l);
	if (!queue_flows(l))
		behind_watch(l);
	if (l->leases.wakes)
		place_flush(l);
}

void pump_heard(struct queue *l, const struct epoll_event *events, int n)
{
	if (n < 0 && errno != EINTR)
		pump_channel(l, false); /* is it our epoll at all? */
	for (int i = 0; i < n; i++)
		on_event(l, events[i].data.u64);
	scan(l);
	settle(l);
}

void pump_look(struct queue *l)
{
	struct epoll_event events[QUEUE_EVENTS];

	l->sleep.looks = 0;
	pump_heard(l, events, l->fds.gone ? 0 : epoll_wait(l->fds.epoll, events, QUEUE_EVENTS, 0));
}

void pump_glance(struct queue *l)
{
	if (++l->sleep.looks >= LOOKS_WITHOUT_EPOLL) {
		pump_look(l);
		return;
	}
	scan(l);
	settle(l);
}
