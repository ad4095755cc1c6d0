/* SPDX-License-Identifier: MIT */
/*
 * process.h - making, watching, signalling and reaping processes; what /proc says of them.
 *
 * Children made by clone carry exit signal 0: they raise no SIGCHLD, and only waits with __WALL see
 * them. So SIGCHLD in the supervisor means strays (orphans that were reparented to it), and reaping
 * those cannot steal a worker's status. With PROCESS_FORK that does not hold: then a wait for "any"
 * must look first (WNOWAIT) whose child it is.
 */
#ifndef BROOD_OS_PROCESS_H
#define BROOD_OS_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* Values are those of enum brood_spawn. */
enum process_spawn { PROCESS_AUTO, PROCESS_CLONE3, PROCESS_CLONE, PROCESS_FORK };

/*
 * Like fork(): 0 in the child, the pid in the parent with a close-on-exec pidfd in *ret_pidfd, or
 * -errno (nothing was made; a child whose pidfd could not be had is killed and reaped here). AUTO:
 * clone3, and when that is missing (ENOSYS, EPERM) clone(CLONE_PIDFD), then fork and pidfd_open;
 * *inout_way is the way to begin with and becomes the one that worked. After the raw ways the child
 * mends what glibc's fork would have: the thread's tid and the robust list. *ret_pidfd is -1 where
 * the kernel (valgrind) has no pidfds at all: then the way is FORK and deaths are told by SIGCHLD.
 */
pid_t process_spawn(enum process_spawn *inout_way, int *ret_pidfd);

int process_pidfd_open(pid_t pid); /* fd or -errno */
/*
 * By pidfd, else (pidfd -1) by kill(). Without a value: one needs a place in the kernel's queue,
 * which may be full. 0; -ESRCH is no error to worry about.
 */
int process_signal(int pidfd, pid_t pid, int sig);
/* SIGKILL; -ESRCH when empty */
int process_kill_group(pid_t pgid);

/* siginfo's si_code (CLD_*) and si_status */
struct process_exit {
	int code, status;
	struct rusage usage;
};
/* __WALL, never blocks. 1: it has ended (reaped, unless peek), 0: it has not, -ECHILD, -errno. */
int process_wait(pid_t pid, bool peek, struct process_exit *ret_exit);
/*
 * One ended child that `known` does not claim (known: a child with a pidfd and owner of its own;
 * then it is left alone): its pid, 0 for none, -ECHILD.
 */
pid_t process_reap_stray(bool (*known)(void *context, pid_t pid), void *context);

/* and checks that `parent` still is the parent: else -ESRCH */
int process_set_pdeathsig(int sig, pid_t parent);
int process_set_subreaper(void);
/*
 * SCHED_FIFO and SCHED_RR become SCHED_OTHER: what is below the others can be stopped by them. 0,
 * also when there was nothing to drop; -errno.
 */
int process_drop_real_time(void);

/*
 * exiting: dead, a zombie or on its way there. doomed: that, or SIGKILL is pending: it can make no
 * more children.
 */
struct process_stat {
	pid_t pid, ppid, pgid, session;
	char state;
	bool exiting, doomed;
	uint64_t start_ticks;
	int threads;
	char comm[32];
};
int process_stat(pid_t pid, struct process_stat *ret_stat); /* /proc/PID/stat; -ESRCH */
/* it runs, and its /proc/PID/exe is our own: it was forked, and has not called exec */
bool process_same_program(pid_t pid);
/* that file's text; -ESRCH: it is none */
int process_parse_stat(const char *text, struct process_stat *ret);
/* now, in the unit of start_ticks (CLOCK_BOOTTIME) */
uint64_t process_boot_ticks(void);
/* 0: none, or not to be seen */
pid_t process_tracer(pid_t pid);
/* /proc/PID/status: TracerPid, or state T/t */
bool process_traced_or_stopped(pid_t pid);
/* Stopped by a signal, or held by a debugger; asked by its parent. */
bool process_is_stopped(pid_t child);
/* of this process: unshare(CLONE_THREAD) answers 1, else /proc */
int process_thread_count(void);
/* "gmain, pool-1": all but the calling thread */
int process_thread_names(char *text, size_t size);

/* Calls `each` for every process of session `session`; walks /proc. Returns how many. */
int process_each_in_session(
	pid_t session, void (*each)(void *context, const struct process_stat *stat), void *context);
/*
 * SIGKILL, by pidfd where there are pidfds, to every process of those sessions, again until a walk
 * over /proc finds none (at most `rounds`). Returns how many were killed.
 */
int process_kill_sessions(const pid_t *sessions, size_t count, int rounds);
/*
 * The pids of our own children, by /proc/self/task/TID/children, else by a walk. Returns how many
 * (at most max).
 */
int process_children(pid_t *pids, size_t max);

/*
 * oom_score_adj: workers get the program's own + PROCESS_OOM_MARK (at most 1000). Inherited over
 * fork, exec and setsid, it also tells a stray that a job left from a process that the engine made.
 */
#define PROCESS_OOM_MARK 167
int process_oom_score_adj(pid_t pid, int *ret_adj); /* pid 0: self */
int process_set_oom_score_adj(int adj);

#endif
