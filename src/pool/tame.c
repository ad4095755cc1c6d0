/* SPDX-License-Identifier: MIT */
/* tame.c - see tame.h. */
#define _GNU_SOURCE
#include "tame.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define KNOWN_FDS 64 /* tame.opened has a bit for each */

#if defined(__x86_64__) && !defined(__ILP32__)

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

/* clang-format off */
enum { H = TAME_YES, M = TAME_MEMORY, O = TAME_OPENS, C = TAME_CLOSES };
static const uint8_t kinds[] = {
	[SYS_read] = H, [SYS_pread64] = H, [SYS_readv] = H, [SYS_preadv] = H, [SYS_preadv2] = H,
	[SYS_write] = H, [SYS_pwrite64] = H, [SYS_writev] = H, [SYS_pwritev] = H,
	[SYS_pwritev2] = H, [SYS_lseek] = H, [SYS_stat] = H, [SYS_fstat] = H, [SYS_lstat] = H,
	[SYS_newfstatat] = H, [SYS_statx] = H, [SYS_statfs] = H, [SYS_fstatfs] = H,
	[SYS_access] = H, [SYS_faccessat] = H, [SYS_readlink] = H, [SYS_readlinkat] = H,
	[SYS_getdents] = H, [SYS_getdents64] = H, [SYS_rename] = H, [SYS_renameat] = H,
	[SYS_renameat2] = H, [SYS_link] = H, [SYS_linkat] = H, [SYS_unlink] = H,
	[SYS_unlinkat] = H, [SYS_symlink] = H, [SYS_symlinkat] = H, [SYS_mkdir] = H,
	[SYS_mkdirat] = H, [SYS_rmdir] = H, [SYS_mknod] = H, [SYS_mknodat] = H, [SYS_chmod] = H,
	[SYS_fchmod] = H, [SYS_fchmodat] = H, [SYS_chown] = H, [SYS_fchown] = H, [SYS_lchown] = H,
	[SYS_fchownat] = H, [SYS_truncate] = H, [SYS_ftruncate] = H, [SYS_fallocate] = H,
	[SYS_fsync] = H, [SYS_fdatasync] = H, [SYS_sync] = H, [SYS_syncfs] = H,
	[SYS_sync_file_range] = H, [SYS_flock] = H, [SYS_fadvise64] = H, [SYS_readahead] = H,
	[SYS_utime] = H, [SYS_utimes] = H, [SYS_futimesat] = H, [SYS_utimensat] = H,
	[SYS_getxattr] = H, [SYS_lgetxattr] = H, [SYS_fgetxattr] = H, [SYS_setxattr] = H,
	[SYS_lsetxattr] = H, [SYS_fsetxattr] = H, [SYS_listxattr] = H, [SYS_llistxattr] = H,
	[SYS_flistxattr] = H, [SYS_removexattr] = H, [SYS_lremovexattr] = H,
	[SYS_fremovexattr] = H, [SYS_sendfile] = H, [SYS_copy_file_range] = H, [SYS_splice] = H,
	[SYS_tee] = H, [SYS_vmsplice] = H, [SYS_name_to_handle_at] = H, [SYS_connect] = H,
	[SYS_bind] = H, [SYS_listen] = H, [SYS_getsockname] = H, [SYS_getpeername] = H,
	[SYS_setsockopt] = H, [SYS_getsockopt] = H, [SYS_shutdown] = H, [SYS_sendto] = H,
	[SYS_sendmsg] = H, [SYS_sendmmsg] = H, [SYS_recvfrom] = H, [SYS_poll] = H,
	[SYS_select] = H, [SYS_epoll_wait] = H, [SYS_epoll_ctl] = H, [SYS_timerfd_settime] = H,
	[SYS_timerfd_gettime] = H, [SYS_inotify_add_watch] = H, [SYS_inotify_rm_watch] = H,
	[SYS_futex] = H, [SYS_nanosleep] = H, [SYS_clock_nanosleep] = H, [SYS_clock_gettime] = H,
	[SYS_clock_getres] = H, [SYS_gettimeofday] = H, [SYS_time] = H, [SYS_sched_yield] = H,
	[SYS_getrandom] = H, [SYS_getcpu] = H, [SYS_getpid] = H, [SYS_getppid] = H,
	[SYS_gettid] = H, [SYS_getuid] = H, [SYS_geteuid] = H, [SYS_getgid] = H, [SYS_getegid] = H,
	[SYS_getresuid] = H, [SYS_getresgid] = H, [SYS_getgroups] = H, [SYS_getpgrp] = H,
	[SYS_getpgid] = H, [SYS_getsid] = H, [SYS_getpriority] = H, [SYS_getrlimit] = H,
	[SYS_getrusage] = H, [SYS_times] = H, [SYS_sysinfo] = H, [SYS_uname] = H, [SYS_getcwd] = H,
	[SYS_getitimer] = H, [SYS_rt_sigpending] = H, [SYS_capget] = H,
	[SYS_sched_getaffinity] = H, [SYS_sched_getparam] = H, [SYS_sched_getscheduler] = H,
	[SYS_sched_getattr] = H, [SYS_sched_get_priority_max] = H,
	[SYS_sched_get_priority_min] = H, [SYS_sched_rr_get_interval] = H, [SYS_get_mempolicy] = H,
	[SYS_ioprio_get] = H, [SYS_madvise] = H, [SYS_mincore] = H, [SYS_msync] = H,
	[SYS_mmap] = M, [SYS_munmap] = M, [SYS_mremap] = M, [SYS_mprotect] = M, [SYS_brk] = M,
	[SYS_open] = O, [SYS_openat] = O, [SYS_creat] = O, [SYS_dup] = O, [SYS_socket] = O,
	[SYS_accept] = O, [SYS_accept4] = O, [SYS_eventfd] = O, [SYS_eventfd2] = O,
	[SYS_epoll_create] = O, [SYS_epoll_create1] = O, [SYS_timerfd_create] = O,
	[SYS_inotify_init] = O, [SYS_inotify_init1] = O, [SYS_memfd_create] = O,
	[SYS_open_by_handle_at] = O, [SYS_close] = C,
#ifdef SYS_faccessat2
	[SYS_faccessat2] = H,
#endif
#ifdef SYS_openat2
	[SYS_openat2] = O,
#endif
#ifdef SYS_pidfd_open
	[SYS_pidfd_open] = O,
#endif
};
/* clang-format on */

