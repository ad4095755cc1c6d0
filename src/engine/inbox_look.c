/* SPDX-License-Identifier: MIT */
/*
 * inbox_look.c - leases that are asked for and granted. The thread that reads the channel puts what
 * the supervisor says into the queue's inbox, where it waits until a thread of the queue looks.
 *
 * A lease that is over keeps its lease page, memory and fds until its queue looks, and a queue that
 * nobody uses never does. So a queue that finds no lease page looks into the inboxes of the others.
 */
#include "inbox_look.h"

#include "cancelling.h"
#include "collect.h"
#include "faults.h"
#include "out.h"
#include "queue_jobs.h"
#include "side.h"
#include "leasing.h"
#include "lease_state.h"
#include "loan.h"
#include "ring_out.h"
#include "engine_root.h"
#include "stream.h"
#include "sums.h"

#include "../pool/fate.h"
#include <sys/epoll.h>

/*
 * What becomes of the jobs in a ring when their lease ends, whoever ended it. The
 * engine's library is the author of their verdicts, by the rule of src/pool/fate.c and with the
 * facts that the supervisor sends.
 *
 * For each job without a completion, in order: a job that its worker had not begun goes on to
 * another worker, in front of what waits, in the old order. The job that ran has the verdict that
 * follows from the death, or another try if its options allow. Two things prove that a job was not
 * begun: the claim on it is still open, or the word of the slot page says that the job before it
 * was the last (DONE(N-1)). The worker can write both words, but so it can harm only the jobs of
 * its own ring: a ring with an impossible figure counts as damaged, and all its jobs as begun. Two
 * kinds of jobs are excepted, for the worker's memory has no part in them: a job that the engine
 * had not told the worker of yet, and a job whose descriptors still lay in the side socket, unread,
 * when the worker was gone.
 */

static void fill(const struct lease *lease, const struct queue_job *job, struct brood_verdict *v)
{
	uint64_t now = now_ns(), given = MIN(job->given_ns, now),
		 began = v->started ? lease->news.over.began_ns : now;

	began = MIN(MAX(began, given), now);
	v->queue_us = (began - given) / NS_PER_US;
	v->run_us = (now - began) / NS_PER_US;
	collect_worker(lease, v);
	if (v->started) {
		status_times(SUMS_PLACE(lease->queue, job->pool), began - given, now - began);
		v->cpu_us = lease->news.over.cpu_us;
		v->peak_kb = lease->news.over.peak_kb;
	}
}

static uint64_t time_since(uint64_t then)
{
	uint64_t now = now_ns();

	return now - MIN(then, now);
}

struct end {
	struct lease *lease;
	/* this job's descriptors were taken back: no worker has read them */
	bool unread;
	/* a job that had begun was found already: there cannot be a second one */
	bool began_seen;
	bool fault_counted;
	struct list again; /* jobs that go back to the queue, in order */
};

static bool word_is_before(uint64_t word, uint64_t sequence)
{
	return (SLOT_PAGE_STATE(word) == SLOT_PAGE_DONE ||
		       SLOT_PAGE_STATE(word) == SLOT_PAGE_FREE) &&
		SLOT_PAGE_SEQUENCE(word) == sequence - 1;
}

/*
 * The worker had not even looked at the job: the claim on it is open. A claim that is open though
 * the slot page says that the job ran was written by the job.
 */
static bool untouched(const struct lease *lease, const struct queue_job *job)
{
	const uint64_t word = lease->news.over.word;
	const bool ran = SLOT_PAGE_STATE(word) == SLOT_PAGE_RUNNING ||
		SLOT_PAGE_STATE(word) == SLOT_PAGE_DONE;
	const uint32_t claim = atomic_load_explicit(
		&lease->up->dones[job->sequence % RING_DEPTH].claim, memory_order_relaxed);

	return CLAIM_IS_OPEN(claim, job->sequence) &&
		!(ran && SLOT_PAGE_SEQUENCE(word) >= job->sequence);
}

