/* SPDX-License-Identifier: MIT */
/*
 * pump.c - what has happened in a lane. (sleep.c waits until something does.)
 *
 * Looking costs no system call when completions can be seen in memory; the epoll is asked when none
 * can, and every so often all the same.
 */
#include "lane.h"
#include "pipe.h"

#include "behind.h"

#include <stdlib.h>
#include <sys/epoll.h>

#define LOOKS_WITHOUT_EPOLL 64
#define SCAN_MAX            8
#define LOG_BATCH           32

/* ---- who gets the next job ---- */

static uint64_t least(struct lane *l, struct lease **ret)
{
	uint64_t cost = TIME_NEVER;
	uint32_t seen = 0;

	list_for_each_safe(link, tmp, &l->leases) {
		struct lease *lease = container_of(link, struct lease, link);

		if (lease->state != LEASE_ACTIVE || ring_used(lease) >= RING_DEPTH ||
			atomic_load_explicit(&lease->ledger->leaving, memory_order_relaxed))
			continue;
		if (lease->cost_ns < cost) {
			cost = lease->cost_ns;
			*ret = lease;
		}
		if (++seen == SCAN_MAX) { /* others next time */
			list_remove(&l->leases);
			list_insert(&l->leases, link);
			break;
		}
	}
	return cost;
}

struct lease *lane_idle(struct lane *l)
{
	list_for_each_safe(link, tmp, &l->idle) {
		struct lease *lease = container_of(link, struct lease, idle);

		if (!atomic_load_explicit(&lease->ledger->leaving, memory_order_relaxed))
			return lease;
	}
	return NULL;
}

/*
 * The one worker: behind short jobs only, so that what waits can still be refused or cancelled at
 * once.
 */
static struct lease *kept_one(const struct lane *l, const struct lane_job *job)
{
	struct lease *kept = l->kept;

	if (!kept || kept->state != LEASE_ACTIVE)
		return NULL;
	if (ring_used(kept) == 0)
		return kept;
	return !job->alone && !(job->job_flags & BROOD_JOB_ONCE) &&
			kept->cost_ns + pick_estimate(job->function->est_ns) <= PICK_FULL_NS
		? kept
		: NULL;
}

static struct lease *choose(struct lane *l, const struct lane_job *job)
{
	struct lease *warm = l->warm, *idle = lane_idle(l), *other = NULL;
	struct pick_view view = { .warm_cost = TIME_NEVER,
		.least_cost = TIME_NEVER,
		.idle = idle,
		.once = job->alone || (job->job_flags & BROOD_JOB_ONCE),
		.est_ns = job->function->est_ns };

	if (l->kind == LANE_KEPT)
		return kept_one(l, job);
	if (warm && ring_used(warm) > 0 && ring_used(warm) < RING_DEPTH &&
		!atomic_load_explicit(&warm->ledger->leaving, memory_order_relaxed))
		view.warm_cost = warm->cost_ns;
	if (!idle)
		view.least_cost = least(l, &other);
	switch (pick_lease(&view)) {
	case PICK_WARM: return warm;
	case PICK_IDLE: return idle;
	case PICK_LEAST: return other;
	default: return NULL;
	}
}

/* true: it is in a ring, or has its verdict. */
bool lane_place(struct lane *l, struct lane_job *job, const struct given *order)
{
	for (;;) {
		struct lease *lease = choose(l, job);
		int r;

		if (!lease)
			return false;
		r = ring_publish(lease, job, order);
		if (r == 0) {
			l->warm = lease;
			l->wakes = true;
			return true;
		}
		if (r == -ENOBUFS)
			return false;
		if (r != -EPIPE && r != -ECONNRESET && r != -ENOTCONN) {
			/* its fds cannot be sent, to nobody */
			lane_refuse(l, job, BROOD_DETAIL_FD_LOST);
			return true;
		}
		settle_dying(lease);
	}
}

static void ask(struct lane *l)
{
	uint32_t more = l->kind == LANE_KEPT ? 0
					     : pick_more(&(struct pick_load){ .waiting = l->queued,
						       .waiting_ns = l->queued_ns,
						       .active = l->active,
						       .stalled = l->stalled,
						       .asked = l->asked,
						       .limit = l->leases_limit });

	l->ask_held = more > 0 && l->ask_again && now_ns() < l->ask_again;
	for (uint32_t i = 0; i < more && !l->ask_held; i++)
		l->ask_held = loan_ask(l, BROOD_FOREVER, l->brood->options.queue_ms) < 0;
}

