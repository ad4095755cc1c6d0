/* SPDX-License-Identifier: MIT */
/*
 * jobs.c - a job's way through the supervisor: record, queue, worker, verdict, socket. The only
 * place where a job's state changes. Requests for leases wait in the same queue (lease.c).
 */
#include "internal.h"
#include "slot.h"
#include "../os/sockets.h"

#include <inttypes.h>

struct job *job_of(struct record_link *l) { return l ? container_of(l, struct job, link) : NULL; }

/* ---- verdicts ---- */

static void close_fds(struct job *job)
{
	for (uint32_t i = 0; i < job->fds_count; i++)
		closing_fd(job->fds[i]);
	job->fds_count = 0;
}

static bool refused_for_long(struct job *job)
{
	uint64_t now = now_ns();

	if (job->refused_ns == 0)
		job->refused_ns = now;
	return now - job->refused_ns >= REPLY_FDS_NS;
}

static int tell_verdict(struct supervisor *s, struct job *job)
{
	struct frame f;
	int r;

	frame_begin(&f, MESSAGE_VERDICT);
	f.verdict.verdict = job->verdict;
	f.fds_count = job->fds_count;
	memcpy(f.fds, job->fds, job->fds_count * sizeof f.fds[0]);
	r = frame_send(s->config.channel_fd, &f);
	if (r == 0 || job->fds_count == 0 ||
		(supervisor_passes(r) && (r != -ETOOMANYREFS || !refused_for_long(job))))
		return r;
	plain_log(s, BROOD_WARNING, BROOD_EVENT_RESOURCE,
		"the files that came with the reply of job %" PRIu64 " are dropped: %s",
		job->link.id, strerror(-r));
	close_fds(job); /* whatever was wrong with them: the verdict goes */
	f.fds_count = 0;
	return frame_send(s->config.channel_fd, &f);
}

static int tell(struct supervisor *s, struct job *job)
{
	if (s->engine.channel_ended || s->engine.ended)
		return 0; /* nobody to tell */
	return job->is_lease ? lease_tell_over(s, job) : tell_verdict(s, job);
}

/* A full socket says when there is room; where something else is short only time tells. */
static void flush_later(struct supervisor *s, int r)
{
	uint32_t events = r == -EAGAIN ? EPOLLIN | EPOLLOUT : EPOLLIN;

	if (s->engine.channel.fd < 0 || loop_modify(&s->loop, &s->engine.channel, events) < 0 ||
		r != -EAGAIN)
		note(s, NOTE_RETRY);
}

void jobs_flush(struct supervisor *s)
{
	struct job *job;
	int r = leases_tell_lent(s);

	if (r < 0) {
		flush_later(s, r);
		return;
	}
	while ((job = job_of(records_told(&s->records)))) {
		r = tell(s, job);
		if (supervisor_passes(r)) {
			flush_later(s, r);
			return;
		}
		close_fds(job);
		/* taken, or the engine is gone and its end will be seen */
		records_release(&s->records, &job->link);
		note(s, NOTE_STOP);
	}
	if (s->engine.channel.fd >= 0 && (s->engine.channel.events & EPOLLOUT) &&
		loop_modify(&s->loop, &s->engine.channel, EPOLLIN) < 0)
		note(s, NOTE_RETRY);
}

static void cut_from_slot(struct job *job)
{
	if (job->slot) {
		job->slot->job = NULL;
		job->slot = NULL;
	}
}

