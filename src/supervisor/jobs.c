/*
 * jobs.c - a job's way through the supervisor: record, queue, worker, ladder, verdict, socket. The only place where a job's state changes.
 */
#include "internal.h"
#include "../os/sockets.h"

#include <sys/resource.h>

struct job *job_of(struct record_link *l)
{
	return l ? container_of(l, struct job, link) : NULL;
}

/* ---- verdicts ---- */

static int tell(struct supervisor *s, struct job *job)
{
	struct frame f;

	if (s->engine.channel_ended || s->engine.ended)
		return 0;              /* nobody to tell */
	frame_begin(&f, MESSAGE_VERDICT);
	f.verdict.verdict = job->verdict;
	return frame_send(s->config.channel_fd, &f);
}

static bool for_later(int r)
{
	return r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM || r == -ETOOMANYREFS || r == -EMFILE || r == -ENFILE || r == -EINTR;
}

void jobs_flush(struct supervisor *s)
{
	struct job *job;

	while ((job = job_of(records_told(&s->records)))) {
		int r = tell(s, job);

		if (for_later(r)) {
			if (s->engine.channel.fd < 0 || loop_modify(&s->loop, &s->engine.channel, EPOLLIN | EPOLLOUT) < 0 || r != -EAGAIN)
				supervisor_retry_later(s);
			return;
		}
		records_release(&s->records, &job->link);   /* taken, or the engine is gone and its end will be seen */
	}
	if (s->engine.channel.fd >= 0 && (s->engine.channel.events & EPOLLOUT) && loop_modify(&s->loop, &s->engine.channel, EPOLLIN) < 0)
		supervisor_retry_later(s);
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
		v->queue_us = (job->assigned_ns - MIN(given, job->assigned_ns)) / NS_PER_US;
		v->pid = slot->pid ? slot->pid : v->pid;
		v->slot = slot->number;
		v->generation = slot->generation;
		v->run_us = (now - job->assigned_ns) / NS_PER_US;
	} else if (!job->ran) {
		v->queue_us = (now - given) / NS_PER_US;
	}
}

void job_decided(struct supervisor *s, struct job *job)
{
	struct brood_verdict *v = &job->verdict;

	if (job->ran && v->outcome == BROOD_REFUSED)   /* that says that it never ran */
		*v = job->before;
	fill(job);
	v->started |= job->ran;
	cut_from_slot(job);
	timer_stop(&s->loop, &job->queue_timer);
	/* A call's is a socket of our own making; another one may be a client's, and who closes it last would linger: not here. */
	job->fd = job->message.request_size == BROOD_SIZE_UNKNOWN ? sockets_close(job->fd) : close_fd(job->fd);
	atomic_fetch_add_explicit(&s->board->verdicts[v->outcome], 1, memory_order_relaxed);
	records_tell(&s->records, &job->link);
	jobs_flush(s);
}

void job_refuse(struct supervisor *s, struct job *job, enum brood_detail detail)
{
	job->verdict = (struct brood_verdict){ .outcome = BROOD_REFUSED, .detail = detail };
	job_decided(s, job);
}

void jobs_refuse_queue(struct supervisor *s, enum brood_detail detail)
{
	struct record_link *l;

	while ((l = records_next(&s->records)))
		job_refuse(s, job_of(l), detail);
}

/* ---- the queue ---- */

static void queue_time_up(struct loop *loop, struct timer *timer, uint64_t now)
{
	struct job *job = container_of(timer, struct job, queue_timer);
	struct supervisor *s = container_of(loop, struct supervisor, loop);

	(void)now;
	job_refuse(s, job, BROOD_DETAIL_QUEUE_TIME);
	supervisor_gauges(s);
	stop_step(s);
}

static void enqueue(struct supervisor *s, struct job *job, bool front)
{
	uint64_t now = now_ns();

	records_queue(&s->records, &job->link, front);
	/* Each attempt has its own time to wait: that it ran for long was no waiting. How many there are is bounded. */
	timer_set(&s->loop, &job->queue_timer, time_after_ms(front ? now : MIN(job->message.given_ns, now), job->message.queue_ms));
}

