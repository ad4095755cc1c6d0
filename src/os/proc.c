/* SPDX-License-Identifier: MIT */
/*
 * proc.c - reads what /proc says of processes and threads, and the oom_score_adj, which marks
 * workers (os/mark.h has the other mark).
 */
#include "proc.h"
#include "procfs.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define STAT_SIZE 1024
#define EXITING   0x4 /* PF_EXITING in the flags of the stat file */

/*
 * Behind the name, the stat file has blanks and numbers, and the state as one letter. The field
 * numbers are those of proc(5).
 */
enum {
	FIELD_PPID = 4,
	FIELD_PGID = 5,
	FIELD_SESSION = 6,
	FIELD_FLAGS = 9,
	FIELD_THREADS = 20,
	FIELD_START = 22,
	FIELD_PENDING = 31,
	FIELDS
};

static const char *parse_name(const char *text, struct proc_stat *s)
{
	/* The name may contain both parentheses. */
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	size_t size;

	if (!open || !close || close < open || close[1] != ' ' || close[2] == '\0')
		return NULL;
	size = MIN((size_t)(close - open - 1), sizeof s->comm - 1);
	memcpy(s->comm, open + 1, size);
	s->comm[size] = '\0';
	s->state = close[2];
	return close + 3;
}

int proc_parse_stat(const char *text, struct proc_stat *ret)
{
	unsigned long long fields[FIELDS] = { 0 }, pid;
	struct proc_stat s;
	const char *at;

	procfs_number(text, &pid);
	at = parse_name(text, &s);
	if (!at)
		return -ESRCH;
	for (int i = FIELD_PPID; i < FIELDS; i++)
		at = procfs_number(at, &fields[i]);
	s.pid = (pid_t)pid;
	s.ppid = (pid_t)fields[FIELD_PPID];
	s.pgid = (pid_t)fields[FIELD_PGID];
	s.session = (pid_t)fields[FIELD_SESSION];
	s.threads = (int)fields[FIELD_THREADS];
	s.start_ticks = fields[FIELD_START];
	s.exiting = strchr("ZXx", s.state) || (fields[FIELD_FLAGS] & EXITING);
	s.doomed = s.exiting || (fields[FIELD_PENDING] & (1u << (SIGKILL - 1)));
	*ret = s;
	return 0;
}

int proc_stat(pid_t pid, struct proc_stat *ret_stat)
{
	char path[PROCFS_PATH], text[STAT_SIZE];
	ssize_t n;

	if (pid <= 0 || !procfs_has_our_pids())
		return -ESRCH;
	n = procfs_read(procfs_path(path, pid, "stat"), text, sizeof text);
	return n < 0 ? (int)n : proc_parse_stat(text, ret_stat);
}

uint64_t proc_boot_ticks(void)
{
	uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * hz + (uint64_t)ts.tv_nsec / (NS_PER_S / hz);
}

static pid_t tracer_in(const char *status)
{
	const char *line = strstr(status, "\nTracerPid:\t");
	unsigned long long tracer = 0;

	if (line)
		procfs_number(line + 12, &tracer);
	return (pid_t)tracer;
}

pid_t proc_tracer(pid_t pid)
{
	char path[PROCFS_PATH], text[STAT_SIZE];

	return procfs_read(procfs_path(path, pid, "status"), text, sizeof text) < 0
		? 0
		: tracer_in(text);
}

bool proc_same_program(pid_t pid)
{
	char path[PROCFS_PATH];
	struct proc_stat s;
	struct stat own, other;

	return proc_stat(pid, &s) == 0 && !s.exiting && stat("/proc/self/exe", &own) == 0 &&
		stat(procfs_path(path, pid, "exe"), &other) == 0 && own.st_ino == other.st_ino &&
		own.st_dev == other.st_dev;
}

bool proc_traced_or_stopped(pid_t pid)
{
	char path[PROCFS_PATH], text[STAT_SIZE];
	const char *line;

	if (procfs_read(procfs_path(path, pid, "status"), text, sizeof text) < 0)
		return false;
	line = strstr(text, "\nState:\t");
	if (line && (line[8] == 'T' || line[8] == 't'))
		return true;
	return tracer_in(text) != 0;
}

/* True: the set of that name in the text of /proc/PID/status has the signal, or is not there. */
static bool signal_in(const char *status, const char *name, int sig)
{
	const char *line = strstr(status, name);

	return !line || (strtoull(line + strlen(name), NULL, 16) >> (sig - 1) & 1);
}

bool proc_dies_by(pid_t pid, int sig)
{
	char path[PROCFS_PATH], text[4096];

	if (pid <= 0 || !procfs_has_our_pids() ||
		procfs_read(procfs_path(path, pid, "status"), text, sizeof text) < 0)
		return false;
	return !signal_in(text, "\nSigBlk:\t", sig) && !signal_in(text, "\nSigIgn:\t", sig) &&
		!signal_in(text, "\nSigCgt:\t", sig);
}

/*
 * A thread that was joined may still be leaving the kernel. It holds nothing any more, so it does
 * not count.
 */
static int count_thread(void *context, int tid)
{
	char path[PROCFS_PATH], text[STAT_SIZE];
	struct proc_stat s;

	if (procfs_read(procfs_task_path(path, tid, "stat"), text, sizeof text) >= 0 &&
		proc_parse_stat(text, &s) == 0 && !s.exiting)
		++*(int *)context;
	return 0;
}

int proc_thread_count(void)
{
	int count = 0, r;

	/*
	 * unshare(CLONE_THREAD) changes nothing in a process with one thread, and fails with EINVAL
	 * in any other.
	 */
	if (unshare(CLONE_THREAD) == 0)
		return 1;
	r = procfs_each("/proc/self/task", count_thread, &count);
	return r < 0 ? r : MAX(count, 1);
}

struct names {
	char *text;
	size_t size, used;
	int count, self;
};

static int name_thread(void *context, int tid)
{
	struct names *n = context;
	char path[PROCFS_PATH], name[32];
	ssize_t size;

	if (tid == n->self)
		return 0;
	size = procfs_read(procfs_task_path(path, tid, "comm"), name, sizeof name);
	if (size <= 0)
		return 0;
	name[size - 1] = '\0'; /* cuts the newline at the end */
	n->used += (size_t)snprintf(
		n->text + n->used, n->size - n->used, "%s%s", n->count++ ? ", " : "", name);
	n->used = MIN(n->used, n->size - 1);
	return 0;
}

int proc_thread_names(char *text, size_t size)
{
	struct names n = { .text = text, .size = size, .self = (int)syscall(SYS_gettid) };
	int r;

	if (size == 0)
		return -EINVAL;
	text[0] = '\0';
	r = procfs_each("/proc/self/task", name_thread, &n);
	return r < 0 ? r : n.count;
}

int proc_oom_score_adj(pid_t pid, int *ret_adj)
{
	char path[PROCFS_PATH], text[16];
	unsigned long long value;
	ssize_t n = procfs_read(procfs_path(path, pid, "oom_score_adj"), text, sizeof text);

	if (n < 0)
		return (int)n;
	procfs_number(text, &value);
	*ret_adj = text[0] == '-' ? -(int)value : (int)value;
	return 0;
}

int proc_set_oom_score_adj(int adj)
{
	_cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	char text[16];
	int size = snprintf(text, sizeof text, "%d", adj);

	if (fd < 0)
		return -errno;
	return TEMP_FAILURE_RETRY(write(fd, text, (size_t)size)) < 0 ? -errno : 0;
}
