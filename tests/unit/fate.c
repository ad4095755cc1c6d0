/* SPDX-License-Identifier: MIT */
/* fate.c - the verdict of a job: a row for each story that has a name. */
#include "pool/fate.h"
#include "fate_words.h"

#include <criterion/criterion.h>
#include <signal.h>

TestSuite(unit_fate, .timeout = 60);

#define FINISHED(...) \
	(&(const struct message_finished){ .id = 7, .sequence = SEQUENCE, __VA_ARGS__ })
#define EXIT(n)    .ended = true, .code = CLD_EXITED, .status = (n)
#define KILLED(n)  .ended = true, .code = CLD_KILLED, .status = (n)
#define DUMPED(n)  .ended = true, .code = CLD_DUMPED, .status = (n)
#define BY(c)      .condemned = true, .cause = LADDER_CAUSE_##c
#define WITH(o, d) .outcome = BROOD_##o, .detail = BROOD_DETAIL_##d

struct row {
	const char *story;
	struct fate_facts facts;
	bool again;
	struct {
		enum brood_outcome outcome;
		enum brood_detail detail;
		int code, signal, core, started;
		uint32_t left;
	} want;
};

static const struct row rows[] = {
	{ "killed by the kernel for want of memory",
		{ .word = RUNNING, KILLED(SIGKILL), .oom = true }, false,
		{ WITH(CRASHED, OOM), .signal = SIGKILL, .started = 1 } },
	{ "the kernel was faster than Brood's own kill",
		{ .word = RUNNING,
			KILLED(SIGKILL),
			.oom = true,
			BY(DEADLINE),
			.kill_signal = SIGKILL },
		false, { WITH(TIMED_OUT, NONE), .signal = SIGKILL, .started = 1 } },
	{ "returned 0", { .word = OVER, .finished = FINISHED(.code = 0) }, false,
		{ WITH(DONE, NONE), .started = 1 } },
	{ "returned 7", { .word = OVER, .finished = FINISHED(.code = 7) }, false,
		{ WITH(FAILED, NONE), .code = 7, .started = 1 } },
	{ "returned -1", { .word = OVER, .finished = FINISHED(.code = -1) }, false,
		{ WITH(FAILED, NONE), .code = -1, .started = 1 } },
	{ "left threads",
		{ .word = OVER,
			.finished = FINISHED(.left = BROOD_LEFT_THREADS,
				.flags = FINISHED_RETIRING) },
		false, { WITH(DONE, NONE), .started = 1, .left = BROOD_LEFT_THREADS } },
	{ "left what does not exist", { .word = OVER, .finished = FINISHED(.left = UINT32_MAX) },
		false, { WITH(DONE, NONE), .started = 1, .left = 0x3ff } },
	{ "failed for want of memory",
		{ .word = OVER, .finished = FINISHED(.code = 1, .left = BROOD_LEFT_MEMORY) }, false,
		{ WITH(FAILED, MEMORY), .code = 1, .started = 1, .left = BROOD_LEFT_MEMORY } },
	{ "done with little memory left",
		{ .word = OVER, .finished = FINISHED(.left = BROOD_LEFT_MEMORY), .memory = true },
		false, { WITH(DONE, NONE), .started = 1, .left = BROOD_LEFT_MEMORY } },
	{ "pointer refused",
		{ .word = ASSIGNED,
			.finished = FINISHED(.flags = FINISHED_REFUSED_POINTER, .code = 5) },
		false, { WITH(REFUSED, BAD_POINTER) } },
	{ "pointer refused by a worker that swapped first",
		{ .word = OVER, .finished = FINISHED(.flags = FINISHED_REFUSED_POINTER) }, false,
		{ WITH(REFUSED, BAD_POINTER) } },
	{ "fd did not arrive", { .word = ASSIGNED, .finished = FINISHED(.flags = FINISHED_NO_FD) },
		false, { WITH(REFUSED, FD_LOST) } },
	{ "finished, then the idle worker was killed before it was read",
		{ .word = OVER, .finished = FINISHED(.code = 0), KILLED(SIGKILL) }, false,
		{ WITH(DONE, NONE), .started = 1 } },

	{ "exit(0)", { .word = RUNNING, EXIT(0) }, false, { WITH(EXITED, NONE), .started = 1 } },
	{ "exit(3)", { .word = RUNNING, EXIT(3) }, false,
		{ WITH(EXITED, NONE), .code = 3, .started = 1 } },
	{ "exit(1) for want of memory", { .word = RUNNING, EXIT(1), .memory = true }, false,
		{ WITH(EXITED, MEMORY), .code = 1, .started = 1 } },
	{ "a thread that a job left exits after fn has returned", { .word = OVER, EXIT(3) }, false,
		{ WITH(EXITED, NONE), .code = 3, .started = 1 } },
	{ "SIGSEGV", { .word = RUNNING, DUMPED(SIGSEGV) }, false,
		{ WITH(CRASHED, NONE), .signal = SIGSEGV, .core = 1, .started = 1 } },
	{ "SIGSEGV, no core", { .word = RUNNING, KILLED(SIGSEGV) }, false,
		{ WITH(CRASHED, NONE), .signal = SIGSEGV, .started = 1 } },
	{ "SIGSEGV for want of memory", { .word = RUNNING, KILLED(SIGSEGV), .memory = true }, false,
		{ WITH(CRASHED, MEMORY), .signal = SIGSEGV, .started = 1 } },
	{ "abort(), assertion, C++ exception", { .word = RUNNING, DUMPED(SIGABRT) }, false,
		{ WITH(CRASHED, NONE), .signal = SIGABRT, .core = 1, .started = 1 } },
	{ "killed from outside", { .word = RUNNING, KILLED(SIGKILL) }, false,
		{ WITH(CRASHED, OUTSIDE), .signal = SIGKILL, .started = 1 } },
	{ "killed from outside, with little memory left",
		{ .word = RUNNING, KILLED(SIGKILL), .memory = true }, false,
		{ WITH(CRASHED, OUTSIDE), .signal = SIGKILL, .started = 1 } },
	{ "killed from outside after fn, before FINISHED", { .word = OVER, KILLED(SIGKILL) }, false,
		{ WITH(CRASHED, OUTSIDE), .signal = SIGKILL, .started = 1 } },
	{ "killed from outside after the pool had asked it to end",
		{ .word = RUNNING, KILLED(SIGKILL), .kill_signal = SIGTERM }, false,
		{ WITH(CRASHED, OUTSIDE), .signal = SIGKILL, .started = 1 } },
	{ "longjmp out", { .word = RUNNING, .escaped = ESCAPED_LONGJMP, EXIT(70) }, false,
		{ WITH(CRASHED, LONGJMP), .started = 1 } },
	{ "pthread_exit", { .word = RUNNING, .escaped = ESCAPED_THREAD_EXIT, EXIT(70) }, false,
		{ WITH(CRASHED, THREAD_EXIT), .started = 1 } },
	{ "longjmp out, then killed from outside",
		{ .word = RUNNING, .escaped = ESCAPED_LONGJMP, KILLED(SIGKILL) }, false,
		{ WITH(CRASHED, LONGJMP), .signal = SIGKILL, .started = 1 } },
	{ "escaped in a way that does not exist", { .word = RUNNING, .escaped = 99, EXIT(0) },
		false, { WITH(CRASHED, PROTOCOL), .started = 1 } },
	{ "the library ended the worker: its channel was closed",
		{ .word = RUNNING, EXIT(72), .gave_up = true }, false,
		{ WITH(CRASHED, PROTOCOL), .started = 1 } },
	{ "a job's own exit(72)", { .word = RUNNING, EXIT(72) }, false,
		{ WITH(EXITED, NONE), .code = 72, .started = 1 } },
	{ "the library ended it, and fn was not entered",
		{ .word = ASSIGNED, EXIT(72), .gave_up = true }, true,
		{ WITH(CRASHED, PROTOCOL) } },
	{ "nonsense",
		{ .word = RUNNING, .protocol = true, KILLED(SIGKILL), .kill_signal = SIGKILL },
		false, { WITH(CRASHED, PROTOCOL), .signal = SIGKILL, .started = 1 } },
	{ "nonsense found after it had crashed",
		{ .word = RUNNING, .protocol = true, KILLED(SIGSEGV) }, false,
		{ WITH(CRASHED, PROTOCOL), .signal = SIGSEGV, .started = 1 } },
	{ "stuck",
		{ .word = OVER,
			.stuck = true,
			KILLED(SIGKILL),
			.kill_signal = SIGKILL,
			.cause = LADDER_CAUSE_DEADLINE },
		false, { WITH(CRASHED, STUCK), .signal = SIGKILL, .started = 1 } },
	{ "stuck, because it was writing a core",
		{ .word = OVER,
			.stuck = true,
			DUMPED(SIGSEGV),
			.kill_signal = SIGKILL,
			.cause = LADDER_CAUSE_DEADLINE },
		false, { WITH(CRASHED, NONE), .signal = SIGSEGV, .core = 1, .started = 1 } },
	{ "stuck, because a thread that a job left was exiting",
		{ .word = OVER,
			.stuck = true,
			EXIT(3),
			.kill_signal = SIGKILL,
			.cause = LADDER_CAUSE_DEADLINE },
		false, { WITH(EXITED, NONE), .code = 3, .started = 1 } },
	{ "killed by the pool's stop after fn",
		{ .word = OVER,
			KILLED(SIGKILL),
			.kill_signal = SIGKILL,
			.cause = LADDER_CAUSE_STOP },
		false, { WITH(CRASHED, STUCK), .signal = SIGKILL, .started = 1 } },
	{ "reaped by somebody else", { .word = RUNNING, .ended = true }, false,
		{ WITH(CRASHED, NONE), .started = 1 } },

	{ "timed out", { .word = RUNNING, KILLED(SIGKILL), .kill_signal = SIGKILL, BY(DEADLINE) },
		false, { WITH(TIMED_OUT, NONE), .signal = SIGKILL, .started = 1 } },
	{ "timed out before fn was entered",
		{ .word = ASSIGNED, KILLED(SIGKILL), .kill_signal = SIGKILL, BY(DEADLINE) }, false,
		{ WITH(TIMED_OUT, NONE), .signal = SIGKILL } },
	{ "timed out, dead already before fn was entered",
		{ .word = ASSIGNED, KILLED(SIGSEGV), .kill_signal = SIGKILL, BY(DEADLINE) }, false,
		{ WITH(TIMED_OUT, NONE), .signal = SIGSEGV } },
	{ "timed out, not yet dead", { .word = RUNNING, .kill_signal = SIGKILL, BY(DEADLINE) },
		false, { WITH(TIMED_OUT, NONE), .started = 1 } },
	{ "timed out, reaped by somebody else",
		{ .word = RUNNING, .ended = true, .kill_signal = SIGKILL, BY(DEADLINE) }, false,
		{ WITH(TIMED_OUT, NONE), .started = 1 } },
	{ "cancelled", { .word = RUNNING, KILLED(SIGKILL), .kill_signal = SIGKILL, BY(CANCEL) },
		false, { WITH(CANCELLED, NONE), .signal = SIGKILL, .started = 1 } },
	{ "stopped", { .word = RUNNING, KILLED(SIGKILL), .kill_signal = SIGKILL, BY(STOP) }, false,
		{ WITH(CANCELLED, STOPPED), .signal = SIGKILL, .started = 1 } },
	{ "timed out with a core",
		{ .word = RUNNING,
			DUMPED(SIGABRT),
			.kill_signal = SIGABRT,
			.abort = true,
			BY(DEADLINE) },
		false, { WITH(TIMED_OUT, NONE), .signal = SIGABRT, .core = 1, .started = 1 } },
	{ "timed out with a core that took too long",
		{ .word = RUNNING,
			KILLED(SIGABRT),
			.kill_signal = SIGKILL,
			.abort = true,
			BY(DEADLINE) },
		false, { WITH(TIMED_OUT, NONE), .signal = SIGABRT, .started = 1 } },
	{ "timed out, SIGABRT ignored",
		{ .word = RUNNING,
			KILLED(SIGKILL),
			.kill_signal = SIGKILL,
			.abort = true,
			BY(DEADLINE) },
		false, { WITH(TIMED_OUT, NONE), .signal = SIGKILL, .started = 1 } },
	{ "timed out, a SIGABRT handler that exits",
		{ .word = RUNNING, EXIT(1), .kill_signal = SIGABRT, .abort = true, BY(DEADLINE) },
		false, { WITH(TIMED_OUT, NONE), .started = 1 } },
	{ "crashed, and its core was being written when time was up",
		{ .word = RUNNING, DUMPED(SIGSEGV), .kill_signal = SIGKILL, BY(DEADLINE) }, false,
		{ WITH(CRASHED, NONE), .signal = SIGSEGV, .core = 1, .started = 1 } },
	{ "aborted by itself, and its core was being written when time was up",
		{ .word = RUNNING, KILLED(SIGABRT), .kill_signal = SIGKILL, BY(DEADLINE) }, false,
		{ WITH(CRASHED, NONE), .signal = SIGABRT, .started = 1 } },
	{ "had exited when time was up",
		{ .word = RUNNING, EXIT(3), .kill_signal = SIGKILL, BY(DEADLINE) }, false,
		{ WITH(EXITED, NONE), .code = 3, .started = 1 } },
	{ "had escaped when it was cancelled",
		{ .word = RUNNING,
			.escaped = ESCAPED_THREAD_EXIT,
			EXIT(70),
			.kill_signal = SIGKILL,
			BY(CANCEL) },
		false, { WITH(CRASHED, THREAD_EXIT), .started = 1 } },
	{ "was killed from outside when time was up, before our kill",
		{ .word = RUNNING, KILLED(SIGKILL), BY(DEADLINE) }, false,
		{ WITH(CRASHED, OUTSIDE), .signal = SIGKILL, .started = 1 } },
	{ "condemned, and lies that it has finished",
		{ .word = RUNNING,
			.finished = FINISHED(.code = 0),
			KILLED(SIGKILL),
			.kill_signal = SIGKILL,
			BY(DEADLINE) },
		false, { WITH(TIMED_OUT, NONE), .signal = SIGKILL, .started = 1 } },

	{ "the soft step ended what it had put in its place",
		{ .word = RUNNING, KILLED(SIGTERM), .told = true, .cause = LADDER_CAUSE_DEADLINE },
		false, { WITH(TIMED_OUT, NONE), .signal = SIGTERM, .started = 1 } },
	{ "the soft step of a cancel did",
		{ .word = RUNNING, KILLED(SIGTERM), .told = true, .cause = LADDER_CAUSE_CANCEL },
		false, { WITH(CANCELLED, NONE), .signal = SIGTERM, .started = 1 } },
	{ "the soft step did when time was up for good",
		{ .word = RUNNING,
			KILLED(SIGTERM),
			.told = true,
			.kill_signal = SIGKILL,
			BY(DEADLINE) },
		false, { WITH(TIMED_OUT, NONE), .signal = SIGTERM, .started = 1 } },
	{ "ended by SIGTERM, and nobody had told it to end", { .word = RUNNING, KILLED(SIGTERM) },
		false, { WITH(CRASHED, NONE), .signal = SIGTERM, .started = 1 } },
	{ "told to end, and exits",
		{ .word = RUNNING, EXIT(3), .told = true, .cause = LADDER_CAUSE_DEADLINE }, false,
		{ WITH(EXITED, NONE), .code = 3, .started = 1 } },

	{ "timed out, and does not die",
		{ .word = RUNNING, .undead = true, .kill_signal = SIGKILL, BY(DEADLINE) }, false,
		{ WITH(TIMED_OUT, NONE), .started = 1 } },
	{ "stuck after fn, and does not die",
		{ .word = OVER, .undead = true, .stuck = true, .kill_signal = SIGKILL }, false,
		{ WITH(CRASHED, STUCK), .started = 1 } },
	{ "killed without a reason of its own, and does not die",
		{ .word = RUNNING, .undead = true, .kill_signal = SIGKILL }, false,
		{ WITH(CRASHED, STUCK), .started = 1 } },
	{ "does not die, and never began",
		{ .word = ASSIGNED, .undead = true, .kill_signal = SIGKILL }, false,
		{ WITH(CRASHED, STUCK) } },
	{ "does not die, but had finished",
		{ .word = OVER,
			.undead = true,
			.finished = FINISHED(.code = 0),
			.kill_signal = SIGKILL },
		false, { WITH(DONE, NONE), .started = 1 } },

	{ "killed from outside before fn was entered", { .word = ASSIGNED, KILLED(SIGKILL) }, true,
		{ WITH(CRASHED, OUTSIDE), .signal = SIGKILL } },
	{ "crashed before fn was entered", { .word = ASSIGNED, DUMPED(SIGSEGV) }, true,
		{ WITH(CRASHED, NONE), .signal = SIGSEGV, .core = 1 } },
	{ "ended before fn was entered", { .word = ASSIGNED, EXIT(1) }, true,
		{ WITH(CRASHED, NONE) } },
	{ "dropped for nonsense before fn was entered",
		{ .word = ASSIGNED, .protocol = true, KILLED(SIGKILL), .kill_signal = SIGKILL },
		true, { WITH(CRASHED, PROTOCOL), .signal = SIGKILL } },
	{ "finished what it never began", { .word = ASSIGNED, .finished = FINISHED(.code = 0) },
		true, { WITH(CRASHED, PROTOCOL) } },
	{ "escaped from what it never began",
		{ .word = ASSIGNED, .escaped = ESCAPED_LONGJMP, EXIT(70) }, false,
		{ WITH(CRASHED, LONGJMP) } },

	{ "a page of zeros", { .word = 0, KILLED(SIGSEGV) }, false,
		{ WITH(CRASHED, NONE), .signal = SIGSEGV, .started = 1 } },
	{ "a page of ones", { .word = UINT64_MAX, KILLED(SIGSEGV) }, false,
		{ WITH(CRASHED, NONE), .signal = SIGSEGV, .started = 1 } },
	{ "a page of an earlier job",
		{ .word = SLOT_PAGE_WORD(SEQUENCE - 1, SLOT_PAGE_DONE), KILLED(SIGSEGV) }, false,
		{ WITH(CRASHED, NONE), .signal = SIGSEGV, .started = 1 } },
	{ "a page of a later job",
		{ .word = SLOT_PAGE_WORD(SEQUENCE + 1, SLOT_PAGE_ASSIGNED), KILLED(SIGSEGV) },
		false, { WITH(CRASHED, NONE), .signal = SIGSEGV, .started = 1 } },
	{ "condemned by its own hand",
		{ .word = CONDEMNED,
			KILLED(SIGKILL),
			.stuck = true,
			.kill_signal = SIGKILL,
			.cause = LADDER_CAUSE_DEADLINE },
		false, { WITH(CRASHED, STUCK), .signal = SIGKILL, .started = 1 } },
};

