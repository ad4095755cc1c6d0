/* SPDX-License-Identifier: MIT */
/*
 * lease.c - workers on lease. A request is a record in the queue like a job's; when its turn comes
 * the five fds go on to an idle worker, unseen, and the engine is told who it is (LENT). From then
 * on the two meet without us (look.c watches), until LEASE_OVER: the worker has left, or died, or
 * there was none. Exactly one, after LENT, whatever the socket to the engine does meanwhile.
 *
 * A worker is taken back by saying so three times: `leaving` in the ledger, so that the engine
 * publishes no more there; LEAVE on its channel; and `attention` with a ring of its bell, so that
 * it reads that before its next job. It says LEFT; one that does not is stuck (look.c).
 */
#include "internal.h"
#include "slot.h"
#include "../os/futex.h"

#define LOOKED_AT_MAX 32u /* leases that are looked at for one that waits */
/* who was born no longer ago is about to be ready; who takes longer may hang in worker_init */
#define BIRTH_SOON_MS 100u
#define SEQUENCES_MAX ((uint64_t)1 << 48) /* jobs on one lease: what says more is damaged */

static struct desk *desk_of(const struct slot *slot)
{
	return shared_desk(slot->supervisor->config.shared, slot->number);
}

static struct ledger *ledger_of(const struct slot *slot)
{
	return shared_ledger(slot->supervisor->config.shared, slot->job->lease.ledger);
}

static bool is_kept(const struct job *job) { return job->lease.flags & LEASE_KEPT; }

static void close_fds(struct job *job)
{
	for (uint32_t i = 0; i < job->fds_count; i++)
		close_fd(job->fds[i]);
	job->fds_count = 0;
}

/* ---- what the engine hears ---- */

static int say_lent(struct supervisor *s, const struct job *job)
{
	struct frame f;

	if (s->engine.channel_ended || s->engine.ended)
		return 0;
	frame_begin(&f, MESSAGE_LENT);
	f.lent = job->loan.lent;
	return frame_send(s->config.channel_fd, &f);
}

int leases_tell_lent(struct supervisor *s)
{
	struct list *first;

	while ((first = list_first(&s->leases.untold))) {
		int r = say_lent(s, container_of(first, struct job, untold));

		if (supervisor_passes(r))
			return r;
		list_remove(first);
	}
	return 0;
}

int lease_tell_over(struct supervisor *s, struct job *job)
{
	struct frame f;

	frame_begin(&f, MESSAGE_LEASE_OVER);
	f.lease_over = job->loan.over;
	return frame_send(s->config.channel_fd, &f);
}

/* ---- the end ---- */

static void cut(struct supervisor *s, struct job *job)
{
	struct slot *slot = job->slot;

	if (!slot)
		return;
	list_remove(&slot->lent);
	s->leases.library -= !is_kept(job);
	slot->watch.leaving = slot->leave_unsent = false;
	slot->job = NULL;
	job->slot = NULL;
}

static void over(struct supervisor *s, struct job *job, uint32_t how)
{
	job->loan.over.id = job->link.id;
	job->loan.over.how = how;
	cut(s, job);
	timer_stop(&s->loop, &job->queue_timer);
	close_fds(job);
	records_tell(&s->records, &job->link);
	note(s, NOTE_TELL | NOTE_GAUGES | NOTE_QUEUE);
}

void lease_refuse(struct supervisor *s, struct job *job, enum brood_detail detail)
{
	job->loan.over.detail = detail;
	over(s, job, LEASE_REFUSED);
}

static uint64_t last_published(const struct slot *slot)
{
	uint64_t published = atomic_load(&ledger_of(slot)->published);

	return published - slot->watch.base < SEQUENCES_MAX ? published : slot->watch.base;
}

/* No sequence is used twice: neither those that were done nor those that were only published. */
static void count_jobs(struct slot *slot, uint64_t word)
{
	slot->jobs_done += watch_moved(slot->watch.base, word);
	slot->sequence = MAX(slot->sequence, last_published(slot));
}

static void did_jobs(struct slot *slot)
{
	if (slot->jobs_done && slot->supervisor->backoff.young > 0)
		spawn_well(slot, "do jobs");
}

void lease_left(struct slot *slot, const struct message_left *m)
{
	struct supervisor *s = slot->supervisor;
	struct job *job = slot->job;
	uint64_t word = atomic_load(&desk_of(slot)->word);

	if (slot->condemned)
		return; /* as on_finished(): it lost the swap */
	if (m->id != job->link.id || m->sequence < slot->watch.base ||
		m->sequence > last_published(slot) || DESK_STATE(word) == DESK_RUNNING) {
		worker_drop(slot, "left a lease that it is not on");
		return;
	}
	count_jobs(slot, word);
	job->loan.over.sequence = m->sequence;
	job->loan.over.word = word;
	timer_stop(&s->loop, &slot->timer);
	over(s, job, LEASE_RETURNED);
	did_jobs(slot);
	if (m->flags & FINISHED_RETIRING)
		worker_retire(slot, "", m->flags, m->left);
	else
		worker_free(slot);
}

