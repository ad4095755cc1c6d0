/* SPDX-License-Identifier: MIT */
/* waits.h - what a process waits for, from /proc. None of these files waits for the process. */
#ifndef BROOD_OS_WAITS_H
#define BROOD_OS_WAITS_H

#include "../base/base.h"

#include <linux/futex.h>

/*
 * Writes what the process's first thread does now: "runs", "mutex", "futex", "poll", "stopped",
 * "read of 5 (socket:[17])", "waits in the kernel (state D)". "": it cannot be known. Returns text.
 */
char *waits_look(pid_t pid, char *text, size_t size);
/*
 * Makes the text of waits_look() from what was read: the state, the line of /proc/PID/syscall ("":
 * it cannot be read), and the kernel function of /proc/PID/wchan.
 */
char *waits_tell(char state, const char *line, const char *wchan, char *text, size_t size);

/*
 * True: a futex call with this operation and value looks like a lock of the C library. A mutex
 * sleeps with plain WAIT while its word is 2 ("locked, somebody waits"); a robust mutex has its
 * owner's number and the bit for waiters.
 */
static inline bool waits_is_mutex(unsigned long op, unsigned long value)
{
	const unsigned long lock_pi2 = 13; /* FUTEX_LOCK_PI2: headers before Linux 5.14 lack it */
	unsigned long act = op & ~(unsigned long)(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);

	if (act == FUTEX_LOCK_PI || act == lock_pi2)
		return true;
	return (act == FUTEX_WAIT || act == FUTEX_WAIT_BITSET) &&
		((uint32_t)value == 2 || (uint32_t)value & FUTEX_WAITERS);
}

#endif
