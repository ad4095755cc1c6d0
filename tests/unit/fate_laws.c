/* SPDX-License-Identifier: MIT */
/* fate_laws.c - every combination of facts against the laws that each verdict must keep. */
#include "pool/fate.h"
#include "fate_words.h"

#include <criterion/criterion.h>
#include <signal.h>

TestSuite(unit_fate, .timeout = 60);

/* ---- every combination ---- */

static const uint64_t words[] = {
	ASSIGNED,
	RUNNING,
	OVER,
	CONDEMNED,
	0,
	UINT64_MAX,
	SLOT_PAGE_WORD(SEQUENCE - 1, SLOT_PAGE_ASSIGNED),
	SLOT_PAGE_WORD(SEQUENCE, 7),
};
static const struct message_finished finished[] = {
	{ .code = 0 },
	{ .code = 7 },
	{ .flags = FINISHED_REFUSED_POINTER },
	{ .flags = FINISHED_NO_FD },
	{ .code = INT32_MIN, .left = UINT32_MAX, .flags = UINT32_MAX },
	{ .code = 3, .left = UINT32_MAX, .flags = FINISHED_RETIRING },
};
static const struct {
	bool ended;
	int code, status;
} ends[] = {
	{ false, 0, 0 },
	{ true, CLD_EXITED, 0 },
	{ true, CLD_EXITED, 3 },
	{ true, CLD_KILLED, SIGKILL },
	{ true, CLD_KILLED, SIGABRT },
	{ true, CLD_DUMPED, SIGABRT },
	{ true, CLD_KILLED, SIGTERM },
	{ true, CLD_DUMPED, SIGSEGV },
	{ true, 0, 0 },
	{ true, -1, -1 },
	{ true, CLD_STOPPED, SIGSTOP },
};
static const int kill_signals[] = { 0, SIGTERM, SIGABRT, SIGKILL };

static bool in_range(const struct brood_verdict *v)
{
	bool plain = v->detail == BROOD_DETAIL_NONE, memory = v->detail == BROOD_DETAIL_MEMORY;

	switch (v->outcome) {
	case BROOD_DONE: return plain && v->started && !v->code && !v->signal && !v->core;
	case BROOD_FAILED:
		return (plain || memory) && v->started && v->code && !v->signal && !v->core;
	case BROOD_EXITED: return (plain || memory) && v->started && !v->signal && !v->core;
	case BROOD_REFUSED:
		return (v->detail == BROOD_DETAIL_BAD_POINTER ||
			       v->detail == BROOD_DETAIL_FD_LOST) &&
			!v->started && !v->code && !v->signal;
	case BROOD_CRASHED:
		return (plain || v->detail == BROOD_DETAIL_OOM ||
			       (v->detail >= BROOD_DETAIL_OUTSIDE &&
				       v->detail <= BROOD_DETAIL_STUCK) ||
			       v->detail == BROOD_DETAIL_OPERATOR) &&
			!v->code;
	case BROOD_TIMED_OUT: return plain && !v->code;
	case BROOD_CANCELLED: return (plain || v->detail == BROOD_DETAIL_STOPPED) && !v->code;
	case BROOD_LOST: break;
	}
	return false;
}

static bool ended_by_us(const struct fate_facts *f)
{
	bool aborted = f->abort || f->kill_signal == SIGABRT;

	return f->status == f->kill_signal ||
		(aborted && (f->status == SIGABRT || f->status == SIGKILL));
}

static bool laws_hold(const struct fate_facts *f, const struct brood_verdict *v, bool again)
{
	bool ours = v->outcome == BROOD_TIMED_OUT || v->outcome == BROOD_CANCELLED;
	bool by_signal = f->ended && (f->code == CLD_KILLED || f->code == CLD_DUMPED);
	bool soft = f->told && by_signal && f->status == SIGTERM && f->word != ASSIGNED;

	return in_range(v) &&
		/* "timed out" only if the pool has ended the job */
		(!ours || ((f->condemned || soft) && f->cause != LADDER_CAUSE_NONE)) &&
		/* and not if the job died of something else */
		(!ours || !by_signal || f->word == ASSIGNED || soft || ended_by_us(f)) &&
		(!ours || (v->outcome == BROOD_TIMED_OUT) == (f->cause == LADDER_CAUSE_DEADLINE)) &&
		(!ours || (v->detail == BROOD_DETAIL_STOPPED) == (f->cause == LADDER_CAUSE_STOP)) &&
		(f->word == ASSIGNED || !again) && /* no retry if the job may have begun */
		(!again || !v->started) && (!again || !f->undead) &&
		/* as brood.h says of a job that is tried once */
		(!again || v->outcome == BROOD_CRASHED) &&
		((v->outcome != BROOD_DONE && v->outcome != BROOD_FAILED &&
			 v->outcome != BROOD_REFUSED) ||
			f->finished) &&
		((v->detail != BROOD_DETAIL_OUTSIDE && v->detail != BROOD_DETAIL_OOM) ||
			(by_signal && f->status == SIGKILL && f->kill_signal != SIGKILL)) &&
		(v->detail != BROOD_DETAIL_OPERATOR ||
			(by_signal && f->status == SIGKILL && f->by_operator)) &&
		(v->detail != BROOD_DETAIL_OOM || f->oom) &&
		(!fate_retryable(v, BROOD_RETRY_OUTSIDE) || v->signal == SIGKILL) &&
		/* no retry while the first attempt may still run */
		(!f->undead || f->ended || f->finished || !fate_retryable(v, UINT32_MAX)) &&
		(v->left & ~0x3ffu) == 0 && (v->left == 0 || f->finished) &&
		(v->signal == 0 || v->signal == f->status) && (!v->core || v->signal != 0);
}

