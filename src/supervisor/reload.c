/* SPDX-License-Identifier: MIT */
/*
 * reload.c - the engine or an operator wants all workers of a pool replaced, usually since there is
 * new init data.
 * Each worker has the epoch of its pool at its birth. A reload begins a new epoch, and all workers
 * of older epochs are due (renew.c replaces them). The reload is done when no older worker is left
 * and the pool is as full as its undead places let it be.
 *
 * If new workers do not get ready, the old ones go on: after RELOAD_TRIES failed births in a row
 * the reload has failed, and the old workers are not due any more. Births get the former init data
 * again, unless newer data came meanwhile that the failed workers did not have. Workers of epochs
 * in between, which failed or were superseded, stay due, and so do those of the new epoch that have
 * become ready.
 *
 * Init data is proven once a worker was ready with it and no reload goes on. The data that was
 * proven last is kept until newer data is proven.
 */
#include "reload.h"
#include "../os/closing.h"
#include "outbox.h"
#include "pool.h"
#include "renew.h"

#include <inttypes.h>
#include <stdio.h>

#define RELOAD_TRIES   3u
#define RELOAD_HELD_MS 30000u

/* ---- init data ---- */

static void drop(struct init_data *d)
{
	close_fd(d->memfd);
	for (uint32_t i = 0; i < d->fds_count; i++)
		closing_fd(d->fds[i]);
	*d = (struct init_data){ .memfd = -1 };
}

void reload_prepare(struct pool *pool)
{
	pool->init_data.memfd = pool->reload.before.memfd = -1;
	pool->reload.proven = true; /* no init data yet: nothing to prove */
	timer_init(&pool->reload.held, reload_held_fired);
}

void reload_set_init_data(struct pool *pool, const struct init_data *data)
{
	struct reload *r = &pool->reload;

	if (r->proven) {
		drop(&r->before);
		r->before = pool->init_data;
		r->has_before = true;
	} else {
		drop(&pool->init_data);
	}
	pool->init_data = *data;
	r->proven = false;
}

static void prove(struct pool *pool)
{
	struct reload *r = &pool->reload;

	r->proven = true;
	r->has_before = false;
	drop(&r->before);
}

/*
 * A reload has failed: goes back to the init data that was proven last, if `tried`, the version of
 * the failed births, is still the pool's. Returns what became of that version, for the log.
 */
static const char *take_back(struct pool *pool, uint32_t tried)
{
	struct reload *r = &pool->reload;

	if (tried != pool->init_data.version)
		return "kept, those workers had an older one";
	if (r->proven || !r->has_before)
		return "kept, there was none before";
	drop(&pool->init_data);
	pool->init_data = r->before;
	r->before = (struct init_data){ .memfd = -1 };
	prove(pool);
	return "dropped for the one before";
}

/* ---- begin and end of a reload ---- */

static void begin_epoch(struct pool *pool)
{
	pool->renewals.epoch++;
	for_each_slot(slot, pool)
	{
		slot_recount(slot);
		if (slot->renewal.epoch != pool->renewals.epoch)
			renew_due(slot, RETIRE_RELOAD);
	}
	note_pool(pool, NOTE_RENEW | NOTE_BIRTH);
}

/*
 * The engine knows that a newer reload of its own supersedes an older one. Of an operator's it
 * knows nothing, so it is told how its own has ended.
 */
static void lose(struct pool *pool)
{
	struct reload *r = &pool->reload;

	if ((!r->running && !r->untold) || (r->id & RELOAD_BY_OPERATOR))
		return;
	r->lost_id = r->id;
	r->lost_result = r->running ? -ECANCELED : r->result;
	note_pool(pool, NOTE_RENEW);
}

