/* SPDX-License-Identifier: MIT */
/*
 * process.c - makes, signals and reaps children.
 *
 * A raw clone is not fork(). glibc's fork() also gives the child its own thread id (in the thread's
 * descriptor, where recursive, error-checking and robust mutexes look for their owner) and an
 * empty, registered robust list. After a raw clone the kernel stores the thread id
 * (CLONE_CHILD_SETTID, at the address that glibc once gave it), and the child registers the list
 * again. The rest of fork() is for programs with threads, which brood_start() refuses.
 * pthread_atfork() handlers do not run.
 *
 * A trap: a way that is missing (an old kernel, a container's seccomp filter, valgrind) must be
 * told from a way that failed this time. ENOSYS and EPERM mean missing; under some emulators EINVAL
 * does, too. EAGAIN, ENOMEM, EMFILE and all other errors are failures and are returned.
 */
#include "process.h"
#include "leaf.h"
#include "proc.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif

#define INTO_CGROUP UINT64_C(0x200000000) /* CLONE_INTO_CGROUP, which only clone3() knows */
#define RAW_FLAGS   (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)

/*
 * The kernel's struct, because headers may be older or newer than the kernel. A kernel without
 * INTO_CGROUP knows the first part, and is given no more unless a cgroup is named.
 */
struct clone3_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	uint64_t set_tid, set_tid_size, cgroup;
};
#define CLONE3_FIRST offsetof(struct clone3_args, set_tid)

struct thread_memory {
	void *tid;
	struct robust_list_head *robust;
	size_t robust_size;
};

/*
 * -ENOSYS: the kernel does not tell where the thread id stands (no CONFIG_CHECKPOINT_RESTORE). Then
 * only fork() gets the id right.
 */
static int thread_memory(struct thread_memory *ret)
{
	struct thread_memory m = { 0 };

	if (prctl(PR_GET_TID_ADDRESS, &m.tid, 0L, 0L, 0L) < 0 || !m.tid)
		return -ENOSYS;
	if (syscall(SYS_get_robust_list, 0, &m.robust, &m.robust_size) < 0)
		m.robust = NULL;
	*ret = m;
	return 0;
}

/*
 * In the child: empties the list. A robust mutex that the parent holds in shared memory is not the
 * child's, and a new entry behind it would write into this mutex.
 */
static void mend_robust_list(const struct thread_memory *m)
{
	if (!m->robust)
		return;
	m->robust->list.next = &m->robust->list;
	m->robust->list_op_pending = NULL;
	syscall(SYS_set_robust_list, m->robust, m->robust_size);
}

/*
 * What the kernel writes to `number`: CLONE_PIDFD: the pidfd; CLONE_PARENT_SETTID: the pid.
 * leaf_fd: the cgroup of the child; -1: the one of this process.
 */
struct raw {
	unsigned long flags;
	void *number;
	int leaf_fd;
};

/* In the child. The maker cannot be told: so a child that cannot join its cgroup ends. */
static void join(int leaf_fd)
{
	if (leaf_fd >= 0 && leaf_join(leaf_fd) < 0)
		_exit(PROCESS_EXIT_LEAF);
}

/* A kernel before 5.7 answers INTO_CGROUP with E2BIG or EINVAL. Then the child joins by itself. */
static long clone3_raw(const struct raw *raw, void *tid)
{
	struct clone3_args args = { .flags = RAW_FLAGS | raw->flags, .child_tid = (uintptr_t)tid };
	long pid;

	*(raw->flags & CLONE_PIDFD ? &args.pidfd : &args.parent_tid) = (uintptr_t)raw->number;
	if (raw->leaf_fd >= 0) {
		args.flags |= INTO_CGROUP;
		args.cgroup = (uint64_t)raw->leaf_fd;
		pid = syscall(SYS_clone3, &args, sizeof args);
		if (pid >= 0 || (errno != E2BIG && errno != EINVAL))
			return pid;
		args.flags &= ~INTO_CGROUP;
	}
	pid = syscall(SYS_clone3, &args, CLONE3_FIRST);
	if (pid == 0)
		join(raw->leaf_fd);
	return pid;
}

