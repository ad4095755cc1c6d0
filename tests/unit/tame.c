/* SPDX-License-Identifier: MIT */
/* tame.c - which system calls of a job leave nothing behind, with numbers in place of calls. */
#define _GNU_SOURCE
#include "pool/tame.h"
#include "unit.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

TestSuite(unit_tame, .timeout = 20);

#if defined(__x86_64__) && !defined(__ILP32__)

#define ARGUMENTS(...) ((const long[6]){ __VA_ARGS__ })
#define NONE           ARGUMENTS(0)

static bool let(struct tame *c, long number, long first, long last)
{
	return tame_let(c, number, ARGUMENTS(first), last);
}

/* All arguments have their bits set: no pointer, fd or flag among them is one that does nothing. */
static enum tame_kind sort_worst(long number)
{
	return tame_sort(number, ARGUMENTS(~7, ~7, ~7, ~7, ~7, ~7));
}

/* Each kind of residue that the look knows, by all the calls that make it. */
static const long wild[] = {
	/* threads, children, and what they share */
	SYS_clone,
	SYS_fork,
	SYS_vfork,
	SYS_execve,
	SYS_execveat,
	SYS_unshare,
	SYS_setns,
	SYS_wait4,
	SYS_waitid,
	SYS_exit,
	SYS_exit_group,
	SYS_ptrace,
	435 /* clone3 */,
	/* fds */
	SYS_dup2,
	SYS_dup3,
	SYS_pipe,
	SYS_pipe2,
	SYS_socketpair,
	SYS_recvmsg,
	SYS_recvmmsg,
	SYS_fcntl,
	SYS_ioctl,
	SYS_signalfd,
	SYS_signalfd4,
	SYS_fanotify_init,
	SYS_userfaultfd,
	SYS_perf_event_open,
	SYS_bpf,
	436 /* close_range */,
	438 /* pidfd_getfd */,
	/* rings make any call */
	SYS_io_setup,
	SYS_io_submit,
	425,
	426,
	427 /* io_uring */,
	/* signals, their stack, and what would block SIGSYS */
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
	SYS_rt_sigsuspend,
	SYS_rt_sigtimedwait,
	SYS_sigaltstack,
	SYS_ppoll,
	SYS_pselect6,
	SYS_epoll_pwait,
	441 /* epoll_pwait2 */,
	SYS_kill,
	SYS_tkill,
	SYS_tgkill,
	SYS_rt_sigqueueinfo,
	SYS_rt_tgsigqueueinfo,
	424 /* pidfd_send_signal */,
	SYS_pause,
	/* timers */
	SYS_alarm,
	SYS_setitimer,
	SYS_timer_create,
	SYS_timer_settime,
	SYS_timer_delete,
	SYS_mq_notify,
	/* cwd, root, umask, group, and the rest of the process */
	SYS_chdir,
	SYS_fchdir,
	SYS_chroot,
	SYS_pivot_root,
	SYS_umask,
	SYS_setpgid,
	SYS_setsid,
	SYS_prctl,
	SYS_arch_prctl,
	SYS_prlimit64,
	SYS_setrlimit,
	SYS_setuid,
	SYS_setgid,
	SYS_setresuid,
	SYS_setgroups,
	SYS_capset,
	SYS_seccomp,
	SYS_personality,
	SYS_set_tid_address,
	SYS_set_robust_list,
	334 /* rseq */,
	SYS_sched_setaffinity,
	SYS_sched_setscheduler,
	SYS_setpriority,
	SYS_mount,
	SYS_umount2,
	SYS_shmat,
	SYS_shmdt,
	SYS_process_vm_writev,
	/* no such call */
	-1,
	500,
	100000,
	LONG_MAX,
	LONG_MIN,
};

Test(unit_tame, what_leaves_something_is_not_harmless)
{
	for (size_t i = 0; i < ARRAY_SIZE(wild); i++) {
		enum tame_kind kind = sort_worst(wild[i]);

		cr_assert_eq(kind, TAME_NOT, "call %ld: kind %d", wild[i], (int)kind);
	}
}

Test(unit_tame, what_is_not_listed_is_not_harmless)
{
	for (long number = 450; number < 2000; number++)
		cr_assert_eq(tame_sort(number, NONE), TAME_NOT, "%ld", number);
}

