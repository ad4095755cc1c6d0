/* SPDX-License-Identifier: MIT */
/*
 * settle.c - what becomes of the jobs in a ring when their lease ends, whoever ended it. The
 * engine's library is the author of their verdicts, by the rule of src/pool/fate.c and with the
 * facts that the supervisor sends.
 *
 * In order, for each job that has no completion: what its worker had not begun goes on to another
 * one, in front of what waits, in the old order; the one that ran has the verdict that the death
 * says, or another try if its options allow. What proves that a job was not begun: its claim word
 * still says QUEUED, or the desk word says that the one before it was the last (DONE(N-1)). Both
 * are memory of the worker's: it can only harm jobs of its own ring, which is why a ring with
 * anything in it that cannot be counts as damaged, and all its jobs as begun, but for what the
 * worker's memory has no part in: a job that the engine had not told it of yet, and one whose
 * descriptors still lay in the side socket, unread, when the worker was gone.
 */
#include "../pool/fate.h"
#include "lane.h"
#include "side.h"

/* ---- one job ---- */

static void refuse_or_wait(struct lane *l, struct lane_job *job)
{
	if (job->cancelled) {
		struct brood_verdict v = { .outcome = BROOD_CANCELLED };

		lane_close(l, job, &v);
	} else if (l->kind == LANE_KEPT) {
		lane_refuse(l, job, BROOD_DETAIL_LEASE_OVER);
	} else {
		lane_wait_for(l, job, true);
	}
}

bool settle_again(struct lane *l, struct lane_job *job, const struct brood_verdict *v)
{
	if (job->retries == 0 || !fate_retryable(v) || job->cancelled || l->kind == LANE_KEPT ||
		l->freed || l->brood->state != ENGINE_RUNNING)
		return false;
	job->retries--;
	job->ran = true;
	job->before = *v;
	job->before.id = job->id;
	memcpy(job->before.name, job->function->name, sizeof job->before.name);
	l->stats.retried++;
	return true;
}

static void fill(const struct lease *lease, const struct lane_job *job, struct brood_verdict *v)
{
	uint64_t now = now_ns(), given = MIN(job->given_ns, now),
		 began = v->started ? lease->over.began_ns : now;

	began = MIN(MAX(began, given), now);
	v->queue_us = (began - given) / NS_PER_US;
	v->run_us = (now - began) / NS_PER_US;
	ring_verdict_of(lease, v);
	if (v->started) {
		v->cpu_us = lease->over.cpu_us;
		v->peak_kb = lease->over.peak_kb;
	}
}

struct end {
	struct lease *lease;
	/* this job's descriptors were taken back: no worker has read them */
	bool unread;
	bool began_seen;   /* one that had begun was there already: a second cannot be */
	struct list again; /* in order */
};

static bool word_is_before(uint64_t word, uint64_t sequence)
{
	return (DESK_STATE(word) == DESK_DONE || DESK_STATE(word) == DESK_FREE) &&
		DESK_SEQUENCE(word) == sequence - 1;
}

static bool had_begun(struct end *end, const struct lane_job *job, bool condemned)
{
	const struct lease *lease = end->lease;
	uint32_t claim = atomic_load_explicit(
		&lease->up->claims[job->sequence % RING_DEPTH], memory_order_relaxed);

	if (lease->damaged)
		return job->sequence <= lease->said && !end->unread;
	if (condemned)
		return !word_is_before(lease->over.word, job->sequence);
	if (claim == CLAIM_WORD(job->sequence, CLAIM_QUEUED))
		return false;
	return !(lease->over.how == LEASE_DIED && claim == CLAIM_WORD(job->sequence, CLAIM_TAKEN) &&
		word_is_before(lease->over.word, job->sequence));
}

static bool decide(struct end *end, const struct lane_job *job, struct brood_verdict *v)
{
	const struct lease *lease = end->lease;
	const struct message_lease_over *o = &lease->over;
	bool condemned = !lease->damaged && (o->flags & OVER_CONDEMNED) &&
		o->sequence == job->sequence;
	bool begun = had_begun(end, job, condemned);
	struct fate_facts facts = {
		.word = DESK_WORD(job->sequence, begun ? DESK_RUNNING : DESK_ASSIGNED),
		.sequence = job->sequence,
		.ended = o->how == LEASE_DIED && !(o->flags & OVER_UNDEAD),
		.code = o->code,
		.status = o->status,
		.kill_signal = o->kill_signal,
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
		.escaped = o->escaped_sequence == job->sequence ? o->escaped : 0,
	};

	end->began_seen |= begun;
	return fate_decide(&facts, v);
}

/* True: the kernel still had them. */
static bool take_back_unread(struct lease *lease, const struct lane_job *job)
{
	bool out = job->fds_out;

	side_take_back(lease, job);
	return out && !job->fds_out;
}