static long clone_raw(const struct raw *raw, void *tid)
{
	/* the low byte is the exit signal: 0, for none */
	unsigned long flags = RAW_FLAGS | raw->flags;
	long pid;

#if defined(__s390__) || defined(__CRIS__)
	pid = syscall(SYS_clone, NULL, flags, raw->number, tid, 0);
#elif defined(__x86_64__) || defined(__m68k__) || defined(__alpha__)
	pid = syscall(SYS_clone, flags, NULL, raw->number, tid, 0);
#else
	pid = syscall(SYS_clone, flags, NULL, raw->number, 0, tid);
#endif
	if (pid == 0)
		join(raw->leaf_fd);
	return pid;
}

static pid_t spawn_with(long (*clone_way)(const struct raw *raw, void *tid), const struct raw *raw,
	const struct thread_memory *m)
{
	long pid = clone_way(raw, m->tid);

	if (pid < 0)
		return -errno;
	if (pid == 0)
		mend_robust_list(m);
	return (pid_t)pid;
}

static pid_t spawn_raw(long (*clone_way)(const struct raw *raw, void *tid), const struct raw *raw)
{
	struct thread_memory m;
	int r = thread_memory(&m);

	return r < 0 ? r : spawn_with(clone_way, raw, &m);
}

static bool missing(long r) { return r == -ENOSYS || r == -EPERM || r == -EINVAL; }

int process_pidfd_open(pid_t pid)
{
	long fd = syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : (int)fd;
}

static void kill_and_reap(pid_t pid)
{
	kill(pid, SIGKILL);
	(void)TEMP_FAILURE_RETRY(waitpid(pid, NULL, __WALL));
}

/*
 * Takes the place for the pidfd before the fork. So a full table of fds fails before there is a
 * child.
 */
static pid_t spawn_fork(int *ret_pidfd)
{
	int place = process_pidfd_open(getpid()), pidfd;
	pid_t pid;

	if (place < 0 && !missing(place))
		return place;
	pid = fork();
	if (pid <= 0) {
		pid = pid < 0 ? -errno : 0;
		close_fd(place);
		return pid;
	}
	if (place < 0) {
		*ret_pidfd = -1;
		return pid;
	}
	close_fd(place);
	pidfd = process_pidfd_open(pid);
	if (pidfd < 0) {
		kill_and_reap(pid);
		return pidfd;
	}
	*ret_pidfd = pidfd;
	return pid;
}

pid_t process_spawn(enum process_spawn *inout_way, int *ret_pidfd)
{
	return process_spawn_into(inout_way, -1, ret_pidfd);
}

pid_t process_spawn_into(enum process_spawn *inout_way, int leaf_fd, int *ret_pidfd)
{
	enum process_spawn way = *inout_way == PROCESS_AUTO ? PROCESS_CLONE3 : *inout_way;
	int pidfd = -1;
	const struct raw raw = { CLONE_PIDFD, &pidfd, leaf_fd };
	pid_t pid = -ENOSYS;

	if (way == PROCESS_CLONE3) {
		pid = spawn_raw(clone3_raw, &raw);
		if (missing(pid))
			way = PROCESS_CLONE;
	}
	if (way == PROCESS_CLONE) {
		pid = spawn_raw(clone_raw, &raw);
		if (missing(pid))
			way = PROCESS_FORK;
	}
	if (way == PROCESS_FORK) {
		pid = spawn_fork(&pidfd);
		if (pid == 0)
			join(leaf_fd);
	}
	if (pid >= 0)
		*inout_way = way;
	if (pid > 0)
		*ret_pidfd = pidfd;
	return pid;
}

/*
 * Asks for the two addresses once: they are the same in all children that the caller's first thread
 * makes.
 */
static pid_t spawn_again(long (*clone_way)(const struct raw *raw, void *tid), const struct raw *raw)
{
	static struct thread_memory m;
	int r = m.tid ? 0 : thread_memory(&m);

	return r < 0 ? r : spawn_with(clone_way, raw, &m);
}

