/* SPDX-License-Identifier: MIT */
/*
 * children.c - lists the children of this process, and reaps children without an owner.
 */
#include "children.h"
#include "proc.h"
#include "procfs.h"

#include <fcntl.h>
#include <sys/wait.h>

struct listed {
	pid_t *pids;
	size_t max, count;
};

/* Returns 1 when the list is full. */
static int add(struct listed *l, pid_t pid)
{
	if (l->count < l->max)
		l->pids[l->count++] = pid;
	return l->count == l->max;
}

/*
 * Reads pids separated by blanks; a read may cut a pid in two. A buffer of 4096 bytes is as much as
 * the kernel gives at once; a smaller one would cost more reads, and at each read the kernel goes
 * through the list from its beginning.
 */
static void add_numbers(struct listed *l, int fd)
{
	char text[4096];
	unsigned value = 0;
	ssize_t n;

	while ((n = TEMP_FAILURE_RETRY(read(fd, text, sizeof text))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				value = value * 10 + (unsigned)(text[i] - '0');
				continue;
			}
			if (value != 0 && add(l, (pid_t)value))
				return;
			value = 0;
		}
	}
}

static int add_of_task(void *context, int tid)
{
	struct listed *l = context;
	_cleanup_close_ int fd = -1;
	char path[PROCFS_PATH];

	fd = open(procfs_task_path(path, tid, "children"), O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		add_numbers(l, fd);
	return l->count == l->max;
}

static int add_if_child(void *context, int pid)
{
	struct proc_stat s;

	return proc_stat(pid, &s) == 0 && s.ppid == getpid() ? add(context, pid) : 0;
}

int children_list(pid_t *pids, size_t max)
{
	struct listed l = { .pids = pids, .max = max };
	char path[PROCFS_PATH];
	int r = -ENOENT;

	/*
	 * The kernel lists the children of each thread apart. A kernel without CONFIG_PROC_CHILDREN
	 * has no such lists: then all of /proc is read for processes with this parent.
	 */
	if (!procfs_has_our_pids())
		return r;
	if (access(procfs_task_path(path, getpid(), "children"), R_OK) == 0)
		r = procfs_each("/proc/self/task", add_of_task, &l);
	else
		r = procfs_each("/proc", add_if_child, &l);
	return r < 0 ? r : (int)l.count;
}

static int wait_any(idtype_t type, pid_t pid, int options, siginfo_t *info)
{
	memset(info, 0, sizeof *info);
	return TEMP_FAILURE_RETRY(waitid(type, (id_t)pid, info, options | WEXITED | WNOHANG)) < 0
		? -errno
		: 0;
}

/* Returns the child's pid, if the child has ended and nobody knows it. */
static pid_t reap_unknown(pid_t pid, bool (*known)(void *context, pid_t pid), void *context)
{
	siginfo_t info;

	return known(context, pid) || wait_any(P_PID, pid, 0, &info) < 0 ? 0 : info.si_pid;
}

/*
 * A wait without __WALL sees only children with the exit signal SIGCHLD: strays, and with
 * PROCESS_FORK the workers, too. With PROCESS_FORK a worker's zombie that its owner has not seen
 * yet may stand before a stray's. So all children must be looked at.
 */
pid_t children_reap_stray(bool (*known)(void *context, pid_t pid), void *context)
{
	static pid_t children[CHILDREN_MAX]; /* static, for it is too large for a stack */
	siginfo_t info;
	int r = wait_any(P_ALL, 0, WNOWAIT, &info), n;
	pid_t reaped;

	if (r < 0 || info.si_pid == 0)
		return r;
	reaped = reap_unknown(info.si_pid, known, context);
	n = reaped ? 0 : children_list(children, CHILDREN_MAX);
	for (int i = 0; i < n && !reaped; i++)
		reaped = reap_unknown(children[i], known, context);
	return reaped;
}