/* Who it was and where. Without a slot it says what it said before of the worker, if it had one. */
static void fill(struct job *job)
{
	struct brood_verdict *v = &job->verdict;
	struct slot *slot = job->slot;
	uint64_t now = now_ns(), given = MIN(job->message.given_ns, now);

	v->size = sizeof *v;
	v->id = job->link.id;
	memcpy(v->name, job->message.name, sizeof v->name);
	v->attempts = job->message.attempt + job->attempts;
	if (slot) {
		v->path = BROOD_PATH_HANDOFF;
		v->queue_us = (job->assigned_ns - MIN(given, job->assigned_ns)) / NS_PER_US;
		v->pid = slot->pid ? slot->pid : v->pid;
		v->slot = slot->number;
		v->generation = slot->generation;
		v->run_us = (now - job->assigned_ns) / NS_PER_US;
	} else if (!job->ran) {
		v->queue_us = (now - given) / NS_PER_US;
	}
}

/*
 * A socket that was given may be a client's: its rest is sent in the kernel's own time, whatever
 * SO_LINGER says.
 */
static void close_own_fds(struct job *job)
{
	if (job->fds_count > 0)
		job->fds[0] = job->message.own_pair ? closing_pair_end(job->fds[0])
						    : sockets_close(job->fds[0]);
	close_fds(job);
}

void job_settle(struct job *job, struct frame *f)
{
	close_own_fds(job);
	job->replied = true;
	for (size_t i = 0; i < f->fds_count && i < BROOD_JOB_FDS_MAX && !f->fds_lost; i++)
		job->fds[job->fds_count++] = frame_take_fd(f, i);
}

void job_decided(struct supervisor *s, struct job *job)
{
	struct brood_verdict *v = &job->verdict;

	if (job->ran && v->outcome == BROOD_REFUSED) /* that says that it never ran */
		*v = job->before;
	fill(job);
	v->started |= job->ran;
	cut_from_slot(job);
	timer_stop(&s->loop, &job->queue_timer);
	if (!job->replied)
		close_own_fds(job);
	atomic_fetch_add_explicit(&s->board->verdicts[v->outcome], 1, memory_order_relaxed);
	records_tell(&s->records, &job->link);
	note(s, NOTE_TELL | NOTE_GAUGES);
}

void job_refuse(struct supervisor *s, struct job *job, enum brood_detail detail)
{
	if (job->is_lease) {
		lease_refuse(s, job, detail);
		return;
	}
	job->verdict = (struct brood_verdict){ .outcome = BROOD_REFUSED, .detail = detail };
	job_decided(s, job);
}

void jobs_refuse_queue(struct supervisor *s, enum brood_detail detail)
{
	struct record_link *l;

	while ((l = records_parked(&s->records)) || (l = records_next(&s->records)))
		job_refuse(s, job_of(l), detail);
}

/* ---- the queue ---- */

static void queue_time_up(struct loop *loop, struct timer *timer, uint64_t now)
{
	struct job *job = container_of(timer, struct job, queue_timer);
	struct supervisor *s = container_of(loop, struct supervisor, loop);

	(void)now;
	job_refuse(s, job, BROOD_DETAIL_QUEUE_TIME);
}

static void enqueue(struct supervisor *s, struct job *job, bool front)
{
	uint64_t now = now_ns();

	records_queue(&s->records, &job->link, front);
	note(s, NOTE_QUEUE | NOTE_GAUGES);
	if (s->halt.phase == HALT_DRAIN)
		note(s, NOTE_BIRTH); /* births go on while something is queued */
	/*
	 * Each attempt has its own time to wait: that it ran for long was no waiting. How many
	 * there are is bounded.
	 */
	timer_set(&s->loop, &job->queue_timer,
		time_after_ms(
			front ? now : MIN(job->message.given_ns, now), job->message.queue_ms));
}

/*
 * Degraded, and nobody there who might do it after all. A worker that is ready gets jobs: doing one
 * is what ends the pool's being degraded.
 */
bool jobs_hopeless(const struct supervisor *s)
{
	return supervisor_ready(s) == 0 && (s->backoff.degraded || slots_working(&s->slots) == 0);
}