static bool had_begun(struct end *end, const struct queue_job *job, bool condemned)
{
	const struct lease *lease = end->lease;

	if (lease->damaged)
		return job->sequence <= lease->told.said && !end->unread;
	if (condemned)
		return !word_is_before(lease->news.over.word, job->sequence);
	/* Whatever the claim says: an earlier job may have written nonsense there. */
	return !untouched(lease, job) &&
		!(lease->news.over.how == LEASE_DIED &&
			word_is_before(lease->news.over.word, job->sequence));
}

static bool decide(struct end *end, const struct queue_job *job, struct brood_verdict *v)
{
	const struct lease *lease = end->lease;
	const struct message_lease_over *o = &lease->news.over;
	bool condemned = !lease->damaged && (o->flags & OVER_CONDEMNED) &&
		o->sequence == job->sequence;
	bool begun = had_begun(end, job, condemned);
	struct fate_facts facts = {
		.word = SLOT_PAGE_WORD(
			job->sequence, begun ? SLOT_PAGE_RUNNING : SLOT_PAGE_ASSIGNED),
		.sequence = job->sequence,
		.ended = o->how == LEASE_DIED && !(o->flags & OVER_UNDEAD),
		.code = o->code,
		.status = o->status,
		.kill_signal = o->kill_signal,
		.by_operator = o->flags & OVER_OPERATOR,
		.abort = o->flags & OVER_ABORT,
		.condemned = condemned,
		.cause = (enum ladder_cause)o->cause,
		.undead = o->flags & OVER_UNDEAD,
		.noticed = o->flags & OVER_NOTICED,
		.told = (o->flags & OVER_TOLD) && o->sequence == job->sequence,
		.protocol = lease->damaged || (o->flags & OVER_PROTOCOL) ||
			(begun && (end->began_seen || o->how != LEASE_DIED)),
		.stuck = (o->flags & OVER_STUCK) && o->sequence == job->sequence,
		.memory = o->flags & OVER_MEMORY,
		.gave_up = o->flags & OVER_GAVE_UP,
		.oom = o->flags & OVER_OOM,
		.escaped = o->escaped_sequence == job->sequence ? o->escaped : 0,
	};

	end->began_seen |= begun;
	return fate_decide(&facts, v);
}

/* True: no worker had read the job's descriptors from the side socket; the engine has them back. */
static bool take_back_unread(struct lease *lease, const struct queue_job *job)
{
	bool out = job->fds.out;

	side_take_back(lease, job);
	return out && !job->fds.out;
}

/*
 * Counts the worker's death against the key of the job that caused it, and tells the supervisor.
 * True: the key is on the poison list, so the job gets no other attempt. A death counts against one
 * job only; where the ring is damaged nobody knows which job that was, and none is counted.
 */
static bool fault(struct end *end, const struct queue_job *job, const struct brood_verdict *v)
{
	struct brood_pool *pool = job->pool;
	struct brood *b = pool->brood;
	struct frame f;
	bool listed;

	if (pool->setup->own.poison_after == 0 || end->lease->damaged || end->fault_counted ||
		!poison_is_fault(v))
		return false;
	end->fault_counted = true;
	frame_begin(&f, MESSAGE_FAULT);
	f.job.key = job->limits.key;
	f.job.id = job->id;
	f.job.pool = pool->setup->number;
	f.job.given_ns = end->lease->news.over.died_ns;
	memcpy(f.job.name, job->function->name, sizeof f.job.name);
	engine_lock(b);
	listed = faults_count(pool, job->limits.key, f.job.given_ns);
	if (!b->lost)
		out_send(b, &f, 0, 0);
	engine_unlock(b);
	return listed;
}