void reload_begin(struct pool *pool, uint64_t id)
{
	struct supervisor *s = pool->supervisor;
	struct reload *r = &pool->reload;
	uint64_t now = now_ns();

	if (s->halt.phase != HALT_NONE)
		return; /* the engine knows that the pool stops */
	if (r->running)
		pool_log(pool, BROOD_INFO, BROOD_EVENT_RELOAD_STARTED,
			"reload " RELOAD_TEXT " is superseded by reload " RELOAD_TEXT,
			RELOAD_NAME(r->id), RELOAD_NAME(id));
	if (id & RELOAD_BY_OPERATOR)
		lose(pool);
	note(s, NOTE_CONTROL);
	r->id = id;
	r->running = true;
	r->untold = false;
	r->failures = r->renewed = 0;
	r->began_ns = now;
	timer_set(&s->loop, &r->held, time_after_ms(now, RELOAD_HELD_MS));
	backoff_try_now(&pool->backoff); /* births may succeed again, with better init data */
	begin_epoch(pool);
	pool_log(pool, BROOD_NOTICE, BROOD_EVENT_RELOAD_STARTED,
		"reload " RELOAD_TEXT ": %u workers are to be replaced; init data version %u",
		RELOAD_NAME(id), pool->renewals.old, pool->init_data.version);
}

static void end(struct pool *pool, int32_t result)
{
	struct reload *r = &pool->reload;

	r->running = false;
	r->result = result;
	r->untold = !(r->id & RELOAD_BY_OPERATOR);
	note(pool->supervisor, NOTE_CONTROL);
	timer_stop(&pool->supervisor->loop, &r->held);
	note_pool(pool, NOTE_RENEW);
}

/*
 * True: a ready worker was born with the pool's present init data. After a reload there may be
 * none: the data may have come after all the births.
 */
static bool a_worker_has_it(struct pool *pool)
{
	for_each_slot(slot, pool)
	{
		enum slot_state state = slot->link.state;

		if (state >= SLOT_IDLE && state <= SLOT_LEASED &&
			slot->renewal.init_version == pool->init_data.version)
			return true;
	}
	return false;
}

static void done(struct pool *pool)
{
	if (!pool->reload.proven && a_worker_has_it(pool))
		prove(pool);
	pool_log(pool, BROOD_NOTICE, BROOD_EVENT_RELOAD_DONE,
		"reload " RELOAD_TEXT " is done after %" PRIu64 " ms: %u workers are ready; init "
		"data version %u",
		RELOAD_NAME(pool->reload.id), (now_ns() - pool->reload.began_ns) / NS_PER_MS,
		pool_ready(pool), pool->init_data.version);
	pool->reload.good = pool->renewals.epoch;
	end(pool, 0);
}

/* The version of the init data that was proven last. */
static uint32_t proven_version(const struct pool *pool)
{
	return pool->reload.proven ? pool->init_data.version : pool->reload.before.version;
}

/*
 * True: the worker stays after a failed reload, for it is of the last good epoch, or has the init
 * data that was proven last. Workers born since the reload began do not stay, nor do workers with
 * the init data that the failed births tried and that is dropped now.
 */
static bool is_good(const struct slot *slot, uint32_t tried)
{
	const struct pool *pool = slot->pool;
	uint32_t version = slot->renewal.init_version;

	if (slot->renewal.epoch == pool->renewals.epoch ||
		(version == tried && tried != pool->init_data.version))
		return false;
	return slot->renewal.epoch == pool->reload.good || version == proven_version(pool);
}

/* Begins a new epoch, to which the good workers belong. All other workers are due. */
static void spare_good(struct pool *pool, uint32_t tried)
{
	uint32_t next = pool->renewals.epoch + 1;

	for_each_slot(slot, pool)
	{
		if (!is_good(slot, tried))
			continue;
		slot->renewal.epoch = next;
		if (slot->renewal.cause == RETIRE_RELOAD)
			slot_make_due(slot, RETIRE_NONE);
	}
	begin_epoch(pool);
	pool->reload.good = next;
}

