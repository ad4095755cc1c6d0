/* SPDX-License-Identifier: MIT */
/* pids.c - see pids.h. */
#include "pids.h"

#include "process.h"
#include "procfs.h"

#include <stdio.h>
#include <sys/wait.h>

#define NEWBORN_MAX 100000
#define CHASES_MAX  100
#define PID_LIMIT   (sizeof(long) > 4 ? 4194304 : 32768) /* the kernel's own limit on pids */

/* ---- hidepid, which hides other users' processes ---- */

/* The fifth field of mountinfo is the mount's place. The last mount at a place is on top. */
static int look_at_mount(void *context, const char *line)
{
	const char *value = strstr(line, "hidepid=");
	char place[8];

	if (sscanf(line, "%*s %*s %*s %*s %7s", place) == 1 && strcmp(place, "/proc") == 0)
		/* The values 0, 1, off, noaccess, or none: nothing is hidden. */
		*(bool *)context = value && !strchr("01on", value[strlen("hidepid=")]);
	return 0;
}

bool pids_hidden(void)
{
	/* the pid of the process that asked: after a fork the child asks again */
	static pid_t asked;
	static bool answer;
	bool hides = false;

	if (!procfs_has_our_pids())
		return true;
	if (asked == getpid())
		return answer;
	if (procfs_each_line("/proc/self/mountinfo", look_at_mount, &hides) < 0)
		return false; /* perhaps no fd was free: the next call asks again */
	answer = hides;
	asked = getpid();
	return answer;
}

/* ---- the walk over all processes ---- */

/* Returns the pid that the kernel gave out last, or 0 if /proc does not tell. */
static pid_t last_pid(void)
{
	unsigned long long pid;
	char text[128];
	const char *at;

	if (procfs_read("/proc/loadavg", text, sizeof text) <= 0)
		return 0;
	at = strrchr(text, ' ');
	procfs_number(at ? at : "0", &pid);
	return (pid_t)pid;
}

/* Returns the number that all pids are below, or 0 if /proc does not tell. */
static pid_t pid_max(void)
{
	unsigned long long max;
	char text[32];

	if (procfs_read("/proc/sys/kernel/pid_max", text, sizeof text) <= 0)
		return 0;
	procfs_number(text, &max);
	return max > 0 && max < PID_LIMIT ? (pid_t)max : PID_LIMIT;
}

static pid_t eldest = 2; /* only processes born after this pid are looked for */

void pids_begin(void) { eldest = getpid(); }

/*
 * Returns the pid that a child gets now; 0: no child can be made. The child raises no SIGCHLD,
 * which would ask for another walk.
 */
static pid_t next_pid(void)
{
	enum process_spawn way = PROCESS_CLONE;
	int pidfd = -1;
	pid_t pid = process_spawn(&way, &pidfd);

	if (pid == 0)
		_exit(0);
	close_fd(pidfd);
	if (pid < 0)
		return 0;
	(void)TEMP_FAILURE_RETRY(waitpid(pid, NULL, __WALL));
	return pid;
}

/*
 * Tries all numbers as pids where /proc tells pid_max. Without /proc the highest pid is unknown,
 * and four million system calls would take seconds on a busy machine. But pids are given out
 * upwards. So, until a pid lower than an earlier one is seen, only the numbers between the eldest
 * and the next pid matter.
 */
static void try_all(pids_each_fn *each, void *context)
{
	static pid_t highest;
	static bool began_again;
	pid_t first = 2, last = pid_max();

	if (last == 0) {
		pid_t next = next_pid();

		began_again |= next < highest || next < eldest;
		highest = MAX(highest, next);
		first = began_again ? 2 : eldest;
		last = began_again ? PID_LIMIT : next;
	}
	for (pid_t pid = first; pid <= last; pid++)
		each(context, pid);
}

/*
 * Looks at the processes born since `last` was the last pid, and then at those born meanwhile.
 * False: there were too many.
 */
static bool chase(pid_t last, pids_each_fn *each, void *context)
{
	for (int i = 0; i < CHASES_MAX; i++) {
		pid_t now = last_pid(), first = last + 1;

		last = now;
		if (now < first)
			return now == first - 1;
		if (now - first >= NEWBORN_MAX)
			return false;
		for (pid_t pid = first; pid <= now; pid++)
			each(context, pid);
	}
	return false;
}

struct pids_walk pids_walk(pids_each_fn *each, void *context)
{
	struct pids_walk walk = { 0 };
	pid_t last = last_pid();

	if (pids_hidden())
		try_all(each, context);
	else
		walk.error = procfs_each("/proc", each, context);
	walk.complete = chase(last, each, context) && walk.error == 0;
	return walk;
}
