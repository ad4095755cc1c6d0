/* SPDX-License-Identifier: MIT */
/* futex.c - see futex.h. FUTEX_PRIVATE is never used: sleeper and waker are different processes. */
#include "futex.h"
#include "../base/base.h"

#include <linux/futex.h>
#include <sys/syscall.h>

_Static_assert(sizeof(_Atomic uint32_t) == sizeof(uint32_t), "the kernel sees a plain word");

int futex_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t until)
{
	struct timespec ts = { .tv_sec = (time_t)(until / NS_PER_S),
		.tv_nsec = (long)(until % NS_PER_S) };

	/* WAIT_BITSET takes a point in time; WAIT would take a span. */
	if (syscall(SYS_futex, word, FUTEX_WAIT_BITSET, expected, until == TIME_NEVER ? NULL : &ts,
		    NULL, FUTEX_BITSET_MATCH_ANY) == 0 ||
		errno == EAGAIN)
		return 0;
	return -errno;
}

/*
 * Wakes nobody. The caller has just stored `expected` in *from: so a thread that is not asleep yet,
 * or not any more, sees the change and need not be moved.
 */
int futex_requeue(_Atomic uint32_t *from, uint32_t expected, _Atomic uint32_t *to)
{
	long n = syscall(SYS_futex, from, FUTEX_CMP_REQUEUE, 0, (void *)(uintptr_t)1, to, expected);

	return n < 0 ? -errno : (int)n;
}

int futex_wake(_Atomic uint32_t *word, int count)
{
	long n = syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);

	return n < 0 ? -errno : (int)n;
}