void lane_assign(struct lane *l)
{
	while (!list_empty(&l->queue)) {
		struct lane_job *job = container_of(list_first(&l->queue), struct lane_job, link);

		uint64_t until = job->waiting_until;

		lane_unqueue(l, job);
		job->state = JOB_NEW;
		if (!lane_place(l, job, NULL)) {
			lane_wait_for(l, job, true);
			job->waiting_until = until;
			l->queue_due = MIN(l->queue_due, until);
			break;
		}
		if (job->bytes && job->state == JOB_RINGED) {
			free(job->bytes);
			job->bytes = NULL;
		}
	}
	if (l->queued)
		ask(l);
	else if (l->asked && l->active > 0 && l->kind == LANE_QUEUE)
		/*
		 * asked for when nobody knew how short the jobs are: others may want those workers
		 */
		loan_unask(l);
}

void lane_flush(struct lane *l)
{
	if (!l->wakes)
		return;
	l->wakes = false;
	list_for_each_safe(link, tmp, &l->leases) {
		struct lease *lease = container_of(link, struct lease, link);

		if (lease->said != lease->published && lease->state != LEASE_ASKED)
			ring_say(lease);
		if (lease->to_wake)
			ring_wake(lease);
	}
}

/* ---- events ---- */

static struct lease *lease_of(struct lane *l, uint64_t data)
{
	uint32_t index = (uint32_t)data >> 4;
	struct lease *lease = index < l->table_size ? l->table[index] : NULL;

	return lease && lease->serial == (uint32_t)(data >> 32) ? lease : NULL;
}

void lane_hear_channel(struct lane *l, bool logs)
{
	struct brood *b = l->brood;

	engine_lock(b);
	/* nobody reads them: they would be readable for ever */
	if (logs && b->log_ended && !l->gone)
		epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, b->log_fd, NULL);
	if (channel_ours(b)) {
		if (b->out_state == OUT_FULL || out_due(b))
			out_flush(b);
		channel_read(b, NULL, NULL);
		if (logs && !l->delivering) {
			/* The callback must not find the lane locked. */
			engine_unlock(b);
			lane_unlock(l);
			engine_lock(b);
			channel_log(b, LOG_BATCH);
			engine_unlock(b);
			lane_lock(l);
			return;
		}
	}
	engine_unlock(b);
}

static void wake_drain(struct lane *l) { fds_unpoke(l->wake_fd); }

static void on_event(struct lane *l, uint64_t data)
{
	struct lease *lease;
	struct lane_job *job;

	switch (LANE_EVENT_KIND(data)) {
	case LANE_EVENT_WAKE:
		if (!l->leader && (l->delivering_next || !l->polled || !lane_has_news(l)))
			wake_drain(l);
		break;
	case LANE_EVENT_TICK: behind_fired(l); break;
	case LANE_EVENT_CHANNEL: lane_hear_channel(l, false); break;
	case LANE_EVENT_OVER: /* these would be readable for ever */
		epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, l->brood->over_fd, NULL);
		epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, l->brood->channel_fd, NULL);
		epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, l->brood->log_fd, NULL);
		break;
	case LANE_EVENT_LOG: lane_hear_channel(l, true); break;
	case LANE_EVENT_STREAM:
		job = lane_find(l, data >> 4);
		if (job && job->state == JOB_STREAMED)
			stream_event(l, job);
		else if (job && job->pipe)
			pipe_event(l, job);
		break;
	default:
		lease = lease_of(l, data);
		if (lease && LANE_EVENT_KIND(data) == LANE_EVENT_BELL)
			ring_harvest(lease);
		else if (lease)
			ring_hear(lease);
		break;
	}
}

/* The supervisor is gone: nothing will come any more. */
static void all_lost(struct lane *l)
{
	struct brood *b = l->brood;
	bool lost;

	engine_lock(b);
	lost = b->lost || b->state == ENGINE_STOPPED;
	l->gone |= b->epoll_fd < 0;
	engine_unlock(b);
	if (!lost)
		return;
	lane_give_up(l, b->stopped ? BROOD_DETAIL_STOP_TIME : BROOD_DETAIL_CHANNEL);
	lane_wake(l, &l->takers);
}

/* Also where all jobs were withdrawn (ringed is 0): once a worker has passed them by it is idle. */
static void scan(struct lane *l)
{
	list_for_each_safe(link, tmp, &l->leases) {
		struct lease *lease = container_of(link, struct lease, link);

		if (lease->state != LEASE_ASKED && ring_used(lease) > 0)
			ring_harvest(lease);
	}
}

void lane_inbox(struct lane *l)
{
	if (!atomic_load_explicit(&l->inbox_full, memory_order_acquire))
		return;
	/* before the look: what comes later says so again */
	atomic_store_explicit(&l->inbox_full, false, memory_order_release);
	loan_inbox(l);
	stream_inbox(l);
}

/* After whatever happened. */
static void settle(struct lane *l)
{
	lane_inbox(l);
	if (atomic_load_explicit(&l->brood->lanes_over, memory_order_acquire))
		all_lost(l);
	lane_assign(l);
	behind_watch(l);
	lane_flush(l);
}

void lane_heard(struct lane *l, const struct epoll_event *events, int n)
{
	if (n < 0 && errno != EINTR)
		lane_hear_channel(l, false); /* is it our epoll at all? */
	for (int i = 0; i < n; i++)
		on_event(l, events[i].data.u64);
	scan(l);
	settle(l);
}

