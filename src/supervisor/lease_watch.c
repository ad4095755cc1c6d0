/* SPDX-License-Identifier: MIT */
/*
 * lease_watch.c - watches a worker on a lease from outside, by slot page and lease page, at the
 * times that pool/watch.c computes. The engine is not asked, for it may be stuck. The worker is not
 * asked, for it may lie. The engine stores `published`, and then looks whether its job ends before
 * look_at. The supervisor stores look_at, and then looks at `published` again. So at least one of
 * the two sees what the other has stored.
 *
 * A worker is asked in three ways to leave its lease, at once or softly. `leaving` in the lease
 * page keeps the engine from publishing more jobs there. RECALL on the channel tells the worker.
 * `attention` in the slot page, and its wake word, make the worker read the channel before its next
 * job. The worker answers LEFT; a worker that does not is stuck.
 */
#include "lease_watch.h"
#include "deadline.h"
#include "pool.h"
#include "verdict.h"
#include "../os/futex.h"

/* ---- taking the lease back ---- */

static void wake(struct slot *slot)
{
	struct slot_page *page = slot_page(slot);

	atomic_store(&page->attention, 1);
	atomic_fetch_add(&page->wake, 1);
	futex_wake(&page->wake, 1);
}

static void send_recall(struct slot *slot)
{
	struct frame f;
	int r;

	frame_begin(&f, MESSAGE_RECALL)->recall.id = slot->job->link.id;
	f.recall.soft = !slot->lease.watch.leaving;
	r = slot->paused               ? -EAGAIN
		: slot->channel.fd < 0 ? -EPIPE
				       : frame_send(slot->channel.fd, &f);
	slot->lease.recall_unsent = error_passes(r);
	if (slot->lease.recall_unsent)
		note(slot->pool->supervisor, NOTE_RETRY);
	else
		/* Also if the channel has ended: a living worker then reads its end. */
		wake(slot);
}

void lease_watch_recall(struct slot *slot)
{
	if (slot->lease.watch.leaving || slot->link.state != SLOT_LEASED)
		return;
	list_remove(&slot->lease.list);
	list_append(&slot->lease.list, &slot->pool->leases.recalled);
	slot->lease.recalled_ns = now_ns();
	watch_leaving(&slot->lease.watch, slot_lease_page(slot)->entries, slot->lease.recalled_ns);
	atomic_store(&slot_lease_page(slot)->leaving, 1);
	send_recall(slot);
}

/*
 * slot->lease.watch is not told, so the jobs in the ring keep their time. A worker that does not
 * leave once its ring is empty is recalled later, as is any lease that rests for too long.
 */
void lease_watch_recall_softly(struct slot *slot)
{
	slot_note_recall(slot);
	if (slot->lease.watch.leaving || slot->link.state != SLOT_LEASED)
		return;
	atomic_store(&slot_lease_page(slot)->leaving, 1);
	send_recall(slot);
}

void lease_watch_take_back(struct slot *slot, uint64_t now)
{
	lease_watch_recall(slot);
	lease_watch_look(slot, now);
}

void lease_watch_recall_again(struct pool *pool)
{
	for_each_slot(slot, pool) if (slot->lease.recall_unsent && slot->link.state == SLOT_LEASED)
		send_recall(slot);
}

/* ---- looking at the lease ---- */

static struct lease_sight sight(const struct slot *slot)
{
	struct slot_page *page = slot_page(slot);
	struct lease_page *lease_page = slot_lease_page(slot);
	struct lease_sight see = { .entries = lease_page->entries };

	see.word = atomic_load(&page->word);
	see.began_ns = atomic_load(&page->began_ns);
	see.published = atomic_load(&lease_page->published);
	return see;
}

static timer_fn look_fired;

static void look_again_at(struct slot *slot, uint64_t next, uint64_t now)
{
	struct lease_watch *w = &slot->lease.watch;
	struct lease_page *lease_page = slot_lease_page(slot);
	uint64_t published, soonest;

	atomic_store(&lease_page->look_at, next);
	published = atomic_load(&lease_page->published);
	if (published > w->published && (!w->leaving || w->subject == 0)) {
		soonest = watch_soonest(
			lease_page->entries, w->published + 1, published, w->slow_ms, now);
		if (soonest < next) {
			next = soonest;
			atomic_store(&lease_page->look_at, next);
		}
	}
	slot_set_timer(slot, look_fired, next);
}

static void recovered(struct slot *slot)
{
	if (slot->pool->backoff.young > 0 &&
		slot->lease.watch.place > slot->lease.watch.base * 2 + 1)
		pool_worker_is_well(slot, "do jobs");
}

/* Looks once. False: the worker is not on the lease any more, so there is nothing to look at. */
static bool look(struct slot *slot, uint64_t now)
{
	struct lease_sight see = sight(slot);

	switch (watch_look(&slot->lease.watch, &slot->ladder, &see, now)) {
	case LEASE_DROP: slot_drop(slot, "scribbled on its slot page"); return false;
	case LEASE_STUCK:
		deadline_kill_stuck(slot);
		slot_end(slot, now + RETRY_MS * NS_PER_MS);
		return false;
	case LEASE_TAKE_BACK:
		count_one(&slot->pool->stats_page->leases_revoked);
		lease_watch_recall(slot);
		break;
	case LEASE_GO_ON: break;
	}
	note(slot->pool->supervisor, NOTE_FIGURES);
	recovered(slot);
	return slot->link.state == SLOT_LEASED;
}

