/* SPDX-License-Identifier: MIT */
/*
 * process.h - makes, watches, signals and reaps processes, and reads what /proc says of them.
 *
 * Children made by clone have exit signal 0: they raise no SIGCHLD, and only a wait with __WALL
 * sees them. So SIGCHLD in the supervisor means strays (orphans that were reparented to the
 * supervisor), and reaping strays cannot steal a worker's status. With PROCESS_FORK this does not
 * hold: there a wait for any child must first look (WNOWAIT) whose child it is.
 */
#ifndef BROOD_OS_PROCESS_H
#define BROOD_OS_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

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

int process_pidfd_open(pid_t pid); /* fd or -errno */
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
 * has not; -ECHILD; or -errno.
 */
int process_wait(pid_t pid, bool peek, struct process_exit *ret_exit);
/*
 * Reaps one ended child and returns its pid; 0: there is none; -ECHILD: there are no children.
 * `known` claims children that have a pidfd and an owner: these are left alone.
 */
pid_t process_reap_stray(bool (*known)(void *context, pid_t pid), void *context);

/* Also checks that `parent` still is the parent: else -ESRCH. */
int process_set_pdeathsig(int sig, pid_t parent);
int process_set_subreaper(void);
/*
 * Turns SCHED_FIFO and SCHED_RR into SCHED_OTHER: a real-time process could keep all others from
 * running. Returns 0, also when there was nothing to drop, or -errno.
 */
int process_drop_real_time(void);

/*
 * exiting: the process is dead, a zombie, or about to end. doomed: it is exiting, or SIGKILL is
 * pending, so that it can make no more children.
 */
struct process_stat {
	pid_t pid, ppid, pgid, session;
	char state;
	bool exiting, doomed;
	uint64_t start_ticks;
	int threads;
	char comm[32];
};
/* reads /proc/PID/stat; -ESRCH: no such process */
int process_stat(pid_t pid, struct process_stat *ret_stat);
/* True: the process runs our own program (/proc/PID/exe): it was forked and has not called exec. */
bool process_same_program(pid_t pid);
/* Parses the text of /proc/PID/stat; -ESRCH: the text is not of this form. */
int process_parse_stat(const char *text, struct process_stat *ret);
/* The time now, in the unit of start_ticks (CLOCK_BOOTTIME). */
uint64_t process_boot_ticks(void);
/* The tracer's pid; 0: there is none, or it cannot be seen. */
pid_t process_tracer(pid_t pid);
/* Reads /proc/PID/status: TracerPid, or state T or t. */
bool process_traced_or_stopped(pid_t pid);
/* True: a signal has stopped the child, or a debugger holds it. Only the parent may ask. */
bool process_is_stopped(pid_t child);
/*
 * Counts this process's threads: unshare(CLONE_THREAD) tells when there is one; else /proc counts.
 */
int process_thread_count(void);
/* Writes "gmain, pool-1": the names of all threads but the calling one. */
int process_thread_names(char *text, size_t size);

/*
 * Walks over /proc and calls `each` for every process of this session. Returns how many there are.
 */
int process_each_in_session(
	pid_t session, void (*each)(void *context, const struct process_stat *stat), void *context);
/*
 * Sends SIGKILL to every process of these sessions, by pidfd where there are pidfds. Repeats this
 * until a walk over /proc finds none, at most `rounds` times. Returns how many were killed.
 */
int process_kill_sessions(const pid_t *sessions, size_t count, int rounds);
/*
 * Lists the pids of this process's children, by /proc/self/task/TID/children, else by a walk.
 * Returns how many (at most max).
 */
int process_children(pid_t *pids, size_t max);

/*
 * Workers have the program's oom_score_adj + PROCESS_OOM_MARK (at most 1000). All descendants
 * inherit it over fork, exec and setsid. So it also tells a stray of a job from a process that the
 * engine made.
 */
#define PROCESS_OOM_MARK 167
int process_oom_score_adj(pid_t pid, int *ret_adj); /* pid 0: this process */
int process_set_oom_score_adj(int adj);

#endif