/* The reload has failed. slot: the place of the last worker that did not get ready. */
static void fail(const struct slot *slot, const char *how)
{
	struct pool *pool = slot->pool;
	struct reload *r = &pool->reload;
	uint32_t version = pool->init_data.version, tried = slot->renewal.init_version;
	const char *what = take_back(pool, tried);

	pool_log(pool, BROOD_ERR, BROOD_EVENT_RELOAD_FAILED,
		"reload " RELOAD_TEXT
		" has failed: %u workers in a row ended before they were ready, "
		"the last one %s; the former workers go on. Init data version %u is %s",
		RELOAD_NAME(r->id), r->failures, how, version, what);
	snprintf(r->how, sizeof r->how, "%s", how);
	spare_good(pool, tried);
	end(pool, -EHOSTDOWN);
}

/* ---- what happens during a reload ---- */

void reload_ready(struct slot *slot)
{
	struct pool *pool = slot->pool;

	if (slot->renewal.epoch == pool->renewals.epoch) {
		pool->reload.failures = 0;
		pool->reload.renewed++;
	}
	if (!pool->reload.running && !pool->reload.proven &&
		slot->renewal.init_version == pool->init_data.version)
		prove(pool);
}

void reload_birth_failed(struct slot *slot, const char *how)
{
	struct pool *pool = slot->pool;

	if (!pool->reload.running || slot->renewal.epoch != pool->renewals.epoch ||
		pool->supervisor->halt.phase != HALT_NONE)
		return;
	pool->reload.failures++;
	if (pool->reload.failures >= RELOAD_TRIES)
		fail(slot, how);
}

static bool tell(struct pool *pool, uint64_t id, int32_t result)
{
	struct frame f;

	frame_begin(&f, MESSAGE_RELOADED)->reload =
		(struct message_reload){ .id = id, .pool = pool->setup->number, .result = result };
	return outbox_send(pool->supervisor, &f) == 0;
}

/*
 * True: all workers are new. The reload does not wait for undead places, unless all are undead. In
 * a pool whose workers come and go all the time, all may never be ready at one moment: so it is
 * enough that as many new workers have become ready, one after the other.
 */
static bool is_done(const struct pool *pool)
{
	uint32_t wanted = MIN(pool->size.target, MAX(pool_possible(pool), 1));

	return pool->renewals.old == 0 &&
		(pool_ready(pool) >= wanted || pool->reload.renewed >= wanted);
}

void reload_step(struct pool *pool)
{
	if (pool->reload.running && pool->supervisor->halt.phase == HALT_NONE && is_done(pool))
		done(pool);
	if (pool->reload.lost_id && tell(pool, pool->reload.lost_id, pool->reload.lost_result))
		pool->reload.lost_id = 0;
	if (pool->reload.untold)
		pool->reload.untold = !tell(pool, pool->reload.id, pool->reload.result);
}

/* Logs which worker holds up the reload: the first old one that has a job or a lease. */
static void name_holder(struct pool *pool)
{
	struct slot *first = NULL;
	uint32_t more = 0;
	char what[BROOD_NAME_MAX + 32] = "is on a lease";

	for_each_slot(slot, pool)
	{
		if (!slot->renewal.old || !slot->job)
			continue;
		more += first != NULL;
		first = first ? first : slot;
	}
	if (!first)
		return;
	if (!first->job->is_lease)
		snprintf(what, sizeof what, "runs %s, job %" PRIu64, first->job->message.name,
			first->job->link.id);
	else if (record_is_pinned(first->job))
		snprintf(what, sizeof what, "is on a pinned lease");
	slot_log(first, BROOD_WARNING, BROOD_EVENT_RELOAD_HELD,
		"reload " RELOAD_TEXT " has waited for %" PRIu64
		" s: worker %u (pid %d) %s; %u more are busy",
		RELOAD_NAME(pool->reload.id), (now_ns() - pool->reload.began_ns) / NS_PER_S,
		first->number, first->pid, what, more);
}

void reload_held_fired(struct timer *timer, uint64_t now)
{
	struct pool *pool = container_of(timer, struct pool, reload.held);

	if (pool->supervisor->halt.phase != HALT_NONE)
		return;
	name_holder(pool);
	timer_set(&pool->supervisor->loop, timer, time_after_ms(now, RELOAD_HELD_MS));
}