/*
 * These change nothing if one argument is 0: the pointer to a new setting, to a mask that replaces
 * the thread's while the call waits, or a signal that is only to be tried.
 */
static const struct {
	uint16_t number;
	uint8_t argument;
} zeros[] = {
	{ SYS_rt_sigaction, 1 },
	{ SYS_rt_sigprocmask, 1 },
	{ SYS_sigaltstack, 0 },
	{ SYS_prlimit64, 2 },
	{ SYS_ppoll, 3 },
	{ SYS_pselect6, 5 },
	{ SYS_epoll_pwait, 4 },
	{ SYS_kill, 1 },
	{ SYS_tkill, 1 },
	{ SYS_tgkill, 2 },
};

static enum tame_kind sort_fcntl(int command)
{
	switch (command) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC: return TAME_OPENS;
	case F_SETFL: return TAME_OF_FD;
	case F_GETFD:
	case F_SETFD:
	case F_GETFL:
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
	case F_GETPIPE_SZ:
	case F_GET_SEALS: return TAME_YES;
	default: return TAME_NOT;
	}
}

static enum tame_kind sort_ioctl(unsigned request)
{
	switch (request) {
	case FIONBIO: return TAME_OF_FD;
	case FIONREAD:
	case TCGETS:
	case TIOCGWINSZ:
	case TIOCOUTQ: return TAME_YES;
	default: return TAME_NOT;
	}
}

static enum tame_kind sort_by_arguments(long number, const long arguments[6])
{
	int first = (int)arguments[0];

	for (size_t i = 0; i < ARRAY_SIZE(zeros); i++)
		if (zeros[i].number == number)
			return arguments[zeros[i].argument] ? TAME_NOT : TAME_YES;
	switch (number) {
	case SYS_fcntl: return sort_fcntl((int)arguments[1]);
	case SYS_ioctl: return sort_ioctl((unsigned)arguments[1]);
	case SYS_signalfd:
	case SYS_signalfd4: return first == -1 ? TAME_OPENS : TAME_NOT;
	case SYS_prctl:
		return first == PR_SET_NAME || first == PR_GET_NAME || first == PR_SET_VMA
			? TAME_YES
			: TAME_NOT;
	default: return TAME_NOT;
	}
}

enum tame_kind tame_sort(long number, const long arguments[6])
{
	if (number >= 0 && number < (long)ARRAY_SIZE(kinds) && kinds[number] != TAME_NOT)
		return (enum tame_kind)kinds[number];
	return sort_by_arguments(number, arguments);
}

#else

enum tame_kind tame_sort(long number, const long arguments[6])
{
	(void)number;
	(void)arguments;
	return TAME_NOT;
}

#endif

void tame_begin(struct tame *c, uint32_t max) { *c = (struct tame){ .left = max }; }

/* Takes in what came of the call before. */
static void settle(struct tame *c, long last)
{
	if (!c->any)
		return;
	c->lost |= last == TAME_NO_WORD || (c->opening && last >= KNOWN_FDS);
	if (c->opening && last >= 0 && last < KNOWN_FDS)
		c->opened |= UINT64_C(1) << last;
	c->opening = false;
}

/* False: the call is about an fd that the job has not opened itself. */
static bool is_of_own_fd(struct tame *c, enum tame_kind kind, unsigned fd)
{
	uint64_t bit = fd < KNOWN_FDS ? UINT64_C(1) << fd : 0;

	if (!(c->opened & bit))
		return false;
	if (kind == TAME_CLOSES)
		c->opened &= ~bit;
	return true;
}

bool tame_let(struct tame *c, long number, const long arguments[6], long last)
{
	enum tame_kind kind;

	settle(c, last);
	if (c->left == 0 || c->lost)
		return false;
	kind = tame_sort(number, arguments);
	if (kind == TAME_NOT ||
		((kind == TAME_CLOSES || kind == TAME_OF_FD) &&
			!is_of_own_fd(c, kind, (unsigned)arguments[0])))
		return false;
	c->left--;
	c->any = true;
	c->memory |= kind == TAME_MEMORY;
	c->opening = kind == TAME_OPENS;
	return true;
}

bool tame_left_nothing(struct tame *c, long last)
{
	settle(c, last);
	return !c->lost && c->opened == 0;
}
