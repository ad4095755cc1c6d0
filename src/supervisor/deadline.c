/* SPDX-License-Identifier: MIT */
/*
 * deadline.c - deadlines and cancel: does the steps that pool/ladder.c decides. For a job that was
 * handed off the ladder is about slot->sequence, whose word goes from ASSIGNED to RUNNING. For a
 * job on a lease the ladder is about the watch's subject. The word goes from DONE of the job before
 * to RUNNING without the supervisor: so a swap to CONDEMNED that fails means only that the worker
 * has gone on meanwhile.
 */
#include "deadline.h"
#include "reports.h"
#include "../os/proc.h"

static bool condemn_from(struct slot *slot, uint64_t sequence, const uint64_t *from, size_t count)
{
	struct slot_page *page = slot_page(slot);

	for (size_t i = 0; i < count; i++) {
		uint64_t word = from[i];

		if (atomic_compare_exchange_strong(
			    &page->word, &word, SLOT_PAGE_WORD(sequence, SLOT_PAGE_CONDEMNED))) {
			slot->facts.word = from[i];
			slot->facts.condemned = true;
			return true;
		}
	}
	return false;
}

/*
 * Swaps the word to CONDEMNED, from each state that it may have. The job may begin between the
 * first try and the others, so the first is tried again. False: the job is over.
 */
static bool condemn(struct slot *slot, uint64_t n)
{
	const uint64_t job[] = { SLOT_PAGE_WORD(n, SLOT_PAGE_RUNNING),
		SLOT_PAGE_WORD(n, SLOT_PAGE_ASSIGNED), SLOT_PAGE_WORD(n, SLOT_PAGE_RUNNING) };
	const uint64_t lease[] = { SLOT_PAGE_WORD(n, SLOT_PAGE_RUNNING),
		SLOT_PAGE_WORD(n - 1, SLOT_PAGE_DONE), SLOT_PAGE_WORD(n - 1, SLOT_PAGE_FREE),
		SLOT_PAGE_WORD(n, SLOT_PAGE_RUNNING) };

	return slot->job->is_lease ? condemn_from(slot, n, lease, ARRAY_SIZE(lease))
				   : condemn_from(slot, n, job, ARRAY_SIZE(job));
}

static const char *stuck_text(const struct slot *slot)
{
	return slot->job && slot->job->is_lease ? "it was asked to leave, but said nothing more"
						: "its job had ended, but it said nothing more";
}

static const char *cause_text(enum ladder_cause cause)
{
	return cause == LADDER_CAUSE_CANCEL  ? "its job was cancelled"
		: cause == LADDER_CAUSE_STOP ? "the pool stops"
					     : "its job ran out of time";
}

static void kill_for(struct slot *slot, int sig)
{
	reports_look(slot);
	slot_kill(slot, sig, slot->facts.stuck ? stuck_text(slot) : cause_text(slot->ladder.cause));
}

void deadline_kill_stuck(struct slot *slot)
{
	slot->facts.stuck = true;
	kill_for(slot, SIGKILL);
}

/*
 * The job is told by the slot page. The signal interrupts a system call that the job waits in, and
 * makes its cancel fd readable.
 */
static void soften(struct slot *slot, uint64_t sequence)
{
	struct slot_page *page = slot_page(slot);

	atomic_store_explicit(
		&page->soft_cause, ladder_flag(slot->ladder.cause), memory_order_relaxed);
	atomic_store(&page->soft, sequence);
	process_signal(slot->pidfd, slot->pid, SIGTERM);
}

/*
 * Reports a slow job when its worker has answered, or has not answered in time: a worker that
 * blocks SIGURG, or gets no CPU, answers late or never.
 */
static void say_slow(struct slot *slot, uint64_t sequence)
{
	if (reports_answered(slot, sequence) || !ladder_unanswered(&slot->ladder, now_ns()))
		reports_add_slow(slot);
}

static void act(struct slot *slot, enum ladder_action action, uint64_t sequence)
{
	switch (action) {
	case LADDER_DO_SOFT: soften(slot, sequence); break;
	case LADDER_DO_KILL:
		kill_for(slot, slot->ladder.step == LADDER_ABORTED ? SIGABRT : SIGKILL);
		break;
	case LADDER_DO_KILL_STUCK: deadline_kill_stuck(slot); break;
	case LADDER_DO_SAMPLE: reports_sample(slot, sequence); break;
	case LADDER_DO_SAY_SLOW: say_slow(slot, sequence); break;
	default: break;
	}
}

static bool climb(struct slot *slot, uint64_t now, uint64_t sequence)
{
	enum ladder_action action;

	while ((action = ladder_due(&slot->ladder, now)) != LADDER_NOTHING) {
		if (action == LADDER_DO_CONDEMN) {
			bool won = condemn(slot, sequence);

			if (!won && slot->job->is_lease)
				return false;
			action = ladder_condemned(&slot->ladder, now, won);
		}
		act(slot, action, sequence);
	}
	return true;
}

bool deadline_enforce_lease(struct slot *slot, uint64_t now)
{
	return slot->lease.watch.subject == 0 || climb(slot, now, slot->lease.watch.subject);
}

bool deadline_spares_debugged(struct slot *slot)
{
	return (slot->pool->options->flags & BROOD_DEBUGGING) &&
		(proc_traced_or_stopped(slot->pid) ||
			proc_traced_or_stopped(slot->pool->supervisor->engine.pid));
}

static timer_fn ladder_fired;

void deadline_enforce(struct slot *slot, uint64_t now)
{
	if (!slot->job)
		return;
	if (deadline_spares_debugged(slot)) {
		slot_set_timer(slot, ladder_fired, now + NS_PER_S);
		return;
	}
	climb(slot, now, slot->sequence);
	slot_set_timer(slot, ladder_fired, ladder_next(&slot->ladder));
}

void deadline_hurry(struct slot *slot, uint64_t now, enum ladder_cause cause)
{
	ladder_hurry(&slot->ladder, now, cause);
	deadline_enforce(slot, now);
}

static void ladder_fired(struct timer *timer, uint64_t now)
{
	deadline_enforce(container_of(timer, struct slot, timer), now);
}

void deadline_start(struct slot *slot, const struct message_job *m, uint64_t now)
{
	ladder_start(&slot->ladder, now, m->run_ms, m->grace_ms, slot->pool->options->core_ms,
		m->flags & BROOD_JOB_ABORT);
	ladder_slow(&slot->ladder, now, slot->pool->setup->own.slow_ms);
	slot_set_timer(slot, ladder_fired, ladder_next(&slot->ladder));
}