static void settle_job(struct end *end, struct queue_job *job)
{
	struct lease *lease = end->lease;
	struct queue *l = lease->queue;
	struct brood_verdict v = { 0 };
	/* the job did not cause the death */
	bool innocent = untouched(lease, job);
	bool decided, fds_lost, poisoned;
	int r;

	end->unread = take_back_unread(lease, job);
	decided = decide(end, job, &v);
	poisoned = decided && job->limits.key && fault(end, job, &v);
	r = ring_out_rescue(lease, job);
	/* the worker had read the fds: the job cannot go to another worker */
	fds_lost = job->fds.out && l->kind != QUEUE_PINNED;

	if (job->fds.loan && lease->news.over.flags & OVER_UNDEAD && !innocent)
		loan_taint(job->fds.loan);
	job->result.reply = NULL;
	job->result.reply_size = 0;
	fill(lease, job, &v);
	if (!decided && r < 0) {
		/* there is no memory to keep the job's bytes */
		queue_jobs_refuse(l, job, BROOD_DETAIL_NONE);
	} else if (!decided && fds_lost && lease->news.over.how != LEASE_DIED) {
		queue_jobs_refuse(l, job, BROOD_DETAIL_FD_LOST);
	} else if (!decided && !fds_lost &&
		(lease->news.over.how != LEASE_DIED || !(job->limits.flags & BROOD_JOB_ONCE)) &&
		(innocent || job->tries.moved++ < QUEUE_TAKEN_MAX)) {
		l->stats.redispatched += lease->news.over.how == LEASE_DIED;
		job->tries.made -= innocent; /* no worker has seen this attempt */
		list_append(&job->link, &end->again);
	} else if (r == 0 && !poisoned && queue_jobs_may_retry(l, job, &v)) {
		queue_jobs_retry(l, job, &v);
		list_append(&job->link, &end->again);
	} else {
		if (v.started && !lease->damaged)
			collect_so_far(lease, job);
		if (v.started && lease->news.over.how == LEASE_DIED)
			sums_death(l, time_since(lease->news.over.died_ns));
		queue_jobs_close(l, job, &v);
	}
}

static void refuse_all(struct queue *l, enum brood_detail detail)
{
	struct list *first;

	while ((first = rank_first(&l->waiting.ranks)))
		queue_jobs_refuse(l, container_of(first, struct queue_job, link), detail);
}

static void refused(struct lease *lease)
{
	struct queue *l = lease->queue;

	l->leases.refused = (enum brood_detail)lease->news.over.detail;
	l->leases.ask_again = now_ns() + QUEUE_TICK_MS * NS_PER_MS;
	if (l->leases.active || l->leases.asked || l->kind == QUEUE_PINNED ||
		(l->leases.refused != BROOD_DETAIL_DRAINING &&
			l->leases.refused != BROOD_DETAIL_DEGRADED))
		return;
	refuse_all(l, l->leases.refused);
}

static void lease_over(struct lease *lease)
{
	struct queue *l = lease->queue;
	struct end end = { .lease = lease };

	list_init(&end.again);
	if (lease->news.over.how == LEASE_REFUSED || lease->state == LEASE_ASKED) {
		leasing_out_of_use(lease);
		lease->state = LEASE_OVER;
		refused(lease);
		return;
	}
	collect_side(lease);
	collect_done(lease);
	if (lease->news.over.flags & OVER_UNDEAD)
		/* the worker still lives: take back the jobs that it has not begun */
		ring_out_all(lease);
	leasing_out_of_use(lease);
	lease->state = LEASE_OVER;
	for (uint64_t q = lease->collected + 1; q <= lease->published; q++)
		if (lease->entries[q % RING_DEPTH].job)
			settle_job(&end, lease->entries[q % RING_DEPTH].job);
	while (!list_empty(&end.again)) {
		struct queue_job *job = container_of(end.again.prev, struct queue_job, link);

		list_remove(&job->link);
		ring_out_again(l, job);
	}
	if (l->kind == QUEUE_PINNED)
		refuse_all(l, BROOD_DETAIL_LEASE_OVER);
}