void lease_died(struct slot *slot, const struct lease_death *d)
{
	struct supervisor *s = slot->supervisor;
	struct job *job = slot->job;
	struct message_lease_over *o = &job->loan.over;
	uint64_t word = atomic_load(&desk_of(slot)->word);

	count_jobs(slot, slot->condemned ? slot->word_before : word);
	did_jobs(slot);
	o->sequence = slot->stuck && !slot->watch.subject ? DESK_SEQUENCE(word)
							  : slot->watch.subject;
	o->word = slot->condemned ? slot->word_before : word;
	o->escaped = slot->escaped;
	o->began_ns = atomic_load(&desk_of(slot)->began_ns);
	o->escaped_sequence = slot->escaped_sequence;
	o->cause = slot->watch.subject ? slot->ladder.cause : LADDER_CAUSE_NONE;
	o->flags = (slot->protocol ? OVER_PROTOCOL : 0) | (slot->stuck ? OVER_STUCK : 0) |
		(d->memory ? OVER_MEMORY : 0) | (d->gave_up ? OVER_GAVE_UP : 0) |
		(slot->watch.subject && slot->ladder.abort ? OVER_ABORT : 0) |
		(slot->condemned ? OVER_CONDEMNED : 0) |
		(slot->watch.subject && slot->ladder.told ? OVER_TOLD : 0) |
		(slot->watch.subject && death_noticed(slot, slot->watch.subject) ? OVER_NOTICED
										 : 0) |
		(d->undead ? OVER_UNDEAD : 0);
	o->code = d->code;
	o->status = d->status;
	o->kill_signal = slot->kill_signal;
	o->cpu_us = d->cpu_us;
	o->peak_kb = d->peak_kb;
	over(s, job, LEASE_DIED);
}

/* ---- the beginning ---- */

void lease_accept(struct supervisor *s, struct frame *f)
{
	const struct message_job m = {
		.id = f->lease.id, .given_ns = f->lease.given_ns, .queue_ms = f->lease.queue_ms
	};
	struct job *job = f->lease.ledger < s->config.shared->ledgers_count
		? job_of(records_claim(&s->records, m.id))
		: NULL;

	if (!job) {
		plain_log(s, BROOD_ERR, BROOD_EVENT_PROTOCOL,
			"the engine asked for a lease in a way that makes no sense; its library's "
			"memory is damaged");
		return;
	}
	job_begin(job, &m);
	job->is_lease = true;
	job->lease = f->lease;
	memset(&job->loan, 0, sizeof job->loan);
	job_take_fds(job, f);
	if (job->fds_count < LEASE_FDS)
		job_refuse(s, job, BROOD_DETAIL_FD_LOST);
	else if (s->halt.phase >= HALT_CANCEL)
		job_refuse(s, job, BROOD_DETAIL_DRAINING);
	else
		job_enqueue(
			s, job); /* while the pool drains, too: what waits in the engine drains */
}

bool lease_waits_for_limit(const struct supervisor *s, const struct job *job)
{
	return job->is_lease && !is_kept(job) && s->leases.library >= s->options->leases;
}

static void prepare_memory(struct slot *slot, const struct job *job)
{
	struct ledger *ledger = shared_ledger(slot->supervisor->config.shared, job->lease.ledger);
	struct desk *desk = desk_of(slot);

	atomic_store(&ledger->published, slot->sequence);
	atomic_store(&ledger->leaving, 0);
	atomic_store(&ledger->look_at, 0);
	atomic_store(&desk->attention, 0);
	atomic_store(&desk->word, DESK_WORD(slot->sequence, DESK_FREE));
}

static void lent(struct supervisor *s, struct slot *slot, struct job *job, uint64_t now)
{
	const struct message_lent who = { .id = job->link.id,
		.sequence = slot->sequence,
		.pid = slot->pid,
		.slot = slot->number,
		.generation = slot->generation };

	timer_stop(&s->loop, &job->queue_timer);
	records_run(&s->records, &job->link);
	close_fds(job);
	job->slot = slot;
	slot->job = job;
	slot->condemned = slot->stuck = false;
	slot->escaped = 0;
	slot->lent_ns = now;
	slot_move(slot, SLOT_LEASED);
	if (!is_kept(job)) {
		list_append(&slot->lent, &s->leases.lent);
		s->leases.library++;
	}
	atomic_fetch_add_explicit(&s->board->leases, 1, memory_order_relaxed);
	lease_watch_start(slot, &job->lease, now);
	job->loan.lent = who;
	job->loan.over = (struct message_lease_over){
		.pid = who.pid, .slot = who.slot, .generation = who.generation
	};
	list_append(&job->untold, &s->leases.untold);
	note(s, NOTE_TELL);
}