/* Degraded, and nobody there who might do it after all. A worker that is ready gets jobs: doing one is what ends the pool's being degraded. */
static bool jobs_hopeless(const struct supervisor *s)
{
	return s->backoff.degraded && s->slots.counts[SLOT_IDLE] + s->slots.counts[SLOT_BUSY] == 0;
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
	if (job->retries_left == 0 || !fate_retryable(&job->verdict) || stop_refusing(s) || cancel_wished(job))
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

	return m->id != 0 && m->fn != 0 && m->arg_size <= BROOD_ARG_MAX;
}

void job_accept(struct supervisor *s, struct frame *f)
{
	struct job *job;

	if (!sane(f) || !(job = job_of(records_claim(&s->records, f->job.id)))) {
		plain_log(s, BROOD_ERR, BROOD_EVENT_PROTOCOL, "the engine gave a job that makes no sense; its library's memory is damaged");
		return;
	}
	job->message = f->job;
	job->message.name[BROOD_NAME_MAX - 1] = '\0';
	memcpy(job->arg, frame_rest(f), f->job.arg_size);
	job->fd = frame_take_fd(f, 0);
	job->attempts = job->redispatched = 0;
	job->retries_left = f->job.retries;
	job->assigned_ns = 0;
	job->ran = false;
	job->slot = NULL;
	timer_init(&job->queue_timer, queue_time_up);
	if (job->fd < 0)
		job_refuse(s, job, BROOD_DETAIL_FD_LOST);
	else if (stop_refusing(s))
		job_refuse(s, job, BROOD_DETAIL_DRAINING);
	else if (jobs_hopeless(s))
		job_refuse(s, job, BROOD_DETAIL_DEGRADED);
	else
		enqueue(s, job, false);
}

/* ---- to a worker ---- */

static void adjust_core_limit(struct supervisor *s, struct slot *slot, uint64_t now)
{
	bool allowed = cores_allowed(s, now);
	struct rlimit limit = { allowed ? s->core.rlim_cur : 0, s->core.rlim_max };

	if (allowed != slot->core_allowed && prlimit(slot->pid, RLIMIT_CORE, &limit, NULL) == 0)
		slot->core_allowed = allowed;
}

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
	f.run.arg_size = m->arg_size;
	memcpy(f.run.name, m->name, sizeof f.run.name);
	frame_append(&f, job->arg, m->arg_size);
	f.fds[0] = job->fd;
	f.fds_count = 1;
	return frame_send(slot->channel.fd, &f);
}

static void ladder_fired(struct loop *loop, struct timer *timer, uint64_t now)
{
	(void)loop;
	job_deadline(container_of(timer, struct slot, timer), now);
}

static void assigned(struct supervisor *s, struct slot *slot, struct job *job, uint64_t now)
{
	const struct message_job *m = &job->message;

	timer_stop(&s->loop, &job->queue_timer);
	records_run(&s->records, &job->link);
	job->assigned_ns = now;
	job->attempts++;
	job->slot = slot;
	slot->job = job;
	slot->condemned = slot->stuck = false;
	slot->escaped = 0;
	slots_move(&s->slots, &slot->link, SLOT_BUSY);
	ladder_start(&slot->ladder, now, m->run_ms, m->grace_ms, s->options->core_ms, m->flags & BROOD_JOB_ABORT);
	slot->timer.on = ladder_fired;
	timer_set(&s->loop, &slot->timer, ladder_next(&slot->ladder));
}

/* 0: it runs; 1: this worker was no good, try another; -errno: not now. */
static int give(struct supervisor *s, struct slot *slot, struct job *job)
{
	uint64_t now = now_ns();
	int r;

	slot->sequence++;
	atomic_store(&shared_desk(s->config.shared, slot->number)->word, DESK_WORD(slot->sequence, DESK_ASSIGNED));
	if (s->options->cores_per_minute)
		adjust_core_limit(s, slot, now);
	r = slot->paused ? -EAGAIN : slot->channel.fd < 0 ? -EPIPE : send_run(slot, job, now);
	if (r == 0) {
		assigned(s, slot, job, now);
		return 0;
	}
	atomic_store(&shared_desk(s->config.shared, slot->number)->word, DESK_WORD(slot->sequence, DESK_FREE));
	if (for_later(r))
		return r;
	/* It is dying, and its pidfd will say so; if it is not, it is useless all the same and is killed then. */
	worker_to_ending(slot, now + EOF_GRACE_MS * NS_PER_MS);
	return 1;
}

