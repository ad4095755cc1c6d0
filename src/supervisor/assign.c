/* SPDX-License-Identifier: MIT */
/*
 * assign.c - the first in the queue gets the warmest idle worker: a job is sent there, a request
 * becomes a lease. If no worker is idle, leases are taken back for jobs and requests that wait.
 */
#include "assign.h"
#include "copies.h"
#include "deadline.h"
#include "grant.h"
#include "lease_share.h"
#include "poisoned.h"
#include "pool.h"
#include "verdict.h"
#include "waiting.h"

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
	f.run.own_pair = (uint8_t)m->own_pair;
	f.run.carried = (uint8_t)m->carried;
	f.run.tag_size = (uint16_t)m->tag_size;
	memcpy(f.run.name, m->name, sizeof f.run.name);
	frame_append(&f, job->arg, m->arg_size);
	memcpy(f.fds, job->fds, job->fds_count * sizeof f.fds[0]);
	f.fds_count = job->fds_count;
	return frame_send(slot->channel.fd, &f);
}

static void assigned(struct slot *slot, struct job *job, uint64_t now)
{
	struct pool *pool = slot->pool;

	timer_stop(&pool->supervisor->loop, &job->queue_timer);
	records_run(&pool->records, &job->link);
	job->assigned_ns = now;
	job->attempts++;
	slot_take_job(slot, job);
	deadline_start(slot, &job->message, now);
	copies_assigned(job);
}

static int run(struct slot *slot, struct job *job, uint64_t now)
{
	_Atomic uint64_t *word = &slot_page(slot)->word;
	int r;

	slot->sequence++;
	atomic_store(word, SLOT_PAGE_WORD(slot->sequence, SLOT_PAGE_ASSIGNED));
	r = send_run(slot, job, now);
	if (r == 0)
		assigned(slot, job, now);
	else
		atomic_store(word, SLOT_PAGE_WORD(slot->sequence, SLOT_PAGE_FREE));
	return r;
}

/* 0: the job runs, or the lease began; 1: this worker was no good, try another; -errno: not now. */
static int give(struct slot *slot, struct job *job)
{
	uint64_t now = now_ns();
	int r;

	pool_adjust_core(slot, now);
	r = slot->paused               ? -EAGAIN
		: slot->channel.fd < 0 ? -EPIPE
		: job->is_lease        ? grant_give(slot, job, now)
				       : run(slot, job, now);
	if (r == 0 || error_passes(r))
		return r;
	/*
	 * The worker's channel is broken: the worker is dying, and its pidfd will say so. If the
	 * worker still lives after a while, it is of no use, and is killed.
	 */
	slot_end(slot, now + EOF_GRACE_MS * NS_PER_MS);
	return 1;
}

/* The worker that had the job's key last, if it lives and may have jobs. NULL: none. */
static struct slot *last_with(const struct job *job)
{
	struct pool *pool = job->pool;
	struct keys_worker last;
	struct slot *slot;

	if (!keys_find(&pool->keys, job->message.key, &last))
		return NULL;
	slot = &pool->slot_array[last.place];
	/* A worker that is due to be replaced is not preferred for a key. */
	return slot->generation == last.serial && !slot->renewal.cause ? slot : NULL;
}

/* A job waits for the busy worker of its key only when it is new, and only once. */
static bool worth_a_wait(const struct slot *slot, const struct job *job)
{
	return slot->link.state == SLOT_BUSY && !job->key_waited && job->attempts == 0 &&
		job->message.attempt == 0 && now_ns() < job->message.given_ns + KEYS_WAIT_NS;
}

/*
 * Returns the idle worker that had the job's key last, else the warmest. NULL: the job gets no
 * worker now. Either it waits for the busy worker of its key, or it was refused, since its key is
 * on the poison list.
 */
static struct slot *with_key(struct pool *pool, struct job *job, struct slot *warmest)
{
	struct slot *slot = last_with(job);

	if (poisoned_has(job)) {
		verdict_refuse(job, BROOD_DETAIL_POISONED);
		return NULL;
	}
	if (slot && worth_a_wait(slot, job)) {
		waiting_for_key(job);
		return NULL;
	}
	if (!slot || slot->link.state != SLOT_IDLE)
		slot = warmest;
	keys_note(&pool->keys, job->message.key,
		(struct keys_worker){
			.place = (uint32_t)(slot - pool->slot_array), .serial = slot->generation });
	return slot;
}

/* Ends the wait of jobs for the worker of their key, if that worker is free or gone. */
static void look_at_waits(struct pool *pool)
{
	pool->keys.waits = 0;
	list_for_each_safe(link, tmp, &pool->records.paused) {
		struct job *job = record_of(container_of(link, struct record_link, link));
		const struct slot *slot = job->for_key ? last_with(job) : NULL;

		if (job->for_key && (!slot || slot->link.state != SLOT_BUSY))
			waiting_key_over(job);
		else
			pool->keys.waits += job->for_key;
	}
}

/*
 * Returns the job or request whose turn it is. A request that must wait until another lease ends is
 * parked, so that it holds up nobody. Once a lease has ended, the parked request is the first in
 * turn.
 */
static struct record_link *next_waiting(struct pool *pool)
{
	struct record_link *l = records_parked(&pool->records);

	if (l && !grant_must_wait(pool, record_of(l)))
		return l;
	while ((l = records_next(&pool->records)) && grant_must_wait(pool, record_of(l)))
		records_park(&pool->records, l);
	return l;
}

void assign_all(struct pool *pool)
{
	struct record_link *l;
	struct slot_link *idle;

	if (pool->keys.waits > 0)
		look_at_waits(pool);
	while ((l = next_waiting(pool)) && (idle = slots_first(&pool->slots, SLOT_IDLE))) {
		struct slot *slot = container_of(idle, struct slot, link);
		struct job *job = record_of(l);

		if (job->message.key && !(slot = with_key(pool, job, slot)))
			continue;
		if (give(slot, job) < 0) {
			note(pool->supervisor, NOTE_RETRY);
			break;
		}
	}
	lease_share_recall(pool);
}