void job_begin(struct job *job, const struct message_job *m)
{
	job->message = *m;
	job->message.name[BROOD_NAME_MAX - 1] = '\0';
	job->is_lease = false;
	job->fds_count = 0;
	job->attempts = job->redispatched = 0;
	job->retries_left = m->retries;
	job->assigned_ns = 0;
	job->ran = job->replied = false;
	job->slot = NULL;
	job->refused_ns = 0;
	list_init(&job->untold);
	timer_init(&job->queue_timer, queue_time_up);
}

void job_take_fds(struct job *job, struct frame *f)
{
	for (; job->fds_count < f->fds_count && job->fds_count < ARRAY_SIZE(job->fds);
		job->fds_count++)
		job->fds[job->fds_count] = frame_take_fd(f, job->fds_count);
}

void job_enqueue(struct supervisor *s, struct job *job)
{
	if (jobs_hopeless(s))
		job_refuse(s, job, BROOD_DETAIL_DEGRADED);
	else
		enqueue(s, job, false);
}

void job_again(struct supervisor *s, struct job *job)
{
	cut_from_slot(job);
	if (jobs_hopeless(s))
		job_refuse(s, job, BROOD_DETAIL_DEGRADED);
	else if (s->halt.phase >= HALT_CANCEL)
		job_refuse(s, job, BROOD_DETAIL_DRAINING);
	else
		enqueue(s, job, true);
}

static bool cancel_wished(const struct job *job)
{
	return job->slot && job->slot->ladder.cause == LADDER_CAUSE_CANCEL;
}

bool job_redispatch(struct supervisor *s, struct job *job)
{
	if (cancel_wished(job)) {
		job->verdict.outcome = BROOD_CANCELLED;
		job->verdict.detail = BROOD_DETAIL_NONE;
		return false;
	}
	if ((job->message.flags & BROOD_JOB_ONCE) || job->redispatched >= REDISPATCH_MAX)
		return false;
	job->redispatched++;
	atomic_fetch_add_explicit(&s->board->redispatched, 1, memory_order_relaxed);
	job_again(s, job);
	return true;
}

bool job_retry(struct supervisor *s, struct job *job)
{
	if (job->retries_left == 0 || !fate_retryable(&job->verdict) || stop_refusing(s) ||
		cancel_wished(job))
		return false;
	job->retries_left--;
	atomic_fetch_add_explicit(&s->board->retried, 1, memory_order_relaxed);
	fill(job);
	job->before = job->verdict;
	job->ran = true;
	job_again(s, job);
	return true;
}

static bool sane(const struct frame *f)
{
	const struct message_job *m = &f->job;

	return m->id != 0 && (m->fn != 0) != (m->plugin_size != 0) &&
		m->arg_size <= BROOD_ARG_MAX && m->plugin_size <= m->arg_size;
}

void job_accept(struct supervisor *s, struct frame *f)
{
	struct job *job;

	if (!sane(f) || !(job = job_of(records_claim(&s->records, f->job.id)))) {
		plain_log(s, BROOD_ERR, BROOD_EVENT_PROTOCOL,
			"the engine gave a job that makes no sense; its library's memory is "
			"damaged");
		return;
	}
	job_begin(job, &f->job);
	memcpy(job->arg, frame_rest(f), f->job.arg_size);
	job_take_fds(job, f);
	if (job->fds_count < f->header.fds)
		job_refuse(s, job, BROOD_DETAIL_FD_LOST);
	else if (stop_refusing(s))
		job_refuse(s, job, BROOD_DETAIL_DRAINING);
	else
		job_enqueue(s, job);
}

/* ---- to a worker ---- */