static void on_lent(struct lease *lease)
{
	struct queue *l = lease->queue;
	struct brood *b = l->brood;
	const struct message_granted *m = &lease->news.granted;

	lease->state = LEASE_ACTIVE;
	lease->pid = m->pid;
	lease->slot = m->slot;
	lease->generation = m->generation;
	lease->base = lease->published = lease->collected = lease->told.said = m->sequence;
	ring_claims_open(lease->up->dones, lease->base);
	lease->told.look_due = TIME_NEVER;
	lease->stand.seen = m->sequence;
	lease->page = shared_slot_page(&b->shared, m->slot);
	lease->lease_page = shared_lease_page(&b->shared, lease->news.page);
	atomic_store(&lease->down->collected, m->sequence);
	l->leases.asked--;
	l->leases.active++;
	l->leases.refused = BROOD_DETAIL_NONE;
	list_insert(&lease->idle, &l->leases.idle);
	if (queue_watch(l, lease->done_fd, EPOLLIN | EPOLLET,
		    QUEUE_EVENT_LEASE(lease, QUEUE_EVENT_DONE)) < 0 ||
		queue_watch(l, lease->side.fd, EPOLLIN | EPOLLRDHUP | EPOLLET,
			QUEUE_EVENT_LEASE(lease, QUEUE_EVENT_SIDE)) <
			0) { /* there was no memory for this lease: it is of no use */
		ring_out_all(lease);
		leasing_end(lease);
	}
}

static void look_at_leases(struct queue *l)
{
	struct brood *b = l->brood;

	for (;;) {
		struct lease *lease = NULL;
		bool granted = false, over = false;

		engine_lock(b);
		struct list *first = list_first(&l->inbox.leases);
		if (first) {
			lease = container_of(first, struct lease, news.link);
			list_remove(first);
			granted = lease->news.has_granted;
			over = lease->news.has_over;
			lease->news.has_granted = false;
		}
		engine_unlock(b);
		if (!lease)
			return;
		if (granted) {
			on_lent(lease);
			queue_wake(l, &l->sleep.lookers);
		}
		if (over) {
			lease_over(lease);
			leasing_free(lease);
		}
	}
}

/*
 * Watches the log again, which pump.c left while another thread ran the log callback. And if the
 * queue was told that it may ask for a lease, lets it ask without a pause (place.c).
 */
static void look_at_notes(struct queue *l)
{
	struct brood *b = l->brood;
	uint32_t wishes;
	bool may_ask;

	engine_lock(b);
	if (l->inbox.log_free && !b->log_ended && !l->fds.gone && !atomic_load(&b->queues_ended))
		queue_watch(l, b->log_fd, EPOLLIN | EPOLLEXCLUSIVE, QUEUE_EVENT_LOG);
	l->inbox.log_free = false;
	may_ask = l->inbox.may_ask;
	l->inbox.may_ask = false;
	wishes = l->inbox.wishes;
	l->inbox.wishes = 0;
	engine_unlock(b);
	if (wishes)
		cancelling_wishes(l, wishes);
	if (may_ask) {
		l->leases.ask_again = 0;
		if (l->kind == QUEUE_PINNED) /* the thread in brood_lease() asks */
			queue_wake(l, &l->sleep.lookers);
	}
}

void inbox_look(struct queue *l)
{
	if (!atomic_load_explicit(&l->inbox.full, memory_order_acquire))
		return;
	/* `full` is cleared before the look: a note that comes later sets it again. */
	atomic_store_explicit(&l->inbox.full, false, memory_order_release);
	look_at_leases(l);
	stream_inbox(l);
	look_at_notes(l);
}

void inbox_look_at_others(struct queue *own)
{
	struct brood *b = own->brood;

	if (pthread_mutex_trylock(&b->queues.lock) != 0)
		return;
	list_for_each_safe(link, tmp, &b->queues.list) {
		struct queue *l = container_of(link, struct queue, listed.link);

		if (l == own || !atomic_load_explicit(&l->inbox.full, memory_order_relaxed) ||
			pthread_mutex_trylock(&l->lock) != 0)
			continue;
		/* this queue was poked when the note came, and its own thread does the rest */
		inbox_look(l);
		queue_unlock(l);
	}
	pthread_mutex_unlock(&b->queues.lock);
}