void jobs_assign(struct supervisor *s)
{
	struct record_link *l;
	struct slot_link *idle;

	while ((l = records_next(&s->records)) && (idle = slots_first(&s->slots, SLOT_IDLE))) {
		if (give(s, container_of(idle, struct slot, link), job_of(l)) < 0) {
			supervisor_retry_later(s);
			break;
		}
	}
	supervisor_gauges(s);
}

/* ---- deadlines and cancel ---- */

static bool condemn(struct slot *slot)
{
	struct desk *desk = shared_desk(slot->supervisor->config.shared, slot->number);
	const enum desk_state from[] = { DESK_RUNNING, DESK_ASSIGNED, DESK_RUNNING };   /* it may begin between the first two */

	for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
		uint64_t word = DESK_WORD(slot->sequence, from[i]);

		if (atomic_compare_exchange_strong(&desk->word, &word, DESK_WORD(slot->sequence, DESK_CONDEMNED))) {
			slot->word_before = DESK_WORD(slot->sequence, from[i]);
			slot->condemned = true;
			return true;
		}
	}
	return false;
}

static const char *cause_text(enum ladder_cause cause)
{
	return cause == LADDER_CAUSE_CANCEL ? "its job was cancelled" : cause == LADDER_CAUSE_STOP ? "the pool stops" : "its job ran out of time";
}

static void kill_for(struct slot *slot, int sig)
{
	if (slot->kill_signal == 0)
		atomic_fetch_add_explicit(&slot->supervisor->board->killed, 1, memory_order_relaxed);
	worker_kill(slot, sig, slot->stuck ? "its job had ended, but it said nothing more" : cause_text(slot->ladder.cause));
}

static void act(struct slot *slot, enum ladder_action action)
{
	switch (action) {
	case LADDER_DO_SOFT:
		process_signal(slot->pidfd, slot->pid, SIGTERM, slot->sequence);
		break;
	case LADDER_DO_KILL:
		kill_for(slot, slot->ladder.step == LADDER_ABORTED ? SIGABRT : SIGKILL);
		break;
	case LADDER_DO_KILL_STUCK:
		slot->stuck = true;
		kill_for(slot, SIGKILL);
		break;
	default:
		break;
	}
}

static bool under_debugger(struct supervisor *s, struct slot *slot)
{
	return (s->options->flags & BROOD_DEBUGGING) && (process_traced_or_stopped(slot->pid) || process_traced_or_stopped(s->engine.pid));
}

void job_deadline(struct slot *slot, uint64_t now)
{
	struct supervisor *s = slot->supervisor;
	enum ladder_action action;

	if (!slot->job)
		return;
	if (under_debugger(s, slot)) {
		timer_set(&s->loop, &slot->timer, now + NS_PER_S);
		return;
	}
	while ((action = ladder_due(&slot->ladder, now)) != LADDER_NOTHING) {
		if (action == LADDER_DO_CONDEMN)
			action = ladder_condemned(&slot->ladder, now, condemn(slot));
		act(slot, action);
	}
	timer_set(&s->loop, &slot->timer, ladder_next(&slot->ladder));
}

void job_hurry(struct slot *slot, uint64_t now, enum ladder_cause cause)
{
	ladder_hurry(&slot->ladder, now, cause);
	job_deadline(slot, now);
}

void job_cancel(struct supervisor *s, uint64_t id)
{
	struct job *job = job_of(records_find(&s->records, id));

	if (!job || job->link.state == RECORD_TOLD)
		return;                /* it had its verdict already: that is the answer */
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
	supervisor_gauges(s);
}