/* Without CLONE_PIDFD: the old clone() has one parameter for the pidfd and for the pid. */
pid_t process_spawn_sibling(enum process_spawn *inout_way, int leaf_fd, _Atomic int32_t *ret_pid)
{
	enum process_spawn way = *inout_way == PROCESS_AUTO ? PROCESS_CLONE3 : *inout_way;
	const struct raw raw = { CLONE_PARENT | CLONE_PARENT_SETTID, ret_pid, leaf_fd };
	pid_t pid = -ENOSYS;

	if (way == PROCESS_CLONE3) {
		pid = spawn_again(clone3_raw, &raw);
		if (missing(pid))
			way = PROCESS_CLONE;
	}
	if (way == PROCESS_CLONE)
		pid = spawn_again(clone_raw, &raw);
	if (missing(pid))
		return -ENOSYS;
	/* A write copies a page, in the child or in its maker: so none where nothing changes. */
	if (pid >= 0 && *inout_way != way)
		*inout_way = way;
	return pid;
}

/*
 * Tells whether pidfd_send_signal exists. EPERM of a real signal could also mean that the process
 * has another uid by now. So this makes a call that can only fail, once: the kernel says EBADF, a
 * filter says EPERM or ENOSYS. (Once, because valgrind complains about each unknown call.)
 */
static bool has_pidfd_signal(void)
{
	static enum { UNKNOWN, THERE, MISSING } state;

	if (state == UNKNOWN)
		state = syscall(SYS_pidfd_send_signal, -1, 0, NULL, 0) < 0 && missing(-errno)
			? MISSING
			: THERE;
	return state == THERE;
}

int process_signal(int pidfd, pid_t pid, int sig)
{
	if (pidfd >= 0 && has_pidfd_signal())
		return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0 ? -errno : 0;
	if (pid <= 0)
		return -EINVAL;
	return kill(pid, sig) < 0 ? -errno : 0;
}

int process_kill_group(pid_t pgid)
{
	if (pgid <= 1 || pgid == getpgrp())
		return -EINVAL;
	return kill(-pgid, SIGKILL) < 0 ? -errno : 0;
}

int process_wait(pid_t pid, bool peek, struct process_exit *ret_exit)
{
	struct rusage usage = { 0 };
	siginfo_t info = { 0 };
	long r;

	if (pid <= 0)
		return -EINVAL;
	/* The C library's waitid() has no parameter for the usage. */
	r = TEMP_FAILURE_RETRY(syscall(SYS_waitid, P_PID, pid, &info,
		WEXITED | WNOHANG | __WALL | (peek ? WNOWAIT : 0), &usage));
	if (r < 0)
		return -errno;
	if (info.si_pid == 0)
		return 0;
	if (ret_exit)
		*ret_exit = (struct process_exit){
			.code = info.si_code, .status = info.si_status, .usage = usage
		};
	return 1;
}

/*
 * Two ways are needed: /proc shows the state of the first thread, which may have ended before the
 * others; and waitid() does not see a child that a debugger holds.
 */
bool process_is_stopped(pid_t child)
{
	struct proc_stat stat;
	siginfo_t info = { 0 };

	if (proc_stat(child, &stat) == 0 && (stat.state == 'T' || stat.state == 't'))
		return true;
	return waitid(P_PID, (id_t)child, &info, WSTOPPED | WNOHANG | WNOWAIT | __WALL) == 0 &&
		info.si_pid == child;
}

int process_set_pdeathsig(int sig, pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, (long)sig, 0L, 0L, 0L) < 0)
		return -errno;
	return getppid() == parent ? 0 : -ESRCH;
}

int process_drop_real_time(void)
{
	const struct sched_param none = { 0 };
	int policy = sched_getscheduler(0);

	if (policy < 0)
		return -errno;
	policy &= ~SCHED_RESET_ON_FORK;
	if (policy != SCHED_FIFO && policy != SCHED_RR)
		return 0;
	return sched_setscheduler(0, SCHED_OTHER, &none) < 0 ? -errno : 0;
}

int process_set_subreaper(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L) < 0 ? -errno : 0;
}

bool process_is_subreaper(void)
{
	int is = 0;

	return prctl(PR_GET_CHILD_SUBREAPER, &is) == 0 && is;
}
