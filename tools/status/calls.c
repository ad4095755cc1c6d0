/* SPDX-License-Identifier: MIT */
/* calls.c - see calls.h. A call that is not in the list is shown by its number. */
#include "calls.h"

#include <stddef.h>
#include <sys/syscall.h>

#define FILE_FIRST true
#define OTHER      false

static const struct call {
	long number;
	const char *name;
	bool has_fd;
} calls[] = {
#ifdef SYS_accept
	{ SYS_accept, "accept", FILE_FIRST },
#endif
#ifdef SYS_accept4
	{ SYS_accept4, "accept4", FILE_FIRST },
#endif
#ifdef SYS_access
	{ SYS_access, "access", OTHER },
#endif
#ifdef SYS_brk
	{ SYS_brk, "brk", OTHER },
#endif
#ifdef SYS_clock_nanosleep
	{ SYS_clock_nanosleep, "clock_nanosleep", OTHER },
#endif
#ifdef SYS_clone
	{ SYS_clone, "clone", OTHER },
#endif
#ifdef SYS_clone3
	{ SYS_clone3, "clone3", OTHER },
#endif
#ifdef SYS_close
	{ SYS_close, "close", FILE_FIRST },
#endif
#ifdef SYS_connect
	{ SYS_connect, "connect", FILE_FIRST },
#endif
#ifdef SYS_copy_file_range
	{ SYS_copy_file_range, "copy_file_range", FILE_FIRST },
#endif
#ifdef SYS_creat
	{ SYS_creat, "creat", OTHER },
#endif
#ifdef SYS_epoll_pwait
	{ SYS_epoll_pwait, "epoll_pwait", FILE_FIRST },
#endif
#ifdef SYS_epoll_pwait2
	{ SYS_epoll_pwait2, "epoll_pwait2", FILE_FIRST },
#endif
#ifdef SYS_epoll_wait
	{ SYS_epoll_wait, "epoll_wait", FILE_FIRST },
#endif
#ifdef SYS_execve
	{ SYS_execve, "execve", OTHER },
#endif
#ifdef SYS_exit
	{ SYS_exit, "exit", OTHER },
#endif
#ifdef SYS_exit_group
	{ SYS_exit_group, "exit_group", OTHER },
#endif
#ifdef SYS_faccessat
	{ SYS_faccessat, "faccessat", OTHER },
#endif
#ifdef SYS_faccessat2
	{ SYS_faccessat2, "faccessat2", OTHER },
#endif
#ifdef SYS_fallocate
	{ SYS_fallocate, "fallocate", FILE_FIRST },
#endif
#ifdef SYS_fcntl
	{ SYS_fcntl, "fcntl", FILE_FIRST },
#endif
#ifdef SYS_fdatasync
	{ SYS_fdatasync, "fdatasync", FILE_FIRST },
#endif
#ifdef SYS_flock
	{ SYS_flock, "flock", FILE_FIRST },
#endif
#ifdef SYS_fork
	{ SYS_fork, "fork", OTHER },
#endif
#ifdef SYS_fstat
	{ SYS_fstat, "fstat", FILE_FIRST },
#endif
#ifdef SYS_fsync
	{ SYS_fsync, "fsync", FILE_FIRST },
#endif
#ifdef SYS_ftruncate
	{ SYS_ftruncate, "ftruncate", FILE_FIRST },
#endif
#ifdef SYS_futex
	{ SYS_futex, "futex", OTHER },
#endif
#ifdef SYS_futex_waitv
	{ SYS_futex_waitv, "futex_waitv", OTHER },
#endif
#ifdef SYS_getdents64
	{ SYS_getdents64, "getdents64", FILE_FIRST },
#endif
#ifdef SYS_getpid
	{ SYS_getpid, "getpid", OTHER },
#endif
#ifdef SYS_getrandom
	{ SYS_getrandom, "getrandom", OTHER },
#endif
#ifdef SYS_io_getevents
	{ SYS_io_getevents, "io_getevents", FILE_FIRST },
#endif
#ifdef SYS_io_uring_enter
	{ SYS_io_uring_enter, "io_uring_enter", FILE_FIRST },
#endif
#ifdef SYS_ioctl
	{ SYS_ioctl, "ioctl", FILE_FIRST },
#endif
#ifdef SYS_keyctl
	{ SYS_keyctl, "keyctl", OTHER },
#endif
#ifdef SYS_kill
	{ SYS_kill, "kill", OTHER },
#endif
#ifdef SYS_lstat
	{ SYS_lstat, "lstat", OTHER },
#endif
#ifdef SYS_madvise
	{ SYS_madvise, "madvise", OTHER },
#endif
#ifdef SYS_membarrier
	{ SYS_membarrier, "membarrier", OTHER },
#endif
#ifdef SYS_mkdir
	{ SYS_mkdir, "mkdir", OTHER },
#endif
#ifdef SYS_mkdirat
	{ SYS_mkdirat, "mkdirat", OTHER },
#endif
#ifdef SYS_mlock
	{ SYS_mlock, "mlock", OTHER },
#endif
#ifdef SYS_mmap
	{ SYS_mmap, "mmap", OTHER },
#endif
#ifdef SYS_mount
	{ SYS_mount, "mount", OTHER },
#endif
#ifdef SYS_mprotect
	{ SYS_mprotect, "mprotect", OTHER },
#endif
#ifdef SYS_mq_timedreceive
	{ SYS_mq_timedreceive, "mq_timedreceive", FILE_FIRST },
#endif
#ifdef SYS_mq_timedsend
	{ SYS_mq_timedsend, "mq_timedsend", FILE_FIRST },
#endif
#ifdef SYS_mremap
	{ SYS_mremap, "mremap", OTHER },
#endif
#ifdef SYS_msgrcv
	{ SYS_msgrcv, "msgrcv", OTHER },
#endif
#ifdef SYS_msgsnd
	{ SYS_msgsnd, "msgsnd", OTHER },
#endif
#ifdef SYS_msync
	{ SYS_msync, "msync", OTHER },
#endif
#ifdef SYS_munmap
	{ SYS_munmap, "munmap", OTHER },
#endif
#ifdef SYS_nanosleep
	{ SYS_nanosleep, "nanosleep", OTHER },
#endif
#ifdef SYS_newfstatat
	{ SYS_newfstatat, "newfstatat", OTHER },
#endif
#ifdef SYS_open
	{ SYS_open, "open", OTHER },
#endif
#ifdef SYS_openat
	{ SYS_openat, "openat", OTHER },
#endif
#ifdef SYS_openat2
	{ SYS_openat2, "openat2", OTHER },
#endif
#ifdef SYS_pause
	{ SYS_pause, "pause", OTHER },
#endif
#ifdef SYS_poll
	{ SYS_poll, "poll", OTHER },
#endif
#ifdef SYS_ppoll
	{ SYS_ppoll, "ppoll", OTHER },
#endif
#ifdef SYS_pread64
	{ SYS_pread64, "pread64", FILE_FIRST },
#endif
#ifdef SYS_preadv
	{ SYS_preadv, "preadv", FILE_FIRST },
#endif
#ifdef SYS_preadv2
	{ SYS_preadv2, "preadv2", FILE_FIRST },
#endif
#ifdef SYS_process_vm_readv
	{ SYS_process_vm_readv, "process_vm_readv", OTHER },
#endif
#ifdef SYS_process_vm_writev
	{ SYS_process_vm_writev, "process_vm_writev", OTHER },
#endif
#ifdef SYS_pselect6
	{ SYS_pselect6, "pselect6", OTHER },
#endif
#ifdef SYS_ptrace
	{ SYS_ptrace, "ptrace", OTHER },
#endif
#ifdef SYS_pwrite64
	{ SYS_pwrite64, "pwrite64", FILE_FIRST },
#endif
#ifdef SYS_pwritev
	{ SYS_pwritev, "pwritev", FILE_FIRST },
#endif
#ifdef SYS_pwritev2
	{ SYS_pwritev2, "pwritev2", FILE_FIRST },
#endif
#ifdef SYS_read
	{ SYS_read, "read", FILE_FIRST },
#endif
#ifdef SYS_readlink
	{ SYS_readlink, "readlink", OTHER },
#endif
#ifdef SYS_readlinkat
	{ SYS_readlinkat, "readlinkat", OTHER },
#endif
#ifdef SYS_readv
	{ SYS_readv, "readv", FILE_FIRST },
#endif
#ifdef SYS_recvfrom
	{ SYS_recvfrom, "recvfrom", FILE_FIRST },
#endif
#ifdef SYS_recvmmsg
	{ SYS_recvmmsg, "recvmmsg", FILE_FIRST },
#endif
#ifdef SYS_recvmsg
	{ SYS_recvmsg, "recvmsg", FILE_FIRST },
#endif
#ifdef SYS_rename
	{ SYS_rename, "rename", OTHER },
#endif
#ifdef SYS_renameat
	{ SYS_renameat, "renameat", OTHER },
#endif
#ifdef SYS_renameat2
	{ SYS_renameat2, "renameat2", OTHER },
#endif
#ifdef SYS_restart_syscall
	{ SYS_restart_syscall, "restart_syscall", OTHER },
#endif
#ifdef SYS_rmdir
	{ SYS_rmdir, "rmdir", OTHER },
#endif
#ifdef SYS_rt_sigreturn
	{ SYS_rt_sigreturn, "rt_sigreturn", OTHER },
#endif
#ifdef SYS_rt_sigsuspend
	{ SYS_rt_sigsuspend, "rt_sigsuspend", OTHER },
#endif
#ifdef SYS_rt_sigtimedwait
	{ SYS_rt_sigtimedwait, "rt_sigtimedwait", OTHER },
#endif
#ifdef SYS_sched_yield
	{ SYS_sched_yield, "sched_yield", OTHER },
#endif
#ifdef SYS_select
	{ SYS_select, "select", OTHER },
#endif
#ifdef SYS_semop
	{ SYS_semop, "semop", OTHER },
#endif
#ifdef SYS_semtimedop
	{ SYS_semtimedop, "semtimedop", OTHER },
#endif
#ifdef SYS_sendfile
	{ SYS_sendfile, "sendfile", FILE_FIRST },
#endif
#ifdef SYS_sendmmsg
	{ SYS_sendmmsg, "sendmmsg", FILE_FIRST },
#endif
#ifdef SYS_sendmsg
	{ SYS_sendmsg, "sendmsg", FILE_FIRST },
#endif
#ifdef SYS_sendto
	{ SYS_sendto, "sendto", FILE_FIRST },
#endif
#ifdef SYS_shmat
	{ SYS_shmat, "shmat", OTHER },
#endif
#ifdef SYS_sigaltstack
	{ SYS_sigaltstack, "sigaltstack", OTHER },
#endif
#ifdef SYS_splice
	{ SYS_splice, "splice", FILE_FIRST },
#endif
#ifdef SYS_stat
	{ SYS_stat, "stat", OTHER },
#endif
#ifdef SYS_statx
	{ SYS_statx, "statx", OTHER },
#endif
#ifdef SYS_sync
	{ SYS_sync, "sync", OTHER },
#endif
#ifdef SYS_sync_file_range
	{ SYS_sync_file_range, "sync_file_range", FILE_FIRST },
#endif
#ifdef SYS_syncfs
	{ SYS_syncfs, "syncfs", OTHER },
#endif
#ifdef SYS_tee
	{ SYS_tee, "tee", FILE_FIRST },
#endif
#ifdef SYS_tgkill
	{ SYS_tgkill, "tgkill", OTHER },
#endif
#ifdef SYS_truncate
	{ SYS_truncate, "truncate", OTHER },
#endif
#ifdef SYS_umount2
	{ SYS_umount2, "umount2", OTHER },
#endif
#ifdef SYS_unlink
	{ SYS_unlink, "unlink", OTHER },
#endif
#ifdef SYS_unlinkat
	{ SYS_unlinkat, "unlinkat", OTHER },
#endif
#ifdef SYS_userfaultfd
	{ SYS_userfaultfd, "userfaultfd", OTHER },
#endif
#ifdef SYS_vfork
	{ SYS_vfork, "vfork", OTHER },
#endif
#ifdef SYS_vmsplice
	{ SYS_vmsplice, "vmsplice", FILE_FIRST },
#endif
#ifdef SYS_wait4
	{ SYS_wait4, "wait4", OTHER },
#endif
#ifdef SYS_waitid
	{ SYS_waitid, "waitid", OTHER },
#endif
#ifdef SYS_write
	{ SYS_write, "write", FILE_FIRST },
#endif
#ifdef SYS_writev
	{ SYS_writev, "writev", FILE_FIRST },
#endif
};

static const struct call *find(long number)
{
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
		if (calls[i].number == number)
			return &calls[i];
	return NULL;
}

const char *calls_name(long number)
{
	const struct call *call = find(number);

	return call ? call->name : NULL;
}

bool calls_has_fd(long number)
{
	const struct call *call = find(number);

	return call && call->has_fd;
}
