/* SPDX-License-Identifier: MIT */
/*
 * climb.c - deadlines and cancel: the steps that pool/ladder.c decides, done. For a job that was
 * handed off the ladder is about slot->sequence, whose word goes from ASSIGNED to RUNNING; for one
 * on a lease it is about slot->watch.subject, whose word goes from the former one's DONE to RUNNING
 * without us: then a lost swap means only that the worker is further than it was a moment ago.
 */
#include "internal.h"

static bool condemn_from(struct slot *slot, uint64_t sequence, const uint64_t *from, size_t count)
{
	struct desk *desk = shared_desk(slot->supervisor->config.shared, slot->number);

	for (size_t i = 0; i < count; i++) {
		uint64_t word = from[i];

		if (atomic_compare_exchange_strong(
			    &desk->word, &word, DESK_WORD(sequence, DESK_CONDEMNED))) {
			slot->word_before = from[i];
			slot->condemned = true;
			return true;
		}
	}
	return false;
}

/* It may begin between the first look and the others: so the first is tried again. */
static bool condemn(struct slot *slot, uint64_t n)
{
	const uint64_t job[] = { DESK_WORD(n, DESK_RUNNING), DESK_WORD(n, DESK_ASSIGNED),
		DESK_WORD(n, DESK_RUNNING) };
	const uint64_t lease[] = { DESK_WORD(n, DESK_RUNNING), DESK_WORD(n - 1, DESK_DONE),
		DESK_WORD(n - 1, DESK_FREE), DESK_WORD(n, DESK_RUNNING) };

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
	if (slot->kill_signal == 0)
		atomic_fetch_add_explicit(
			&slot->supervisor->board->killed, 1, memory_order_relaxed);
	worker_kill(slot, sig, slot->stuck ? stuck_text(slot) : cause_text(slot->ladder.cause));
}

void climb_stuck(struct slot *slot)
{
	slot->stuck = true;
	kill_for(slot, SIGKILL);
}

/*
 * The job is told by memory. The signal interrupts a system call that it waits in, and makes its
 * cancel fd readable.
 */
static void soften(struct slot *slot, uint64_t sequence)
{
	struct desk *desk = shared_desk(slot->supervisor->config.shared, slot->number);

	atomic_store_explicit(
		&desk->soft_cause, ladder_flag(slot->ladder.cause), memory_order_relaxed);
	atomic_store(&desk->soft, sequence);
	process_signal(slot->pidfd, slot->pid, SIGTERM);
}

static void act(struct slot *slot, enum ladder_action action, uint64_t sequence)
{
	switch (action) {
	case LADDER_DO_SOFT: soften(slot, sequence); break;
	case LADDER_DO_KILL:
		kill_for(slot, slot->ladder.step == LADDER_ABORTED ? SIGABRT : SIGKILL);
		break;
	case LADDER_DO_KILL_STUCK: climb_stuck(slot); break;
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

bool climb_lease(struct slot *slot, uint64_t now)
{
	return slot->watch.subject == 0 || climb(slot, now, slot->watch.subject);
}

bool under_debugger(struct supervisor *s, struct slot *slot)
{
	return (s->options->flags & BROOD_DEBUGGING) &&
		(process_traced_or_stopped(slot->pid) || process_traced_or_stopped(s->engine.pid));
}

void job_deadline(struct slot *slot, uint64_t now)
{
	struct supervisor *s = slot->supervisor;

	if (!slot->job)
		return;
	if (under_debugger(s, slot)) {
		timer_set(&s->loop, &slot->timer, now + NS_PER_S);
		return;
	}
	climb(slot, now, slot->sequence);
	timer_set(&s->loop, &slot->timer, ladder_next(&slot->ladder));
}

void job_hurry(struct slot *slot, uint64_t now, enum ladder_cause cause)
{
	ladder_hurry(&slot->ladder, now, cause);
	job_deadline(slot, now);
}

static void ladder_fired(struct loop *loop, struct timer *timer, uint64_t now)
{
	(void)loop;
	job_deadline(container_of(timer, struct slot, timer), now);
}

void climb_start(struct slot *slot, const struct message_job *m, uint64_t now)
{
	struct supervisor *s = slot->supervisor;

	ladder_start(&slot->ladder, now, m->run_ms, m->grace_ms, s->options->core_ms,
		m->flags & BROOD_JOB_ABORT);
	slot->timer.on = ladder_fired;
	timer_set(&s->loop, &slot->timer, ladder_next(&slot->ladder));
}
