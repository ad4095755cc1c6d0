/* SPDX-License-Identifier: MIT */
/*
 * caller.c - where a thread sleeps that waits for a job of the callers' queue. The worker that has
 * done a job wakes the very thread that waits for it: each job in a ring has a word there
 * (wire/ring.h, `callers`) on which its thread sleeps.
 *
 * A job may get into a ring, or out of it, while its thread sleeps. Then the sleeping thread is
 * moved to the other word; a thread that was only about to sleep finds that the old word has
 * changed.
 */
#include "caller.h"

#include "lease_state.h"

#include "../os/futex.h"

static _Atomic uint32_t *word_of(const struct lease *lease, uint64_t sequence)
{
	return &lease->up->callers[sequence % RING_DEPTH];
}

_Atomic uint32_t *caller_sleeps_on(struct sleeper *s) { return s->word ? s->word : &s->woken; }

/*
 * True: the worker has done the job, or has passed its entry by. The worker's figures may be
 * nonsense: collect_done() finds that out.
 */
static bool is_done(const struct lease *lease, uint64_t sequence)
{
	uint64_t done = atomic_load(&lease->up->done);

	return done != 0 && done - lease->collected >= sequence - lease->collected;
}

/* From now on the thread sleeps on the word `to` (NULL: on its own word), or has been woken. */
static void move(struct queue *l, struct sleeper *s, _Atomic uint32_t *to, uint64_t sequence)
{
	_Atomic uint32_t *from = caller_sleeps_on(s);
	uint32_t left = s->word ? s->told : SLEEPER_MOVED;

	if (atomic_load_explicit(&s->woken, memory_order_relaxed) == SLEEPER_WOKEN) {
		s->word = NULL; /* the thread wakes, and sees where its job is */
		return;
	}
	atomic_store(from, left);
	if (!to)
		atomic_store(&s->woken, SLEEPER_SLEEPS);
	s->word = to;
	s->asleep = to ? CALLER_WORD(sequence, CALLER_SLEEPS) : SLEEPER_SLEEPS;
	s->told = CALLER_WORD(sequence, CALLER_TOLD);
	if (futex_requeue(from, left, caller_sleeps_on(s)) < 0)
		queue_rouse(l, s);
}

void caller_ringed(struct lease *lease, struct queue_job *job, uint64_t sequence)
{
	_Atomic uint32_t *word = word_of(lease, sequence);
	struct sleeper *s = job->call->sleeper;

	atomic_store(word,
		CALLER_WORD(sequence,
			!s                                        ? CALLER_NONE
				: s == lease->queue->sleep.leader ? CALLER_DONE_FD
								  : CALLER_SLEEPS));
	if (s && s != lease->queue->sleep.leader)
		move(lease->queue, s, word, sequence);
}

/*
 * The worker will pass the entry by, and may then have nothing to do; but a worker tells nobody of
 * an entry without a job. CALLER_DONE_FD makes the worker tell the leader. If the worker has passed
 * the entry by already, the leader is poked here.
 */
void caller_unringed(struct lease *lease, struct queue_job *job)
{
	struct sleeper *s = job->call->sleeper;

	if (s && s != lease->queue->sleep.leader)
		move(lease->queue, s, NULL, 0);
	atomic_store(word_of(lease, job->sequence), CALLER_WORD(job->sequence, CALLER_DONE_FD));
	if (is_done(lease, job->sequence))
		inbox_poke(&lease->queue->inbox);
}

void caller_closed(struct queue *l, struct queue_job *job)
{
	struct sleeper *s = job->call->sleeper;

	if (s && s != l->sleep.leader && s->word && atomic_exchange(s->word, s->told) == s->told)
		return; /* the worker has woken the thread, or is about to */
	queue_wake(l, &job->call->sleeper);
}

void caller_lease_gone(struct lease *lease)
{
	const _Atomic uint32_t *from, *to;

	/* The engine had no descriptor or memory for this lease: nobody sleeps on its words. */
	if (!lease->up)
		return;
	from = lease->up->callers;
	to = from + RING_DEPTH;
	list_for_each_safe(link, tmp, &lease->queue->sleep.followers) {
		struct sleeper *s = container_of(link, struct sleeper, link);

		if (s->word < from || s->word >= to)
			continue;
		queue_rouse(lease->queue, s);
		s->word = NULL; /* no thread may look at the lease's word any more */
	}
}

bool caller_arm(const struct queue_job *job, struct sleeper *s, enum caller_state how)
{
	const struct lease *lease = job->lease;

	if (job->state != JOB_RINGED || lease->damaged)
		return true;
	s->word = word_of(lease, job->sequence);
	s->told = CALLER_WORD(job->sequence, CALLER_TOLD);
	s->asleep = CALLER_WORD(job->sequence, how);
	atomic_store(s->word, s->asleep);
	return !is_done(lease, job->sequence);
}
