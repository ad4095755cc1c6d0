/* SPDX-License-Identifier: MIT */
/*
 * kernel.h - for tests of what Brood relies on: makes the kernel refuse calls, so that each
 * fallback is used on every machine; and drops privileges. Call all of this in the body of a case,
 * whose process ends with it.
 */
#ifndef BROOD_TESTS_KERNEL_H
#define BROOD_TESTS_KERNEL_H

#include "base/base.h"
#include "case.h"
#include "os/proc.h"
#include "os/process.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define NOBODY   65534
#define SHORT_MS 10000 /* a bound for what takes microseconds */

#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

/*
 * From now on this process and its children get `error` from system call `number` if its first
 * argument has a bit of `mask` (0: always).
 */
static inline void refuse_if(long number, uint32_t mask, int error)
{
	uint32_t answer = SECCOMP_RET_ERRNO | (uint32_t)error;
	struct sock_filter filter[] = {
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr) },
		{ BPF_JMP | BPF_JEQ | BPF_K, 0, 3, (uint32_t)number },
		{ BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, args) },
		{ BPF_JMP | BPF_JSET | BPF_K, 0, (uint8_t)(mask != 0), mask },
		{ BPF_RET | BPF_K, 0, 0, answer },
		{ BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW },
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(filter), .filter = filter };

	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L), 0);
	CHECK_EQ(prctl(PR_SET_SECCOMP, (long)SECCOMP_MODE_FILTER, &program, 0L, 0L), 0);
}

static inline void refuse(long number, int error) { refuse_if(number, 0, error); }

/*
 * Called in the test, before a case that needs such filters. (valgrind and qemu-user know none
 * either.)
 */
#define NEEDS_FILTERS()                                          \
	do {                                                     \
		if (prctl(PR_GET_SECCOMP, 0L, 0L, 0L, 0L) != 0)  \
			cr_skip_test("no seccomp filters here"); \
	} while (0)

#define NEEDS_CALL(number, ...)                                          \
	do {                                                             \
		if (syscall(number, __VA_ARGS__) < 0 && errno == ENOSYS) \
			cr_skip_test("this kernel has no " #number);     \
	} while (0)

static inline void become_nobody(void)
{
	if (geteuid() != 0)
		return;
	CHECK_EQ(setresgid(NOBODY, NOBODY, NOBODY), 0);
	CHECK_EQ(setresuid(NOBODY, NOBODY, NOBODY), 0);
}

/* Memory that all processes of the case share: case_shared(), zeroed for each case. */
static inline bool readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int r;

	do
		r = poll(&p, 1, test_scaled(ms));
	while (r < 0 && errno == EINTR);
	return r == 1;
}

/* Waits, with a bound, for a child's end, and reaps it. */
static inline struct process_exit end_of(pid_t pid)
{
	struct process_exit end = { 0 };

	CHECK_MSG(WAIT_UNTIL(process_wait(pid, true, &end) == 1, SHORT_MS), "pid %d", (int)pid);
	CHECK_EQ(process_wait(pid, false, &end), 1);
	return end;
}

static inline void ends_well(pid_t pid)
{
	struct process_exit end = end_of(pid);

	CHECK_EQ(end.code, CLD_EXITED);
	CHECK_EQ(end.status, 0);
}

static inline void __attribute__((noreturn)) sleep_forever(void)
{
	for (;;)
		pause();
}

#endif