int lease_lend(struct supervisor *s, struct slot *slot, struct job *job, uint64_t now)
{
	struct frame f;
	int r;

	prepare_memory(slot, job);
	frame_begin(&f, MESSAGE_LEND);
	f.lend.id = job->link.id;
	f.lend.sequence = slot->sequence;
	memcpy(f.fds, job->fds, LEASE_FDS * sizeof f.fds[0]);
	f.fds_count = LEASE_FDS;
	r = frame_send(slot->channel.fd, &f);
	if (r == 0)
		lent(s, slot, job, now);
	return r;
}

/* ---- taking it back ---- */

static void ring(struct slot *slot)
{
	struct desk *desk = desk_of(slot);

	atomic_store(&desk->attention, 1);
	atomic_fetch_add(&desk->bell, 1);
	futex_wake(&desk->bell, 1);
}

static void send_leave(struct slot *slot)
{
	struct supervisor *s = slot->supervisor;
	struct frame f;
	int r;

	frame_begin(&f, MESSAGE_LEAVE)->leave.id = slot->job->link.id;
	r = slot->paused               ? -EAGAIN
		: slot->channel.fd < 0 ? -EPIPE
				       : frame_send(slot->channel.fd, &f);
	slot->leave_unsent = supervisor_passes(r);
	if (slot->leave_unsent)
		note(s, NOTE_RETRY);
	else
		/* where the channel has ended, too: a worker that lives reads its end */
		ring(slot);
}

void lease_take_back(struct slot *slot)
{
	struct supervisor *s = slot->supervisor;

	if (slot->watch.leaving || slot->link.state != SLOT_LEASED)
		return;
	list_remove(&slot->lent);
	list_append(&slot->lent, &s->leases.leavers);
	slot->leave_ns = now_ns();
	watch_leaving(&slot->watch, ledger_of(slot)->entries, slot->leave_ns);
	atomic_store(&ledger_of(slot)->leaving, 1);
	send_leave(slot);
}

void leases_send_leave(struct supervisor *s)
{
	for (uint32_t i = 0; i < s->places; i++)
		if (s->slot_array[i].leave_unsent && s->slot_array[i].link.state == SLOT_LEASED)
			send_leave(&s->slot_array[i]);
}

void lease_end(struct supervisor *s, uint64_t id)
{
	struct job *job = job_of(records_find(&s->records, id));

	if (!job || !job->is_lease || job->link.state == RECORD_TOLD)
		return; /* it is over: LEASE_OVER is on its way */
	if (!job->slot) {
		lease_refuse(s, job, BROOD_DETAIL_NONE);
	} else if (job->slot->link.state == SLOT_LEASED) {
		lease_take_back(job->slot);
		lease_look_now(job->slot, now_ns());
	}
}

/* ---- for others that wait ---- */

static bool rests(const struct slot *slot)
{
	return DESK_SEQUENCE(atomic_load(&desk_of(slot)->word)) ==
		atomic_load(&ledger_of(slot)->published) &&
		DESK_STATE(atomic_load(&desk_of(slot)->word)) != DESK_RUNNING;
}

static void ask_again_at(struct supervisor *s, uint64_t when)
{
	if (!timer_running(&s->leases.timer) || when < s->leases.timer.node.key)
		timer_set(&s->loop, &s->leases.timer, when);
}

/*
 * Until when a worker that was asked to leave counts as about to be back. It may have a job that
 * takes hours, or no CPU, or may be stopped, while another one rests.
 */
static uint64_t awaited_until(const struct slot *slot)
{
	uint64_t asked = time_after_ms(slot->leave_ns, LEASE_HOLD_MS);
	struct desk *desk = desk_of(slot);

	if (DESK_STATE(atomic_load(&desk->word)) != DESK_RUNNING)
		return asked;
	return time_after_ms(atomic_load(&desk->began_ns), LEASE_HOLD_MS);
}

/*
 * How many are about to be back. The last asked are looked at; those asked before are not about to
 * be back.
 */