Test(unit_fate, stories)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct fate_facts facts = row->facts;
		struct brood_verdict v = { .id = 5,
			.attempts = 2,
			.code = 99,
			.signal = 99,
			.core = 99,
			.started = 99,
			.left = 99 };
		bool again;

		facts.sequence = SEQUENCE;
		again = !fate_decide(&facts, &v);
		cr_expect_eq(again, row->again, "%s: another try %d", row->story, again);
		cr_expect_eq(
			v.outcome, row->want.outcome, "%s: outcome %d", row->story, (int)v.outcome);
		cr_expect_eq(
			v.detail, row->want.detail, "%s: detail %d", row->story, (int)v.detail);
		cr_expect_eq(v.code, row->want.code, "%s: code %d", row->story, v.code);
		cr_expect_eq(v.signal, row->want.signal, "%s: signal %d", row->story, v.signal);
		cr_expect_eq(v.core, row->want.core, "%s: core %d", row->story, v.core);
		cr_expect_eq(v.started, row->want.started, "%s: started %d", row->story, v.started);
		cr_expect_eq(v.left, row->want.left, "%s: left %x", row->story, v.left);
		cr_expect(v.id == 5 && v.attempts == 2, "%s: touched what is not its own",
			row->story);
	}
}

/* ---- told to end ---- */

