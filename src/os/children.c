/* SPDX-License-Identifier: MIT */
/*
 * children.c - lists the children of this process, and reaps children without an owner.
 */
#include "children.h"
#include "proc.h"
#include "procfs.h"

#include <fcntl.h>
#include <sys/wait.h>

/* An answer that is not 0 ends the walk. */
struct visitor {
	int (*visit)(struct visitor *v, pid_t pid);
	bool stop;
};

/* Reads pids separated by blanks. The reads may cut the text anywhere. */
static int each_number(int fd, struct visitor *v)
{
	char text[1024];
	unsigned value = 0;
	ssize_t n;

	while (!v->stop) {
		n = TEMP_FAILURE_RETRY(read(fd, text, sizeof text));
		if (n <= 0)
			return n < 0 ? -errno : 0;
		for (ssize_t i = 0; i < n && !v->stop; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				value = value * 10 + (unsigned)(text[i] - '0');
				continue;
			}
			v->stop = value != 0 && v->visit(v, (pid_t)value) != 0;
			value = 0;
		}
	}
	return 0;
}

static int each_of_task(void *context, int tid)
{
	struct visitor *v = context;
	_cleanup_close_ int fd = -1;
	char path[PROCFS_PATH];

	fd = open(procfs_task_path(path, tid, "children"), O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		each_number(fd, v);
	return v->stop;
}

static int each_of_all(void *context, int pid)
{
	struct visitor *v = context;
	struct proc_stat s;

	if (proc_stat(pid, &s) == 0 && s.ppid == getpid())
		v->stop = v->visit(v, pid) != 0;
	return v->stop;
}

static int each_child(struct visitor *v)
{
	char path[PROCFS_PATH];

	if (!procfs_has_our_pids())
		return -ENOENT;
	/* Each thread has a list of its own. Kernels without CONFIG_PROC_CHILDREN have no list. */
	if (access(procfs_task_path(path, getpid(), "children"), R_OK) == 0)
		return procfs_each("/proc/self/task", each_of_task, v);
	return procfs_each("/proc", each_of_all, v);
}

struct collector {
	struct visitor visitor;
	pid_t *pids;
	size_t max, count;
};

static int collect(struct visitor *v, pid_t pid)
{
	struct collector *c = container_of(v, struct collector, visitor);

	if (c->count < c->max)
		c->pids[c->count++] = pid;
	return c->count == c->max;
}

int children_list(pid_t *pids, size_t max)
{
	struct collector c = { .visitor = { .visit = collect }, .pids = pids, .max = max };
	int r = each_child(&c.visitor);

	return r < 0 ? r : (int)c.count;
}

static int wait_any(idtype_t type, pid_t pid, int options, siginfo_t *info)
{
	memset(info, 0, sizeof *info);
	return TEMP_FAILURE_RETRY(waitid(type, (id_t)pid, info, options | WEXITED | WNOHANG)) < 0
		? -errno
		: 0;
}

struct reaper {
	struct visitor visitor;
	bool (*known)(void *context, pid_t pid);
	void *context;
	pid_t reaped;
};

static int reap_unknown(struct visitor *v, pid_t pid)
{
	struct reaper *s = container_of(v, struct reaper, visitor);
	siginfo_t info;

	if (s->known(s->context, pid) || wait_any(P_PID, pid, 0, &info) < 0)
		return 0;
	s->reaped = info.si_pid;
	return s->reaped != 0;
}

/*
 * A wait without __WALL sees only children with the exit signal SIGCHLD: strays, and with
 * PROCESS_FORK the workers, too. There a worker's zombie that its owner has not seen yet may stand
 * before a stray's. So all children must be looked at.
 */
pid_t children_reap_stray(bool (*known)(void *context, pid_t pid), void *context)
{
	struct reaper s = {
		.visitor = { .visit = reap_unknown }, .known = known, .context = context
	};
	siginfo_t info;
	int r = wait_any(P_ALL, 0, WNOWAIT, &info);

	if (r < 0)
		return r;
	if (info.si_pid == 0 || reap_unknown(&s.visitor, info.si_pid))
		return s.reaped;
	each_child(&s.visitor);
	return s.reaped;
}
