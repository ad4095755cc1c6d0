/* SPDX-License-Identifier: MIT */
/*
 * fate.c - what became of a job, from what is known when its worker has finished or ended. Facts
 * that a worker made (FINISHED, ESCAPED, the slot page word) only decide about its own job.
 *
 * In this order, the first that fits:
 *   ours        Brood won the condemning swap, and the process ended by what Brood did then: timed
 *               out or cancelled. If something else ended it, this does not fit: a job
 *               that crashed, and whose core was being written when its time was up, has crashed;
 *               the SIGKILL that cut the dump short is not what ended it.
 *   finished    the worker says so: done, failed, or refused before fn was entered. A worker says
 *               so after it has won its own swap, so "finished" and "ours" exclude each other,
 *               unless the worker lies.
 *   soft step   the process ended by the signal of the soft step, which kills what the job has put
 *               in its place (exec): timed out or cancelled, too.
 *   not started the worker died before fn was entered: another try (false). So too when the
 *               worker was dropped for nonsense before that: an earlier job has caused it.
 *   escaped, protocol, stuck, and at last the wait status alone.
 *
 * Started means: not provably untouched. Only ASSIGNED(sequence) proves that fn was not entered; a
 * word that makes no sense was scribbled by something that ran.
 */
#include "fate.h"

#include <signal.h>

#define LEFT_KNOWN                                                                        \
	(BROOD_LEFT_THREADS | BROOD_LEFT_FDS | BROOD_LEFT_CHILDREN | BROOD_LEFT_MEMORY |  \
		BROOD_LEFT_MASK | BROOD_LEFT_TIMERS | BROOD_LEFT_CWD | BROOD_LEFT_UMASK | \
		BROOD_LEFT_HANDLERS | BROOD_LEFT_GROUP)
#define FLAGS_KNOWN (BROOD_TOLD_DEADLINE | BROOD_TOLD_CANCEL | BROOD_TOLD_STOP | BROOD_NOTICED)

#define REFUSED_BY_WORKER (FINISHED_REFUSED_POINTER | FINISHED_NO_FD | FINISHED_NO_PLUGIN)

static bool fate_started(const struct fate_facts *f)
{
	return f->word != SLOT_PAGE_WORD(f->sequence, SLOT_PAGE_ASSIGNED);
}

static bool fate_by_signal(const struct fate_facts *f)
{
	return f->ended && (f->code == CLD_KILLED || f->code == CLD_DUMPED);
}

/*
 * Did the process end by the kill that followed the won swap? After SIGABRT any exit counts as
 * that, since the job may have a handler that exits; and so does SIGKILL, which follows in any
 * case.
 */
static bool fate_ours(const struct fate_facts *f)
{
	bool aborted = f->abort || f->kill_signal == SIGABRT;

	if (!f->condemned || f->cause == LADDER_CAUSE_NONE)
		return false;
	if (!f->ended || !fate_started(f))
		return true;
	if (f->code == CLD_EXITED)
		return aborted;
	if (!fate_by_signal(f))
		/* the exit status could not be read: that the swap was won must suffice */
		return true;
	if (f->kill_signal != 0 && f->status == f->kill_signal)
		return true;
	return aborted && (f->status == SIGABRT || f->status == SIGKILL);
}

static bool fate_by_soft_step(const struct fate_facts *f)
{
	return f->told && f->cause != LADDER_CAUSE_NONE && fate_started(f) && fate_by_signal(f) &&
		f->status == SIGTERM;
}

static void fate_set(struct brood_verdict *v, enum brood_outcome outcome, enum brood_detail detail)
{
	v->outcome = outcome;
	v->detail = detail;
}

static void fate_from_finished(const struct fate_facts *f, struct brood_verdict *v)
{
	const struct message_finished *m = f->finished;

	v->left = m->left & LEFT_KNOWN;
	v->signal = v->core = 0; /* what ended the worker later has nothing to do with this job */
	v->started = !(m->flags & REFUSED_BY_WORKER);
	v->flags = v->started ? m->told & FLAGS_KNOWN : 0;
	if (m->flags & FINISHED_REFUSED_POINTER) {
		fate_set(v, BROOD_REFUSED, BROOD_DETAIL_BAD_POINTER);
	} else if (m->flags & FINISHED_NO_FD) {
		fate_set(v, BROOD_REFUSED, BROOD_DETAIL_FD_LOST);
	} else if (m->flags & FINISHED_NO_PLUGIN) {
		fate_set(v, BROOD_REFUSED, BROOD_DETAIL_PLUGIN);
	} else if (m->code == 0) {
		fate_set(v, BROOD_DONE, BROOD_DETAIL_NONE);
	} else {
		fate_set(v, BROOD_FAILED,
			f->memory || (m->flags & FINISHED_MEMORY) || (m->left & BROOD_LEFT_MEMORY)
				? BROOD_DETAIL_MEMORY
				: BROOD_DETAIL_NONE);
		v->code = m->code;
	}
}

