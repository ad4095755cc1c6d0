/* SPDX-License-Identifier: MIT */
/*
 * grant.c - leases. A request waits in the queue like a job. When its turn comes, its five fds go
 * on to an idle worker, and the engine is told which worker has them (GRANTED). From then on engine
 * and worker meet without the supervisor, which only watches (lease_watch.c). Each lease or request
 * ends by one LEASE_OVER, even if the engine's socket is full for a while: the worker has left, or
 * has died, or the request got no worker.
 */
#include "grant.h"
#include "lease_watch.h"
#include "pool.h"

/* No lease can have had more jobs than this: a higher count in the lease page is damaged. */
#define SEQUENCES_MAX ((uint64_t)1 << 48)

/* ---- the end of a lease ---- */

static uint64_t last_published(const struct slot *slot)
{
	uint64_t published = atomic_load(&slot_lease_page(slot)->published);

	return published - slot->lease.watch.base < SEQUENCES_MAX ? published
								  : slot->lease.watch.base;
}

/*
 * Counts the lease's jobs. The next sequence comes after all that the engine has published, done or
 * not: no sequence is used twice.
 */
static void count_jobs(struct slot *slot, uint64_t word)
{
	const uint64_t base = slot->lease.watch.base;
	const uint64_t last = MIN(SLOT_PAGE_SEQUENCE(word), last_published(slot));

	slot->jobs_done += last > base ? last - base : watch_moved(base, word);
	slot->sequence = MAX(slot->sequence, last_published(slot));
	if (slot->jobs_done && slot->pool->backoff.young > 0)
		pool_worker_is_well(slot, "do jobs");
}

static void end(struct slot *slot, uint32_t how)
{
	struct job *job = slot->job;

	unread_lease_over(&slot->pool->supervisor->unread, slot_lease_page(slot));
	slot_cut_job(slot);
	record_end_lease(job, how);
}

bool grant_end_by_return(struct slot *slot, const struct message_left *m)
{
	struct job *job = slot->job;
	uint64_t word = atomic_load(&slot_page(slot)->word);

	if (slot->facts.condemned)
		return false; /* a job was condemned, and the worker killed: LEFT is too late */
	if (m->id != job->link.id || m->sequence < slot->lease.watch.base ||
		m->sequence > last_published(slot) || SLOT_PAGE_STATE(word) == SLOT_PAGE_RUNNING) {
		slot_drop(slot, "left a lease that it is not on");
		return false;
	}
	count_jobs(slot, word);
	job->grant.over.sequence = m->sequence;
	job->grant.over.word = word;
	end(slot, LEASE_RETURNED);
	return true;
}

void grant_end_by_death(struct slot *slot, const struct brood_verdict *used)
{
	const struct fate_facts *facts = &slot->facts;
	struct job *job = slot->job;
	struct message_lease_over *o = &job->grant.over;
	uint64_t subject = slot->lease.watch.subject;

	count_jobs(slot, facts->word);
	o->sequence = facts->stuck && !subject ? SLOT_PAGE_SEQUENCE(facts->word) : subject;
	o->word = facts->word;
	o->escaped = facts->escaped;
	o->began_ns = atomic_load(&slot_page(slot)->began_ns);
	o->died_ns = now_ns();
	o->escaped_sequence = slot->end.escaped_sequence;
	o->flags = (facts->protocol ? OVER_PROTOCOL : 0) | (facts->stuck ? OVER_STUCK : 0) |
		(facts->memory ? OVER_MEMORY : 0) | (facts->gave_up ? OVER_GAVE_UP : 0) |
		(facts->by_operator ? OVER_OPERATOR : 0) | (facts->condemned ? OVER_CONDEMNED : 0) |
		(facts->undead ? OVER_UNDEAD : 0) | (facts->oom ? OVER_OOM : 0);
	o->cause = LADDER_CAUSE_NONE;
	if (subject) {
		o->cause = facts->cause;
		o->flags |= (facts->abort ? OVER_ABORT : 0) | (facts->told ? OVER_TOLD : 0) |
			(slot_noticed(slot, subject) ? OVER_NOTICED : 0);
	}
	o->code = facts->code;
	o->status = facts->status;
	o->kill_signal = facts->kill_signal;
	o->cpu_us = used->cpu_us;
	o->peak_kb = used->peak_kb;
	end(slot, LEASE_DIED);
}

/* ---- the beginning of a lease ---- */

bool grant_must_wait(const struct pool *pool, const struct job *job)
{
	return job->is_lease && !record_is_pinned(job) &&
		pool->leases.library >= pool->options->leases;
}

static void prepare_memory(struct slot *slot, const struct job *job)
{
	struct lease_page *lease_page = shared_lease_page(
		slot->pool->supervisor->config.shared, job->lease.lease_page);
	struct slot_page *page = slot_page(slot);

	atomic_store(&lease_page->published, slot->sequence);
	atomic_store(&lease_page->leaving, 0);
	atomic_store(&lease_page->look_at, 0);
	atomic_store(&page->attention, 0);
	atomic_store(&page->word, SLOT_PAGE_WORD(slot->sequence, SLOT_PAGE_FREE));
}

static void granted(struct slot *slot, struct job *job, uint64_t now)
{
	struct supervisor *s = slot->pool->supervisor;
	struct pool *pool = slot->pool;
	const struct message_granted who = { .id = job->link.id,
		.sequence = slot->sequence,
		.pid = slot->pid,
		.slot = slot->number,
		.generation = slot->generation };

	timer_stop(&s->loop, &job->queue_timer);
	records_run(&pool->records, &job->link);
	record_close_fds(job);
	slot->lease.granted_ns = now;
	slot_take_job(slot, job);
	count_one(&pool->stats_page->leases);
	lease_watch_start(slot, &job->lease, now);
	job->grant.granted = who;
	job->grant.over = (struct message_lease_over){
		.pid = who.pid, .slot = who.slot, .generation = who.generation
	};
	list_append(&job->untold, &pool->leases.untold);
	note(s, NOTE_TELL);
}

int grant_give(struct slot *slot, struct job *job, uint64_t now)
{
	struct frame f;
	int r;

	prepare_memory(slot, job);
	frame_begin(&f, MESSAGE_GRANT)->grant = (struct message_grant){
		.id = job->link.id, .sequence = slot->sequence, .flags = job->lease.flags
	};
	memcpy(f.fds, job->fds, LEASE_FDS * sizeof f.fds[0]);
	f.fds_count = LEASE_FDS;
	r = frame_send(slot->channel.fd, &f);
	if (r == 0)
		granted(slot, job, now);
	return r;
}
