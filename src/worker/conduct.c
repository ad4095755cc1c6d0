/* SPDX-License-Identifier: MIT */
/* conduct.c - see conduct.h. */
#include "conduct.h"

#include "../os/syscalls.h"
#include "../pool/tame.h"
#include "../pool/habits.h"
#include "files.h"
#include "hygiene.h"
#include "worker.h"

_Static_assert(TAME_NO_WORD == SYSCALLS_UNKNOWN, "a result is handed on as it is");

AT_BIRTH static struct tame calls;
AT_BIRTH static bool watching, files_due;
static struct habits habits;

static void selector_set(unsigned char to)
{
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&syscalls_selector, to, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
}

/* Async-signal-safe: the trap of a system call, and handlers of the library, call this. */
static void before_first_call(void)
{
	worker_may_fork();
	if (files_due)
		files_note();
}

static bool let(long number, const long arguments[6], long last)
{
	return tame_let(&calls, number, arguments, last);
}

/* 0: the function is known only when the plugin is open. */
static uintptr_t habit_of(const struct brood_job *job)
{
	return job->plugin_size > 0 ? 0 : (uintptr_t)job->fn;
}

void conduct_begin(const struct brood_job *job)
{
	files_due = job->fd >= 0 || job->extra.count > 0 || files_shared;
	/* before the note is cleared: a handler that interrupts this counts as a call */
	syscalls_before_first = before_first_call;
	atomic_signal_fence(memory_order_seq_cst);
	syscalls_made = 0;
	watching = syscalls_watched && !job->unwatched && !hygiene_others &&
		habits_watch(&habits, habit_of(job)) && syscalls_watch_again();
	if (!watching) {
		syscalls_rest();
		syscalls_before_first = NULL;
		before_first_call();
		return;
	}
	tame_begin(&calls, job->trusted ? 0 : TAME_MAX);
	syscalls_result = SYSCALLS_UNKNOWN;
	syscalls_let = let;
	selector_set(SYSCALLS_BLOCK);
}

void conduct_stop(void) { selector_set(SYSCALLS_ALLOW); }

/*
 * A job that left an fd of its own open has closed none of those that it was given: each is still
 * the file that came.
 */
struct conduct conduct_end(const struct brood_job *job)
{
	bool looked = true;

	selector_set(SYSCALLS_ALLOW);
	if (!watching)
		return (struct conduct){ .calls = true };
	if (!syscalls_made) {
		looked = !tame_left_nothing(&calls, syscalls_result);
		if (looked)
			before_first_call();
	}
	if (!job->trusted)
		habits_note(&habits, habit_of(job), looked);
	return (struct conduct){ .calls = looked,
		.some = calls.any && hygiene_looks_a_little(calls.memory),
		.memory = calls.memory };
}