Test(unit_tame, harmless)
{
	static const long numbers[] = { SYS_read, SYS_write, SYS_getpid, SYS_gettid,
		SYS_clock_gettime, SYS_clock_nanosleep, SYS_nanosleep, SYS_futex, SYS_poll,
		SYS_epoll_wait, SYS_select, SYS_lseek, SYS_pread64, SYS_pwrite64, SYS_sendto,
		SYS_sendmsg, SYS_recvfrom, SYS_fstat, SYS_newfstatat, SYS_madvise, SYS_getrandom,
		SYS_sched_yield, SYS_connect, SYS_unlink, SYS_fsync };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		cr_assert_eq(sort_worst(numbers[i]), TAME_YES, "%ld", numbers[i]);
	cr_assert_eq(sort_worst(SYS_mmap), TAME_MEMORY);
	cr_assert_eq(sort_worst(SYS_brk), TAME_MEMORY);
	cr_assert_eq(sort_worst(SYS_munmap), TAME_MEMORY);
}

Test(unit_tame, arguments_decide)
{
	cr_assert_eq(tame_sort(SYS_rt_sigaction, ARGUMENTS(1, 0, 7)), TAME_YES);
	cr_assert_eq(tame_sort(SYS_rt_sigaction, ARGUMENTS(1, 7, 0)), TAME_NOT);
	cr_assert_eq(tame_sort(SYS_rt_sigprocmask, ARGUMENTS(2, 0, 7)), TAME_YES);
	cr_assert_eq(tame_sort(SYS_rt_sigprocmask, ARGUMENTS(0, 7, 7)), TAME_NOT);
	cr_assert_eq(tame_sort(SYS_sigaltstack, ARGUMENTS(0, 7)), TAME_YES);
	cr_assert_eq(tame_sort(SYS_prlimit64, ARGUMENTS(0, 7, 0, 7)), TAME_YES);
	cr_assert_eq(tame_sort(SYS_prlimit64, ARGUMENTS(0, 7, 7, 0)), TAME_NOT);
	cr_assert_eq(tame_sort(SYS_ppoll, ARGUMENTS(7, 1, 7, 0)), TAME_YES);
	cr_assert_eq(tame_sort(SYS_ppoll, ARGUMENTS(7, 1, 0, 7)), TAME_NOT);
	cr_assert_eq(tame_sort(SYS_pselect6, ARGUMENTS(7, 7, 7, 7, 7, 0)), TAME_YES);
	cr_assert_eq(tame_sort(SYS_pselect6, ARGUMENTS(0, 0, 0, 0, 0, 7)), TAME_NOT);
	cr_assert_eq(tame_sort(SYS_epoll_pwait, ARGUMENTS(7, 7, 7, 7, 0)), TAME_YES);
	cr_assert_eq(tame_sort(SYS_epoll_pwait, ARGUMENTS(0, 0, 0, 0, 7)), TAME_NOT);
	cr_assert_eq(tame_sort(SYS_kill, ARGUMENTS(7, 0)), TAME_YES);
	cr_assert_eq(tame_sort(SYS_tgkill, ARGUMENTS(7, 7, 9)), TAME_NOT);
	cr_assert_eq(tame_sort(SYS_prctl, ARGUMENTS(PR_SET_NAME, 7)), TAME_YES);
	cr_assert_eq(tame_sort(SYS_prctl, ARGUMENTS(PR_SET_CHILD_SUBREAPER, 0)), TAME_NOT);
	cr_assert_eq(tame_sort(SYS_fcntl, ARGUMENTS(7, F_GETFL)), TAME_YES);
	cr_assert_eq(tame_sort(SYS_fcntl, ARGUMENTS(7, F_DUPFD_CLOEXEC)), TAME_OPENS);
	cr_assert_eq(tame_sort(SYS_fcntl, ARGUMENTS(7, F_SETFL)), TAME_OF_FD);
	cr_assert_eq(tame_sort(SYS_fcntl, ARGUMENTS(7, F_SETOWN)), TAME_NOT);
	cr_assert_eq(tame_sort(SYS_ioctl, ARGUMENTS(7, FIONREAD)), TAME_YES);
	cr_assert_eq(tame_sort(SYS_ioctl, ARGUMENTS(7, FIONBIO)), TAME_OF_FD);
	cr_assert_eq(tame_sort(SYS_ioctl, ARGUMENTS(7, TIOCSCTTY)), TAME_NOT);
	cr_assert_eq(tame_sort(SYS_signalfd4, ARGUMENTS(-1)), TAME_OPENS);
	cr_assert_eq(tame_sort(SYS_signalfd4, ARGUMENTS(0xffffffffl)), TAME_OPENS);
	cr_assert_eq(tame_sort(SYS_signalfd4, ARGUMENTS(5)), TAME_NOT);
}

