/* SPDX-License-Identifier: MIT */
/* syscalls.h - what the tests of watched system calls share. */
#ifndef BROOD_TESTS_KERNEL_SYSCALLS_H
#define BROOD_TESTS_KERNEL_SYSCALLS_H

#include "kernel.h"
#include "os/syscalls.h"

#if defined(__x86_64__) && !defined(__ILP32__)
#define KNOWN 1
#else
#define KNOWN 0
#endif

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

/* Asked in a child, so that the test's own process stays as it is. */
static inline bool there(void)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0)
		_exit(syscalls_watch() == 0 ? 0 : 1);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
#define NEEDS_DISPATCH()                                                                         \
	do {                                                                                     \
		if (!KNOWN || !there())                                                          \
			cr_skip_test("no system call dispatch here: all jobs are looked after"); \
	} while (0)

/* As worker/conduct.c does it around a job. */
static inline void watch_begin(void)
{
	syscalls_made = 0;
	syscalls_result = SYSCALLS_UNKNOWN;
	if (syscalls_watched)
		atomic_store(&syscalls_selector, SYSCALLS_BLOCK);
}

static inline bool watch_end(void)
{
	atomic_store(&syscalls_selector, SYSCALLS_ALLOW);
	return syscalls_made || !syscalls_watched;
}

#endif
