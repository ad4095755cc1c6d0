/* SPDX-License-Identifier: MIT */
/* process.h - what /proc says of a process: CPU, memory, and what it waits on. */
#ifndef STATUS_PROCESS_H
#define STATUS_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
	char state; /* as in /proc/PID/stat; 0: there is no such process */
	pid_t parent;
	uint64_t cpu_ns;    /* used by all its threads */
	uint64_t memory;    /* resident, in bytes; pages that it shares with others count */
	uint64_t born_tick; /* since the machine's start: with the pid it names the process */
};
void process_look(pid_t pid, struct process *ret);
/* Has ended, or is about to: 0, Z, X. */
bool process_gone(const struct process *process);
/* Was stopped by a signal, or by a debugger. */
bool process_stopped(const struct process *process);

/*
 * What the main thread waits on: "futex", "mutex", "read(5: pipe:[77])", "running", "stopped",
 * "D nfs_wait".
 * Where this user may not see the system call: the kernel's function; "-": nothing is known.
 */
#define PROCESS_WAIT_MAX 96
void process_wait(pid_t pid, const struct process *process, char ret[PROCESS_WAIT_MAX]);

/* How the process itself sees its pid; another one than `pid` in another namespace. 0: unknown */
pid_t process_inner_pid(pid_t pid);
/* Whether a signal is among those that the process has a handler of, or blocks (main thread). */
enum process_signals { PROCESS_CAUGHT, PROCESS_BLOCKED };
bool process_signal_in(pid_t pid, enum process_signals set, int sig);
/* How often it has gone to sleep. */
uint64_t process_sleeps(pid_t pid);

#endif
