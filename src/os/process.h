/* SPDX-License-Identifier: MIT */
/*
 * process.h - makes, watches, signals and reaps processes, and reads what /proc says of them.
 *
 * Children made by clone have exit signal 0: they raise no SIGCHLD, and only a wait with __WALL
 * sees them. So SIGCHLD in the supervisor means strays (orphans that were reparented to the
 * supervisor), and reaping strays cannot steal a worker's status. With PROCESS_FORK workers raise
 * SIGCHLD, too: a wait for any child must then first look (WNOWAIT) whether the child is a worker.
 */
#ifndef BROOD_OS_PROCESS_H
#define BROOD_OS_PROCESS_H

#include <signal.h>
#include "../base/base.h"
#include <stdatomic.h>
#include <sys/resource.h>

/* The values are those of enum brood_spawn. */
enum process_spawn { PROCESS_AUTO, PROCESS_CLONE3, PROCESS_CLONE, PROCESS_FORK };

/*
 * Like fork(): returns 0 in the child. In the parent it returns the pid, and *ret_pidfd is a
 * close-on-exec pidfd; or it returns -errno and there is no child. (A child whose pidfd could not
 * be had is killed and reaped here.) AUTO tries clone3, then clone(CLONE_PIDFD) where clone3 is
 * missing (ENOSYS, EPERM), then fork and pidfd_open. *inout_way is the way to begin with, and
 * becomes the way that worked. After a raw clone the child does what glibc's fork would have done:
 * it sets the thread's tid and the robust list. Where there are no pidfds at all (valgrind),
 * *ret_pidfd is -1, the way is FORK, and SIGCHLD tells of deaths.
 */
pid_t process_spawn(enum process_spawn *inout_way, int *ret_pidfd);
/*
 * The same, in the cgroup of leaf_fd (os/leaf.h); -1: in this process's own. Usually the kernel
 * makes the process there. Where only the child can move itself, one that may not ends with
 * PROCESS_EXIT_LEAF.
 */
#define PROCESS_EXIT_LEAF 70
pid_t process_spawn_into(enum process_spawn *inout_way, int leaf_fd, int *ret_pidfd);

/*
 * Makes a process as process_spawn_into() does, but as a child of this process's parent: only the
 * parent can wait for the child, and the child's exit signal is this process's own. Before the
 * child begins, the kernel has written its pid to *ret_pid. Returns 0 in the child, the pid, or
 * -errno; -ENOSYS: neither clone3 nor clone can do this here.
 */
pid_t process_spawn_sibling(enum process_spawn *inout_way, int leaf_fd, _Atomic int32_t *ret_pid);

int process_pidfd_open(pid_t pid); /* returns the fd, or -errno */
/*
 * Signals by pidfd, or with pidfd -1 by kill(). Carries no value: a value would need room in a
 * queue of the kernel, which may be full. Returns 0 or -errno; -ESRCH only says that the process
 * has ended.
 */
int process_signal(int pidfd, pid_t pid, int sig);
/* Sends SIGKILL to a process group. -ESRCH: the group is empty. */
int process_kill_group(pid_t pgid);

/* code and status are siginfo's si_code (CLD_*) and si_status. */
struct process_exit {
	int code, status;
	struct rusage usage;
};
/*
 * Never blocks; waits with __WALL. Returns 1: the process has ended (reaped, unless peek); 0: it
 * has not; -ECHILD; or -errno. ret_exit may be NULL.
 */
int process_wait(pid_t pid, bool peek, struct process_exit *ret_exit);
/* Sets PDEATHSIG to `sig`. -ESRCH: `parent` is not the parent any more, so no signal will come. */
int process_set_pdeathsig(int sig, pid_t parent);
int process_set_subreaper(void);
bool process_is_subreaper(void);
/*
 * Turns SCHED_FIFO and SCHED_RR into SCHED_OTHER: a real-time process could keep all others from
 * running. Returns 0, also when there was nothing to drop, or -errno.
 */
int process_drop_real_time(void);

/* True: a signal has stopped the child, or a debugger holds it. Only the parent may ask. */
bool process_is_stopped(pid_t child);

#endif