Test(unit_fate, told_to_end)
{
	static const struct message_finished told = { .told = BROOD_TOLD_CANCEL | BROOD_NOTICED |
			1u << 20 },
					     refused = { .flags = FINISHED_NO_FD, .told = 15 };
	const struct {
		struct fate_facts facts;
		uint32_t flags;
	} list[] = {
		{ { .word = OVER, .finished = &told }, BROOD_TOLD_CANCEL | BROOD_NOTICED },
		/* too late: it had ended */
		{ { .word = OVER,
			  .finished = FINISHED(.code = 0),
			  .told = true,
			  .cause = LADDER_CAUSE_DEADLINE },
			0 },
		{ { .word = ASSIGNED, .finished = &refused }, 0 },
		{ { .word = RUNNING, EXIT(3), .told = true, .cause = LADDER_CAUSE_STOP },
			BROOD_TOLD_STOP },
		{ { .word = RUNNING, EXIT(3), .noticed = true }, 0 },
		/* it never began */
		{ { .word = ASSIGNED,
			  KILLED(SIGKILL),
			  .kill_signal = SIGKILL,
			  .told = true,
			  BY(DEADLINE) },
			0 },
		{ { .word = RUNNING,
			  KILLED(SIGKILL),
			  .kill_signal = SIGKILL,
			  .told = true,
			  .noticed = true,
			  BY(DEADLINE) },
			BROOD_TOLD_DEADLINE | BROOD_NOTICED },
	};

	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		struct fate_facts facts = list[i].facts;
		struct brood_verdict v = { .flags = 99 };

		facts.sequence = SEQUENCE;
		fate_decide(&facts, &v);
		cr_assert_eq(v.flags, list[i].flags, "row %zu: %x", i, v.flags);
	}
}
