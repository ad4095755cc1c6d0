/* SPDX-License-Identifier: MIT */
/* proc.h - what /proc says of a process, and its oom_score_adj. */
#ifndef BROOD_OS_PROC_H
#define BROOD_OS_PROC_H

#include "../base/base.h"

/*
 * exiting: the process is dead, a zombie, or about to end. doomed: it is exiting, or SIGKILL is
 * pending, so that it can make no more children.
 */
struct proc_stat {
	pid_t pid, ppid, pgid, session;
	char state;
	bool exiting, doomed;
	uint64_t start_ticks;
	int threads;
	char comm[32];
};
/* reads /proc/PID/stat; -ESRCH: no such process */
int proc_stat(pid_t pid, struct proc_stat *ret_stat);
/* True: the process runs our own program (/proc/PID/exe): it was forked and has not called exec. */
bool proc_same_program(pid_t pid);
/* Parses the text of /proc/PID/stat; -ESRCH: the text is not of this form. */
int proc_parse_stat(const char *text, struct proc_stat *ret);
/* The time now, in the unit of start_ticks (CLOCK_BOOTTIME). */
uint64_t proc_boot_ticks(void);
/* The tracer's pid; 0: there is none, or it cannot be seen. */
pid_t proc_tracer(pid_t pid);
/* Reads /proc/PID/status: TracerPid, or state T or t. */
bool proc_traced_or_stopped(pid_t pid);
/*
 * True: this signal would end the process, which has the default action for it, and does not block
 * it. False also where /proc does not tell.
 */
bool proc_dies_by(pid_t pid, int sig);
/*
 * Counts this process's threads: unshare(CLONE_THREAD) tells when there is one; else /proc counts.
 */
int proc_thread_count(void);
/* Writes "gmain, pool-1": the names of all threads but the calling one. */
int proc_thread_names(char *text, size_t size);

/*
 * Workers have the program's oom_score_adj + PROC_OOM_MARK (at most 1000). All descendants
 * inherit it over fork, exec and setsid. So it also tells a stray of a job from a process that the
 * engine made.
 */
#define PROC_OOM_MARK 167
int proc_oom_score_adj(pid_t pid, int *ret_adj); /* pid 0: asks for this process */
int proc_set_oom_score_adj(int adj);

#endif