static void settle_job(struct end *end, struct lane_job *job)
{
	struct lease *lease = end->lease;
	struct lane *l = lease->lane;
	struct brood_verdict v = { 0 };
	/* Its worker had not even looked at it: whatever that died of, it was not this job. */
	bool innocent = atomic_load_explicit(&lease->up->claims[job->sequence % RING_DEPTH],
				memory_order_relaxed) == CLAIM_WORD(job->sequence, CLAIM_QUEUED);
	bool decided, fds_lost;
	int r;

	end->unread = take_back_unread(lease, job);
	decided = decide(end, job, &v);
	r = ring_rescue(lease, job);
	/* its worker had read them: it cannot go to another one */
	fds_lost = job->fds_out && l->kind != LANE_KEPT;

	job->result.reply = NULL;
	job->result.reply_size = 0;
	fill(lease, job, &v);
	if (!decided && r < 0) {
		lane_refuse(l, job, BROOD_DETAIL_NONE); /* no memory to keep its bytes */
	} else if (!decided && fds_lost && lease->over.how != LEASE_DIED) {
		lane_refuse(l, job, BROOD_DETAIL_FD_LOST);
	} else if (!decided && !fds_lost &&
		(lease->over.how != LEASE_DIED || !(job->job_flags & BROOD_JOB_ONCE)) &&
		(innocent || job->moved++ < LANE_TAKEN_MAX)) {
		l->stats.redispatched += lease->over.how == LEASE_DIED;
		job->attempts -= innocent; /* no worker has seen it */
		list_append(&job->link, &end->again);
	} else if (r == 0 && settle_again(l, job, &v)) {
		list_append(&job->link, &end->again);
	} else {
		if (v.started && !lease->damaged)
			ring_so_far(lease, job);
		lane_close(l, job, &v);
	}
}

/* ---- a lease ---- */

static void out_of_use(struct lease *lease)
{
	struct lane *l = lease->lane;

	if (lease->state == LEASE_ACTIVE) {
		l->active--;
		l->busy -= ring_used(lease) > 0;
	}
	if (lease->state == LEASE_ASKED)
		l->asked--;
	list_remove(&lease->idle);
	if (l->warm == lease)
		l->warm = NULL;
	if (l->kind == LANE_KEPT)
		l->kept_over = true;
}

/* From the last to the first, each to the front of the queue: the old order. */
void settle_dying(struct lease *lease)
{
	struct lane *l = lease->lane;

	if (lease->state != LEASE_ACTIVE)
		return;
	out_of_use(lease);
	lease->state = LEASE_DYING;
	for (uint64_t q = lease->published; q > lease->harvested; q--) {
		struct lane_job *job = lease->jobs[q % RING_DEPTH];

		if (job && ring_withdraw(lease, job) == 0)
			refuse_or_wait(l, job);
	}
}

void settle_damaged(struct lease *lease)
{
	if (lease->damaged)
		return;
	lease->damaged = true;
	if (lease->state == LEASE_ACTIVE) {
		out_of_use(lease);
		lease->state = LEASE_DYING;
	}
	if (!lease->has_over)
		loan_kill(lease, 0, LEASE_KILL_NONSENSE);
}

/* The supervisor is gone; who has not said what came of its job never will. */
void settle_lost(struct lease *lease)
{
	if (lease->state != LEASE_OVER)
		out_of_use(lease);
	lease->state = LEASE_OVER;
	lease->damaged = true;
	memset(lease->jobs, 0, sizeof lease->jobs);
	lease->published = lease->harvested;
}

static void refused(struct lease *lease)
{
	struct lane *l = lease->lane;

	l->refused = (enum brood_detail)lease->over.detail;
	l->ask_again = now_ns() + LANE_TICK_MS * NS_PER_MS;
	if (l->active || l->asked || l->kind == LANE_KEPT ||
		(l->refused != BROOD_DETAIL_DRAINING && l->refused != BROOD_DETAIL_DEGRADED))
		return;
	list_for_each_safe(link, tmp, &l->queue)
		lane_refuse(l, container_of(link, struct lane_job, link), l->refused);
}

void settle_over(struct lease *lease)
{
	struct lane *l = lease->lane;
	struct end end = { .lease = lease };

	list_init(&end.again);
	if (lease->over.how == LEASE_REFUSED || lease->state == LEASE_ASKED) {
		out_of_use(lease);
		lease->state = LEASE_OVER;
		refused(lease);
		return;
	}
	ring_hear(lease);
	ring_harvest(lease);
	if (lease->over.flags & OVER_UNDEAD)
		/* what it has not begun is taken from it, for it still is there */
		settle_dying(lease);
	out_of_use(lease);
	lease->state = LEASE_OVER;
	for (uint64_t q = lease->harvested + 1; q <= lease->published; q++)
		if (lease->jobs[q % RING_DEPTH])
			settle_job(&end, lease->jobs[q % RING_DEPTH]);
	while (!list_empty(&end.again)) {
		struct lane_job *job = container_of(end.again.prev, struct lane_job, link);

		list_remove(&job->link);
		refuse_or_wait(l, job);
	}
	if (l->kind == LANE_KEPT)
		list_for_each_safe(link, tmp, &l->queue)
			lane_refuse(l, container_of(link, struct lane_job, link),
				BROOD_DETAIL_LEASE_OVER);
}