/*
 * The process ended by a signal, and not by a kill after a won swap (fate_ours()). SIGKILL from
 * Brood then means that an operator asked for it, or else stuck: the job's function had ended, but
 * FINISHED did not come. A SIGKILL that Brood did not send came from the kernel for want of memory,
 * or from outside. Who sent any other signal is not known.
 */
static enum brood_detail fate_signal_detail(const struct fate_facts *f)
{
	if (f->status == SIGKILL && f->by_operator)
		return BROOD_DETAIL_OPERATOR;
	if (f->status == SIGKILL)
		return f->kill_signal == SIGKILL ? BROOD_DETAIL_STUCK
			: f->oom                 ? BROOD_DETAIL_OOM
						 : BROOD_DETAIL_OUTSIDE;
	return f->memory ? BROOD_DETAIL_MEMORY : BROOD_DETAIL_NONE;
}

static void fate_from_end(const struct fate_facts *f, struct brood_verdict *v)
{
	bool by_signal = fate_by_signal(f);
	bool exited = f->ended && f->code == CLD_EXITED;

	if (f->escaped == ESCAPED_LONGJMP || f->escaped == ESCAPED_THREAD_EXIT) {
		fate_set(v, BROOD_CRASHED,
			f->escaped == ESCAPED_LONGJMP ? BROOD_DETAIL_LONGJMP
						      : BROOD_DETAIL_THREAD_EXIT);
	} else if (f->escaped || f->protocol || (exited && f->gave_up)) {
		fate_set(v, BROOD_CRASHED, BROOD_DETAIL_PROTOCOL);
	} else if ((f->stuck || f->undead) && !exited && !(by_signal && f->status != SIGKILL)) {
		fate_set(v, BROOD_CRASHED, BROOD_DETAIL_STUCK);
	} else if (by_signal) {
		fate_set(v, BROOD_CRASHED, fate_signal_detail(f));
	} else if (exited && v->started) {
		fate_set(v, BROOD_EXITED, f->memory ? BROOD_DETAIL_MEMORY : BROOD_DETAIL_NONE);
		v->code = f->status;
	} else {
		fate_set(v, BROOD_CRASHED, f->memory ? BROOD_DETAIL_MEMORY : BROOD_DETAIL_NONE);
	}
}

static void fate_from_cause(const struct fate_facts *f, struct brood_verdict *v)
{
	fate_set(v, f->cause == LADDER_CAUSE_DEADLINE ? BROOD_TIMED_OUT : BROOD_CANCELLED,
		f->cause == LADDER_CAUSE_STOP ? BROOD_DETAIL_STOPPED : BROOD_DETAIL_NONE);
}

bool fate_decide(const struct fate_facts *f, struct brood_verdict *v)
{
	v->code = 0;
	v->left = 0;
	v->signal = fate_by_signal(f) ? f->status : 0;
	v->core = f->ended && f->code == CLD_DUMPED;
	v->started = fate_started(f);
	v->flags = v->started && f->told ? ladder_flag(f->cause) | (f->noticed ? BROOD_NOTICED : 0)
					 : 0;

	if (fate_ours(f)) {
		fate_from_cause(f, v);
		return true;
	}
	if (f->finished && (v->started || (f->finished->flags & REFUSED_BY_WORKER))) {
		fate_from_finished(f, v);
		return true;
	}
	if (fate_by_soft_step(f)) {
		fate_from_cause(f, v);
		return true;
	}
	fate_from_end(f, v);
	/* FINISHED for a job which, by the slot page, never began: the worker lies */
	if (f->finished && !v->started) {
		fate_set(v, BROOD_CRASHED, BROOD_DETAIL_PROTOCOL);
		return f->undead;
	}
	return v->started || f->escaped || f->stuck || f->undead;
}

/*
 * Which bits of retry_on allow another try; 0: none does. A crash or time-out without a signal gets
 * none: the worker may be one that cannot die, and still run the job.
 */
static uint32_t fate_retry_bit(const struct brood_verdict *v)
{
	switch (v->outcome) {
	case BROOD_CRASHED:
		if (v->detail == BROOD_DETAIL_OUTSIDE || v->detail == BROOD_DETAIL_OPERATOR)
			return BROOD_RETRY_OUTSIDE;
		if (v->detail == BROOD_DETAIL_OOM)
			return BROOD_RETRY_OUTSIDE | BROOD_RETRY_MEMORY;
		if (v->signal == 0 || v->detail == BROOD_DETAIL_STUCK)
			return 0;
		return v->detail == BROOD_DETAIL_MEMORY ? BROOD_RETRY_MEMORY : BROOD_RETRY_CRASH;
	case BROOD_TIMED_OUT: return v->signal ? BROOD_RETRY_TIMEOUT : 0;
	case BROOD_FAILED:
	case BROOD_EXITED: return v->detail == BROOD_DETAIL_MEMORY ? BROOD_RETRY_MEMORY : 0;
	default: return 0;
	}
}

bool fate_retryable(const struct brood_verdict *v, uint32_t retry_on)
{
	return fate_retry_bit(v) & retry_on;
}