static uint32_t soon_back(struct supervisor *s, uint64_t now)
{
	uint32_t count = 0, looked = 0;

	for (struct list *l = s->leases.leavers.prev;
		l != &s->leases.leavers && looked < LOOKED_AT_MAX; l = l->prev, looked++) {
		struct slot *slot = container_of(l, struct slot, lent);
		uint64_t until = awaited_until(slot);

		if (until <= now)
			continue;
		ask_again_at(s, MIN(until, now + LEASE_HOLD_MS * NS_PER_MS));
		count++;
	}
	return count;
}

/*
 * How many are about to be ready, the last born first. Of those in one wave of births not all are
 * looked at.
 */
static uint32_t soon_ready(struct supervisor *s, uint64_t now)
{
	struct list *starting = &s->slots.lists[SLOT_STARTING];
	uint64_t until = now;
	uint32_t count = 0;

	for (struct list *l = starting->prev; l != starting && count < LOOKED_AT_MAX;
		l = l->prev, count++) {
		uint64_t soon = time_after_ms(
			container_of(l, struct slot, link.link)->born_ns, BIRTH_SOON_MS);

		if (soon <= now)
			break;
		until = soon;
	}
	if (count > 0)
		ask_again_at(s, until);
	return count < LOOKED_AT_MAX ? count : s->slots.counts[SLOT_STARTING];
}

/*
 * From when on it may be taken back. One that has begun nothing for a while gains nothing by its
 * lease.
 */
static uint64_t free_from(const struct slot *slot)
{
	uint64_t held = time_after_ms(slot->lent_ns, LEASE_HOLD_MS);
	uint64_t began = atomic_load(&desk_of(slot)->began_ns);

	return rests(slot) ? MIN(held, time_after_ms(MAX(slot->lent_ns, began), LEASE_REST_MS))
			   : held;
}

/*
 * One with nothing to do, else the longest held: but never one of the same lane, which gained
 * nothing. NULL: none, or not yet: then the timer is set.
 */
static struct slot *best_for(struct supervisor *s, const struct job *waiting, uint64_t now)
{
	struct slot *longest = NULL;
	uint64_t soonest = TIME_NEVER;
	uint32_t looked = 0;

	list_for_each_safe(l, tmp, &s->leases.lent) {
		struct slot *slot = container_of(l, struct slot, lent);
		uint64_t from = free_from(slot);

		if (looked++ >= LOOKED_AT_MAX)
			break;
		if (waiting->is_lease && waiting->lease.lane != 0 &&
			waiting->lease.lane == slot->job->lease.lane)
			continue;
		if (from > now)
			soonest = MIN(soonest, from);
		else if (rests(slot))
			return slot;
		else if (!longest)
			longest = slot;
	}
	if (!longest && soonest != TIME_NEVER)
		ask_again_at(s, soonest);
	return longest;
}

/*
 * The first of them may be one for whom there is none, since its own lane has all: the next one is
 * looked at, too.
 */
static uint32_t recall(struct supervisor *s, struct list *waiting, uint32_t count, uint64_t now)
{
	uint32_t recalled = 0, looked = 0;

	list_for_each_safe(l, tmp, waiting) {
		struct slot *slot;

		if (recalled == count || looked++ >= LOOKED_AT_MAX)
			break;
		slot = best_for(s, container_of(l, struct job, link.link), now);
		if (!slot)
			continue;
		/* it may have a job that takes long, or say nothing */
		ask_again_at(s, time_after_ms(now, LEASE_HOLD_MS));
		atomic_fetch_add_explicit(&s->board->leases_revoked, 1, memory_order_relaxed);
		lease_take_back(slot);
		lease_look_now(slot, now);
		recalled++;
	}
	return recalled;
}

/*
 * Those parked wait for a lease to end; the others for a worker, whatever it did before. As many
 * leases as are about to be back, or workers as are about to be ready, are enough for as many that
 * wait.
 */
void leases_for_others(struct supervisor *s)
{
	uint32_t parked = s->records.parked_count, queued = s->records.queued - parked, room,
		 leaving;
	uint32_t ready = s->slots.counts[SLOT_IDLE];
	uint64_t now;

	if (s->records.queued == 0 || list_empty(&s->leases.lent))
		return;
	now = now_ns();
	leaving = soon_back(s, now);
	room = RECALL_MAX - MIN(leaving, RECALL_MAX);
	if (parked > leaving)
		room -= recall(s, &s->records.parked, MIN(parked - leaving, room), now);
	leaving -= MIN(leaving, parked);
	if (queued > ready + leaving)
		ready += soon_ready(s, now);
	if (queued > ready + leaving)
		recall(s, &s->records.queue, MIN(queued - ready - leaving, room), now);
}

void leases_timer_fired(struct loop *loop, struct timer *timer, uint64_t now)
{
	(void)loop;
	(void)now;
	leases_for_others(container_of(timer, struct supervisor, leases.timer));
}