void lane_look(struct lane *l)
{
	struct epoll_event events[LANE_EVENTS];

	l->looks = 0;
	lane_heard(l, events, l->gone ? 0 : epoll_wait(l->epoll_fd, events, LANE_EVENTS, 0));
}

void lane_glance(struct lane *l)
{
	if (++l->looks >= LOOKS_WITHOUT_EPOLL) {
		lane_look(l);
		return;
	}
	scan(l);
	settle(l);
}

/* ---- to whom it belongs ---- */

void lane_progress_came(struct lane *l, struct lane_job *job)
{
	if (job->waited) {
		lane_wake(l, &job->sleeper);
		return;
	}
	if (list_empty(&job->talks))
		list_append(&job->talks, &l->talkers);
	if (!l->taking)
		lane_wake_one(l, &l->takers);
}

void lane_progress(struct lane *l, struct lane_job *job, const struct message_progress *m)
{
	struct message_progress named = *m;

	named.id = job->id; /* not what a worker says */
	if (job->progress_count >= PROGRESS_MAX ||
		!progress_add(&job->progress, job->on_progress, job->result.context, &named))
		return;
	job->progress_count++;
	lane_progress_came(l, job);
}

/* The job stays: while it is told of, nobody closes it for good. */
static void tell(struct lane *l, struct lane_job *job)
{
	struct list batch;

	list_init(&batch);
	progress_move(&job->progress, &batch);
	job->progress_count = 0;
	job->telling = true;
	l->delivering++;
	lane_unlock(l);
	progress_tell(&batch);
	lane_lock(l);
	l->delivering--;
	job->telling = false;
}

void lane_tell_own(struct lane *l, struct lane_job *job)
{
	while (!list_empty(&job->progress))
		tell(l, job);
}

/* Never two threads for one job, and its result not before they are through. */
static void tell_progress(struct lane *l)
{
	list_for_each_safe(link, tmp, &l->talkers) {
		struct lane_job *job = container_of(link, struct lane_job, talks);

		if (job->telling)
			continue;
		while (!list_empty(&job->progress))
			tell(l, job);
		list_remove(&job->talks);
		if (job->held) {
			job->held = false;
			lane_result(l, job);
		}
		tmp = l->talkers.next; /* others were here meanwhile */
	}
}

static __thread const struct lane *delivering_lane;

bool lane_delivers(const struct lane *l) { return delivering_lane == l; }

static void call_back(struct list *batch)
{
	list_for_each_safe(link, tmp, batch) {
		struct lane_job *job = container_of(link, struct lane_job, link);

		job->on_done(job->result.context, &job->result);
	}
}

/* One round: what callbacks submit, and is done at once, comes with the next. */
int lane_deliver(struct lane *l)
{
	const struct lane *before = delivering_lane;
	uint32_t handles = l->handle_news;
	struct list batch;
	int count;

	tell_progress(l);
	list_init(&batch);
	while (!list_empty(&l->callbacks)) {
		struct list *link = list_first(&l->callbacks);

		list_remove(link);
		list_append(link, &batch);
	}
	if (!list_empty(&batch)) {
		l->delivering++;
		delivering_lane = l;
		lane_unlock(l);
		call_back(&batch);
		lane_lock(l);
		delivering_lane = before;
		l->delivering--;
		list_for_each_safe(link, tmp, &batch)
			lane_job_free(l, container_of(link, struct lane_job, link));
		lane_assign(l);
	}
	lane_flush(l);
	count = (int)MIN(l->news, (uint32_t)INT32_MAX);
	l->news = 0;
	l->handle_news -= MIN(handles, l->handle_news);
	return count;
}

/* ---- all lanes ---- */

void lane_give_up(struct lane *l, enum brood_detail detail)
{
	list_for_each_safe(link, tmp, &l->leases) {
		struct lease *lease = container_of(link, struct lease, link);

		if (lease->state != LEASE_ASKED)
			ring_harvest(lease);
		settle_lost(lease);
	}
	for (size_t i = 0; i < l->jobs_room; i++) {
		struct lane_job *job = l->jobs[i];
		struct brood_verdict v = { .outcome = BROOD_LOST, .detail = detail };

		if (!job || job->state == JOB_CLOSED)
			continue;
		if (job->state == JOB_WAITING && l->brood->stopped) {
			lane_refuse(l, job, BROOD_DETAIL_DRAINING);
			continue;
		}
		v.started = job->state == JOB_RINGED || job->state == JOB_STREAMED;
		if (job->state == JOB_RINGED)
			l->ringed--;
		if (job->state == JOB_STREAMED)
			stream_free(l, job);
		lane_close(l, job, &v);
	}
	list_for_each_safe(link, tmp, &l->leases)
		loan_drop(container_of(link, struct lease, link));
}
