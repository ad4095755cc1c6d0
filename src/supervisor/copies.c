/* SPDX-License-Identifier: MIT */
/* copies.c - see copies.h. */
#include "copies.h"
#include "pool.h"
#include "slot.h"

#include "../os/closing.h"

#define LOOK_NS    NS_PER_MS        /* a job that is sent to an idle worker begins sooner */
#define LOOK_MAX   64u              /* so many jobs are looked at at a time */
#define LOOK_LATER (20 * NS_PER_MS) /* none of these had begun: their workers have no CPU */

static bool is_short(const struct pool *pool)
{
	return pool->setup->job_files > 0 && pool->copies.held > pool->setup->job_files / 2;
}

static bool has_begun(const struct job *job)
{
	const struct slot *slot = job->slot;

	return slot && slot->link.state == SLOT_BUSY &&
		atomic_load(&slot_page(slot)->word) ==
		SLOT_PAGE_WORD(slot->sequence, SLOT_PAGE_RUNNING);
}

/*
 * True: the supervisor may close the job's files. A last close() may block, and must not be the
 * worker's: the supervisor keeps files for which it may. The library's own socket never blocks.
 */
static bool may_close(const struct job *job)
{
	for (uint32_t i = job->message.own_pair ? 1 : 0; i < job->fds_count; i++)
		if (!closing_is_harmless(job->fds[i]))
			return false;
	return true;
}

static void look_at(uint64_t when, struct pool *pool)
{
	if (!timer_running(&pool->copies.timer))
		timer_set(&pool->supervisor->loop, &pool->copies.timer, when);
}

static void let_go(struct job *job)
{
	struct pool *pool = job->pool;

	record_let_go_files(job);
	list_append(&job->filed, &pool->copies.untold);
	note(pool->supervisor, NOTE_TELL);
}

/* Closes files of jobs that have begun. Jobs that have not begun go to the end of the list. */
static void look(struct timer *timer, uint64_t now)
{
	struct pool *pool = container_of(timer, struct pool, copies.timer);
	uint32_t closed = 0;

	for (uint32_t n = 0; n < LOOK_MAX && is_short(pool); n++) {
		struct list *first = list_first(&pool->copies.running);
		struct job *job = first ? container_of(first, struct job, filed) : NULL;

		if (!job)
			return;
		list_remove(first);
		if (!has_begun(job)) {
			list_append(first, &pool->copies.running);
		} else if (may_close(job)) {
			let_go(job);
			closed++;
		}
	}
	if (is_short(pool) && !list_empty(&pool->copies.running))
		look_at(now + (closed ? LOOK_NS : LOOK_LATER), pool);
}

void copies_prepare(struct pool *pool)
{
	list_init(&pool->copies.running);
	list_init(&pool->copies.untold);
	list_init(&pool->copies.sockets);
	timer_init(&pool->copies.timer, look);
}

void copies_come(struct pool *pool)
{
	if (is_short(pool) && !list_empty(&pool->copies.running))
		look_at(now_ns() + LOOK_NS, pool);
}

void copies_assigned(struct job *job)
{
	struct pool *pool = job->pool;

	list_remove(&job->filed);
	/* another attempt needs the files; or there are none */
	if (job->retries_left > 0 || job->files == 0)
		return;
	list_append(&job->filed, &pool->copies.running);
	if (is_short(pool))
		look_at(now_ns() + LOOK_NS, pool);
}