/* Hurries also a job that began after the stop had recalled its worker. */
static void hurry_for_the_stop(struct slot *slot, uint64_t now)
{
	if (slot->pool->supervisor->halt.phase >= HALT_CANCEL && slot->lease.watch.subject &&
		!slot->lease.watch.waits)
		ladder_hurry(&slot->ladder, now, LADDER_CAUSE_STOP);
}

/*
 * Looks, and does the steps of the ladder that are due. If the swap that condemns a job fails, the
 * worker has gone on meanwhile, and the next look finds it at another job. If the slot page's word
 * went back instead, that look says DROP.
 */
static bool look_and_climb(struct slot *slot, uint64_t now)
{
	do {
		if (!look(slot, now))
			return false;
		hurry_for_the_stop(slot, now);
		if (deadline_enforce_lease(slot, now))
			return true;
		watch_lost(&slot->lease.watch);
	} while (true);
}

void lease_watch_look(struct slot *slot, uint64_t now)
{
	if (slot->link.state != SLOT_LEASED)
		return;
	if (deadline_spares_debugged(slot)) {
		look_again_at(slot, now + NS_PER_S, now);
	} else if (slot->facts.condemned) {
		deadline_enforce_lease(slot, now);
		slot_set_timer(slot, look_fired, ladder_next(&slot->ladder));
	} else if (look_and_climb(slot, now)) {
		look_again_at(slot, watch_next(&slot->lease.watch, &slot->ladder, now), now);
	}
}

static void look_fired(struct timer *timer, uint64_t now)
{
	lease_watch_look(container_of(timer, struct slot, timer), now);
}

void lease_watch_start(struct slot *slot, const struct message_lease *m, uint64_t now)
{
	slot->lease.watch = (struct lease_watch){
		.base = slot->sequence,
		.limit_at = time_after_ms(now, m->limit_ms),
		.idle_ms = slot->pool->options->lease_idle_ms,
		.grace_ms = EOF_GRACE_MS,
		.core_ms = slot->pool->options->core_ms,
		.slow_ms = slot->pool->setup->own.slow_ms,
		.pinned = m->flags & LEASE_PINNED,
	};
	watch_begin(&slot->lease.watch, now);
	if (slot->pool->supervisor->halt.phase != HALT_NONE)
		watch_drain(&slot->lease.watch);
	look_again_at(slot, watch_next(&slot->lease.watch, &slot->ladder, now), now);
}

static struct slot *lent_slot(struct supervisor *s, uint64_t id)
{
	struct job *job = record_find(s, id);

	return job && job->is_lease && job->slot && job->slot->link.state == SLOT_LEASED ? job->slot
											 : NULL;
}

void lease_watch_look_by_id(struct supervisor *s, uint64_t id)
{
	struct slot *slot = lent_slot(s, id);

	if (slot)
		lease_watch_look(slot, now_ns());
}

void lease_watch_kill(struct supervisor *s, const struct message_lease_kill *m)
{
	struct slot *slot = lent_slot(s, m->id);

	if (!slot)
		return; /* the lease is over: LEASE_OVER is on its way */
	if (m->cause == LEASE_KILL_NONSENSE) {
		slot_drop(slot, "sent nonsense to the engine");
	} else if (m->cause == LEASE_KILL_CANCEL) {
		watch_cancel(&slot->lease.watch, m->sequence);
		lease_watch_look(slot, now_ns());
	}
}

/*
 * The id of the job that runs on the lease now, as the engine published it, and its sequence. 0:
 * none runs.
 */
static uint64_t job_that_runs(const struct slot *slot, uint64_t *ret_sequence)
{
	const struct lease_page *lease_page = slot_lease_page(slot);
	uint64_t word = atomic_load(&slot_page(slot)->word), sequence = SLOT_PAGE_SEQUENCE(word);

	if (SLOT_PAGE_STATE(word) != SLOT_PAGE_RUNNING || sequence <= slot->lease.watch.base ||
		sequence > atomic_load(&lease_page->published))
		return 0;
	*ret_sequence = sequence;
	return lease_page->entries[sequence % RING_DEPTH].id;
}

static bool cancel_on(struct slot *slot, uint64_t job)
{
	uint64_t sequence = 0;

	if (slot->link.state != SLOT_LEASED || job_that_runs(slot, &sequence) != job)
		return false;
	watch_cancel(&slot->lease.watch, sequence);
	lease_watch_look(slot, now_ns());
	return true;
}

bool lease_watch_cancel(struct supervisor *s, uint64_t job)
{
	for_each_pool(pool, s) for_each_slot(slot, pool) if (cancel_on(slot, job)) return true;
	return false;
}

void lease_watch_end(struct supervisor *s, uint64_t id)
{
	struct job *job = record_find(s, id);

	if (!job || !job->is_lease || job->link.state == RECORD_TOLD)
		return; /* the lease is over: LEASE_OVER is on its way */
	if (!job->slot) {
		verdict_refuse(job, BROOD_DETAIL_NONE);
	} else if (job->slot->link.state == SLOT_LEASED) {
		lease_watch_take_back(job->slot, now_ns());
	}
}

/* ---- the pool stops ---- */

void lease_watch_drain(struct pool *pool)
{
	for_each_slot(slot, pool)
	{
		if (slot->link.state == SLOT_LEASED) {
			watch_drain(&slot->lease.watch);
			lease_watch_look(slot, now_ns());
		}
	}
}

void lease_watch_force(struct slot *slot, uint64_t now)
{
	lease_watch_look(slot, now);
	if (slot->link.state != SLOT_LEASED || slot->lease.watch.subject == 0)
		return;
	ladder_force(&slot->ladder, now, LADDER_CAUSE_STOP);
	if (!deadline_spares_debugged(slot))
		deadline_enforce_lease(slot, now);
}