/*
 * The facts that are no bits: the number chooses one value of each. Returns false when all
 * combinations were used.
 */
static bool pick(struct fate_facts *f, size_t n)
{
	size_t end;

	f->sequence = SEQUENCE;
	f->word = words[n % ARRAY_SIZE(words)];
	n /= ARRAY_SIZE(words);
	f->finished = n % (ARRAY_SIZE(finished) + 1) ? &finished[n % (ARRAY_SIZE(finished) + 1) - 1]
						     : NULL;
	n /= ARRAY_SIZE(finished) + 1;
	end = n % ARRAY_SIZE(ends);
	f->ended = ends[end].ended;
	f->code = ends[end].code;
	f->status = ends[end].status;
	n /= ARRAY_SIZE(ends);
	f->kill_signal = kill_signals[n % ARRAY_SIZE(kill_signals)];
	n /= ARRAY_SIZE(kill_signals);
	f->escaped = (uint32_t)(n % 4);
	n /= 4;
	f->cause = (enum ladder_cause)(n % 4);
	return n / 4 == 0;
}

Test(unit_fate, every_combination_keeps_the_laws)
{
	struct fate_facts f = { 0 };

	for (size_t n = 0; pick(&f, n); n++) {
		for (unsigned bits = 0; bits < 512; bits++) {
			struct brood_verdict v = { 0 };
			bool again;

			f.abort = bits & 1;
			f.condemned = bits & 2;
			f.protocol = bits & 4;
			f.stuck = bits & 8;
			f.memory = bits & 16;
			f.told = bits & 32;
			f.undead = bits & 64;
			f.by_operator = bits & 128;
			f.oom = bits & 256;
			again = !fate_decide(&f, &v);
			if (!laws_hold(&f, &v, again))
				cr_assert_fail("combination %zu, bits %x: outcome %d, detail %d, "
					       "code %d, signal %d, started %d, again %d",
					n, bits, (int)v.outcome, (int)v.detail, v.code, v.signal,
					v.started, again);
		}
	}
}

/* The bit that allows a retry after this end; 0: none does. */
static uint32_t bit_of(unsigned outcome, unsigned detail, bool signal)
{
	bool ended = signal && detail != BROOD_DETAIL_STUCK;

	switch (outcome) {
	case BROOD_CRASHED:
		return detail == BROOD_DETAIL_OUTSIDE || detail == BROOD_DETAIL_OPERATOR
			? BROOD_RETRY_OUTSIDE
			: detail == BROOD_DETAIL_OOM    ? BROOD_RETRY_OUTSIDE | BROOD_RETRY_MEMORY
			: !ended                        ? 0
			: detail == BROOD_DETAIL_MEMORY ? BROOD_RETRY_MEMORY
							: BROOD_RETRY_CRASH;
	case BROOD_TIMED_OUT: return signal ? BROOD_RETRY_TIMEOUT : 0;
	case BROOD_FAILED:
	case BROOD_EXITED: return detail == BROOD_DETAIL_MEMORY ? BROOD_RETRY_MEMORY : 0;
	default: return 0;
	}
}

Test(unit_fate, what_is_retried)
{
	for (unsigned outcome = 0; outcome < BROOD_OUTCOMES; outcome++) {
		for (unsigned detail = 0; detail < BROOD_DETAILS; detail++) {
			for (uint32_t set = 0; set < 32; set++) {
				bool signal = set & 16;
				struct brood_verdict v = { .outcome = (enum brood_outcome)outcome,
					.detail = (enum brood_detail)detail,
					.signal = signal ? SIGKILL : 0 };

				cr_assert_eq(fate_retryable(&v, set & 15),
					(bit_of(outcome, detail, signal) & set & 15) != 0);
			}
		}
	}
}
