/* SPDX-License-Identifier: MIT */
/* handlers.c - see handlers.h. */
#include "handlers.h"

#include "../base/base.h"
#include "../os/syscalls.h"
#include "dispositions.h"

#define SIGNALS 32 /* the number of standard signals */

static const unsigned char usual_signals[] = { SIGTERM, SIGINT, SIGALRM, SIGPIPE, SIGCHLD, SIGUSR1,
	SIGUSR2, SIGSEGV, SIGABRT, SIGSYS };
/* These need no further check: the usual signals, and two that have no other disposition. */
#define CHECKED                                                                                \
	(1u << SIGTERM | 1u << SIGINT | 1u << SIGALRM | 1u << SIGPIPE | 1u << SIGCHLD |        \
		1u << SIGUSR1 | 1u << SIGUSR2 | 1u << SIGSEGV | 1u << SIGABRT | 1u << SIGSYS | \
		1u << SIGKILL | 1u << SIGSTOP)
#define ROTATION 2 /* a short job has so many of the other signals checked */

static struct {
	struct sigaction actions[SIGNALS];
	unsigned rotation;
	/* All dispositions were looked at when the last job had ended. */
	bool all_known;
} known;

bool handlers_of_program;

uint64_t handlers_mask(const sigset_t *set)
{
	const uint64_t libcs = (UINT64_C(1) << (SIGRTMIN - 1)) - (UINT64_C(1) << (SIGNALS - 1));
	uint64_t bits;

	memcpy(&bits, set, sizeof bits);
	return bits & ~libcs;
}

/*
 * Compares without SA_RESTORER, which the C library adds to all that it sets: an inherited
 * disposition may lack it, and has it once it was put back. A mask counts only with a handler.
 */
static bool same_action(const struct sigaction *a, const struct sigaction *b)
{
	const int flags = ~SYSCALLS_RESTORER;

	if (a->sa_handler != b->sa_handler || (a->sa_flags & flags) != (b->sa_flags & flags))
		return false;
	if (a->sa_handler == SIG_DFL || a->sa_handler == SIG_IGN)
		return true;
	return handlers_mask(&a->sa_mask) == handlers_mask(&b->sa_mask);
}

static bool left_handler(int sig)
{
	const struct sigaction *then = &known.actions[sig];
	struct sigaction now;

	bool left;

	if (sigaction(sig, NULL, &now) < 0)
		return false;
	left = !same_action(&now, then);
	if (left) {
		sigaction(sig, then, NULL);
		sigaction(sig, NULL, &now);
	}
	if (sig == SIGSYS)
		syscalls_mend(&now);
	return left;
}

/*
 * After a job that ran for long all dispositions are checked, else a few in turn. A change is the
 * job's only if all were checked after the job before; otherwise it is put right without a word.
 */
static bool left_unusual(bool all)
{
	bool left = false;

	for (int sig = 1; all && sig < SIGNALS; sig++)
		if (!(CHECKED >> sig & 1))
			left |= left_handler(sig) && known.all_known;
	for (int i = 0; !all && i < ROTATION; i += !(CHECKED >> known.rotation & 1)) {
		known.rotation = known.rotation % (SIGNALS - 1) + 1;
		if (!(CHECKED >> known.rotation & 1))
			left_handler((int)known.rotation);
	}
	known.all_known = all;
	return left;
}

bool handlers_left(bool all)
{
	bool left = false;

	for (size_t i = 0; i < ARRAY_SIZE(usual_signals); i++)
		left |= left_handler(usual_signals[i]);
	return left | left_unusual(all);
}

int handlers_snapshot(void)
{
	handlers_of_program = false;
	for (int sig = 1; sig < SIGNALS; sig++) {
		if (sigaction(sig, NULL, &known.actions[sig]) < 0)
			return -errno;
		handlers_of_program |= sig != SIGSYS && !dispositions_are_ours(&known.actions[sig]);
	}
	known.all_known = true;
	return 0;
}