static int send_run(struct slot *slot, struct job *job, uint64_t now)
{
	const struct message_job *m = &job->message;
	struct frame f;

	frame_begin(&f, MESSAGE_RUN);
	f.run.id = job->link.id;
	f.run.sequence = slot->sequence;
	f.run.fn = m->fn;
	f.run.request_size = m->request_size;
	f.run.soft_ns = time_after_ms(now, m->run_ms);
	f.run.attempt = m->attempt + job->attempts + 1;
	f.run.plugin_size = m->plugin_size;
	f.run.own_pair = m->own_pair;
	memcpy(f.run.name, m->name, sizeof f.run.name);
	frame_append(&f, job->arg, m->arg_size);
	memcpy(f.fds, job->fds, job->fds_count * sizeof f.fds[0]);
	f.fds_count = job->fds_count;
	return frame_send(slot->channel.fd, &f);
}

static void assigned(struct supervisor *s, struct slot *slot, struct job *job, uint64_t now)
{
	timer_stop(&s->loop, &job->queue_timer);
	records_run(&s->records, &job->link);
	job->assigned_ns = now;
	job->attempts++;
	job->slot = slot;
	slot->job = job;
	slot->condemned = slot->stuck = false;
	slot->escaped = 0;
	slot_move(slot, SLOT_BUSY);
	climb_start(slot, &job->message, now);
}

static int run(struct supervisor *s, struct slot *slot, struct job *job, uint64_t now)
{
	_Atomic uint64_t *word = &shared_desk(s->config.shared, slot->number)->word;
	int r;

	slot->sequence++;
	atomic_store(word, DESK_WORD(slot->sequence, DESK_ASSIGNED));
	r = send_run(slot, job, now);
	if (r == 0)
		assigned(s, slot, job, now);
	else
		atomic_store(word, DESK_WORD(slot->sequence, DESK_FREE));
	return r;
}

/* 0: it runs; 1: this worker was no good, try another; -errno: not now. */
static int give(struct supervisor *s, struct slot *slot, struct job *job)
{
	uint64_t now = now_ns();
	int r;

	cores_adjust(slot, now);
	r = slot->paused               ? -EAGAIN
		: slot->channel.fd < 0 ? -EPIPE
		: job->is_lease        ? lease_lend(s, slot, job, now)
				       : run(s, slot, job, now);
	if (r == 0 || supervisor_passes(r))
		return r;
	/*
	 * It is dying, and its pidfd will say so; if it is not, it is useless all the same and is
	 * killed then.
	 */
	worker_to_ending(slot, now + EOF_GRACE_MS * NS_PER_MS);
	return 1;
}

/*
 * A request that waits for another lease to end stands in nobody's way, and has its turn first once
 * that is over.
 */
static struct record_link *next_waiting(struct supervisor *s)
{
	struct record_link *l = records_parked(&s->records);

	if (l && !lease_waits_for_limit(s, job_of(l)))
		return l;
	while ((l = records_next(&s->records)) && lease_waits_for_limit(s, job_of(l)))
		records_park(&s->records, l);
	return l;
}

void jobs_assign(struct supervisor *s)
{
	struct record_link *l;
	struct slot_link *idle;

	while ((l = next_waiting(s)) && (idle = slots_first(&s->slots, SLOT_IDLE))) {
		if (give(s, container_of(idle, struct slot, link), job_of(l)) < 0) {
			note(s, NOTE_RETRY);
			break;
		}
	}
	leases_for_others(s);
}

/* ---- cancel ---- */

void job_cancel(struct supervisor *s, uint64_t id)
{
	struct job *job = job_of(records_find(&s->records, id));

	if (!job || job->is_lease || job->link.state == RECORD_TOLD)
		return; /* it had its verdict already: that is the answer */
	if (job->link.state == RECORD_RUNNING && job->slot) {
		if (job->slot->link.state == SLOT_BUSY)
			job_hurry(job->slot, now_ns(), LADDER_CAUSE_CANCEL);
		return;
	}
	job->verdict = job->ran ? job->before : (struct brood_verdict){ 0 };
	job->verdict.outcome = BROOD_CANCELLED;
	job->verdict.detail = BROOD_DETAIL_NONE;
	job->verdict.signal = job->verdict.core = 0;
	job_decided(s, job);
}