Test(unit_tame, so_many_and_no_more)
{
	for (uint32_t max = 0; max < 9; max++) {
		struct tame c;

		tame_begin(&c, max);
		for (uint32_t i = 0; i < max; i++)
			cr_assert(let(&c, SYS_getpid, 0, i ? 7 : TAME_NO_WORD));
		cr_assert(!let(&c, SYS_getpid, 0, 7));
	}
}

Test(unit_tame, nothing_was_called)
{
	struct tame c;

	tame_begin(&c, 5);
	cr_assert(tame_left_nothing(&c, TAME_NO_WORD));
	cr_assert(!c.memory);
}

Test(unit_tame, memory_is_noted)
{
	struct tame c;

	tame_begin(&c, 5);
	cr_assert(let(&c, SYS_brk, 0, TAME_NO_WORD));
	cr_assert(let(&c, SYS_read, 0, 0x10000000));
	cr_assert(tame_left_nothing(&c, 5));
	cr_assert(c.memory);
}

Test(unit_tame, an_fd_opened_and_closed)
{
	struct tame c;

	tame_begin(&c, 5);
	cr_assert(let(&c, SYS_openat, 0, TAME_NO_WORD));
	cr_assert(let(&c, SYS_socket, 0, 63));
	cr_assert(let(&c, SYS_close, 63, 0));
	cr_assert(let(&c, SYS_close, 0, 0));
	cr_assert(tame_left_nothing(&c, 0));
}

Test(unit_tame, an_fd_that_stays_open)
{
	struct tame c;

	tame_begin(&c, 5);
	cr_assert(let(&c, SYS_openat, 0, TAME_NO_WORD));
	cr_assert(!tame_left_nothing(&c, 3)); /* the job ends right after it */
	tame_begin(&c, 5);
	cr_assert(let(&c, SYS_openat, 0, TAME_NO_WORD));
	cr_assert(let(&c, SYS_openat, 0, 3));
	cr_assert(let(&c, SYS_close, 3, 4));
	cr_assert(!tame_left_nothing(&c, 0));
	tame_begin(&c, 5);
	cr_assert(let(&c, SYS_openat, 0, TAME_NO_WORD));
	cr_assert(tame_left_nothing(&c, -2)); /* nothing was opened */
}

Test(unit_tame, an_fd_of_somebody_else)
{
	struct tame c;

	for (long fd = -1; fd < 300; fd++) {
		tame_begin(&c, 5);
		cr_assert(!let(&c, SYS_close, fd, TAME_NO_WORD));
		tame_begin(&c, 5);
		cr_assert(!tame_let(&c, SYS_fcntl, ARGUMENTS(fd, F_SETFL), TAME_NO_WORD));
	}
	tame_begin(&c, 5);
	cr_assert(let(&c, SYS_openat, 0, TAME_NO_WORD));
	cr_assert(tame_let(&c, SYS_fcntl, ARGUMENTS(9, F_SETFL), 9));
	cr_assert(let(&c, SYS_close, 9, 0));
	cr_assert(!let(&c, SYS_close, 9, 0)); /* once */
}

/* Numbers from 64 on are not kept: from then on nothing is let through, and there is a look. */
Test(unit_tame, high_numbers)
{
	struct tame c;

	tame_begin(&c, 5);
	cr_assert(let(&c, SYS_openat, 0, TAME_NO_WORD));
	cr_assert(!let(&c, SYS_getpid, 0, 64));
	cr_assert(!tame_left_nothing(&c, 0));
	tame_begin(&c, 5);
	cr_assert(let(&c, SYS_openat, 0, TAME_NO_WORD));
	cr_assert(!tame_left_nothing(&c, 1000));
}

/* A handler of the program interrupted the call and has made one itself, or has jumped away. */
Test(unit_tame, a_call_that_has_not_returned)
{
	struct tame c;

	tame_begin(&c, 5);
	cr_assert(let(&c, SYS_read, 0, TAME_NO_WORD));
	cr_assert(!let(&c, SYS_getpid, 0, TAME_NO_WORD));
	cr_assert(!tame_left_nothing(&c, 0));
	tame_begin(&c, 5);
	cr_assert(let(&c, SYS_read, 0, TAME_NO_WORD));
	cr_assert(!tame_left_nothing(&c, TAME_NO_WORD));
}

#else

Test(unit_tame, elsewhere_no_call_is_known)
{
	for (long number = 0; number < 1000; number++)
		cr_assert_eq(tame_sort(number, (const long[6]){ 0 }), TAME_NOT);
}

#endif
