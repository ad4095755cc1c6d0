/* SPDX-License-Identifier: MIT */
/* proc.c - see proc.h. */
#define _GNU_SOURCE
#include "proc.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct stat_line {
	pid_t pid, parent, group, session;
	char state;
	int threads;
};

uint64_t test_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int test_scaled(int ms)
{
	const char *text = getenv("BROOD_TEST_SCALE");
	int scale = text ? atoi(text) : 1;

	return ms * (scale >= 1 && scale <= 100 ? scale : 1);
}

void test_pause(unsigned round)
{
	long us = round < 10 ? 200 : round < 40 ? 2000 : 20000;
	struct timespec ts = { 0, us * 1000 };

	ppoll(NULL, 0, &ts, NULL);
}

static ssize_t read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while (used < size - 1 && (n = read(fd, text + used, size - 1 - used)) > 0)
		used += (size_t)n;
	close(fd);
	text[used] = '\0';
	return (ssize_t)used;
}

static bool read_stat(pid_t pid, struct stat_line *ret)
{
	char path[64], text[1024], *p;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	if (read_file(path, text, sizeof text) <= 0 || !(p = strrchr(text, ')')))
		return false;
	ret->pid = pid;
	return sscanf(p + 1, " %c %d %d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d",
		       &ret->state, &ret->parent, &ret->group, &ret->session, &ret->threads) == 5;
}

char proc_state(pid_t pid)
{
	struct stat_line line;

	return read_stat(pid, &line) ? line.state : 0;
}

pid_t proc_parent(pid_t pid)
{
	struct stat_line line;

	return read_stat(pid, &line) ? line.parent : -1;
}

pid_t proc_session(pid_t pid)
{
	struct stat_line line;

	return read_stat(pid, &line) ? line.session : -1;
}

pid_t proc_group(pid_t pid)
{
	struct stat_line line;

	return read_stat(pid, &line) ? line.group : -1;
}

int proc_threads(pid_t pid)
{
	struct stat_line line;

	return read_stat(pid, &line) ? line.threads : -1;
}

bool proc_wait_gone(pid_t pid, int ms)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd poll_fd = { fd, POLLIN, 0 };
	uint64_t end = test_now_ms() + (uint64_t)test_scaled(ms);
	int r;

	if (fd < 0)
		return errno == ESRCH || WAIT_UNTIL(!proc_alive(pid), ms);
	do {
		uint64_t now = test_now_ms();

		r = poll(&poll_fd, 1, now < end ? (int)(end - now) : 0);
	} while (r < 0 && errno == EINTR);
	close(fd);
	return r > 0;
}

char *proc_title(pid_t pid, char *text, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
	n = read_file(path, text, size);
	if (n < 0)
		n = 0;
	while (n > 0 && !text[n - 1])
		n--;
	text[n] = '\0';
	for (ssize_t i = 0; i < n; i++)
		if (!text[i])
			text[i] = ' ';
	return text;
}

static int count_fds(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int count = 0;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			count++;
	closedir(dir);
	return count;
}

int proc_fds(pid_t pid)
{
	char path[64];

	if (pid == getpid())
		return proc_own_fds();
	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	return count_fds(path);
}

int proc_own_fds(void)
{
	int count = count_fds("/proc/self/fd");

	return count < 0 ? count : count - 1;
}

char *proc_fd_list(pid_t pid, char *text, size_t size)
{
	char path[64], target[256];
	size_t used = 0;

	text[0] = '\0';
	for (int fd = 0; fd < 1024 && used < size - 1; fd++) {
		ssize_t n;

		snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
		n = readlink(path, target, sizeof target - 1);
		if (n < 0)
			continue;
		target[n] = '\0';
		used += (size_t)snprintf(text + used, size - used, "%d %s\n", fd, target);
	}
	return text;
}

/* All processes. NULL: /proc cannot be read. The caller frees the array. */
static struct stat_line *all_processes(int *ret_count)
{
	struct stat_line *lines = calloc(PROC_MAX, sizeof *lines);
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	int count = 0;

	while (lines && dir && count < PROC_MAX && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]) &&
			read_stat((pid_t)atoi(entry->d_name), &lines[count]))
			count++;
	if (dir)
		closedir(dir);
	*ret_count = count;
	return lines;
}

static int add_children(
	const struct stat_line *lines, int count, pid_t parent, pid_t *pids, int have, int max)
{
	for (int i = 0; lines && i < count && have < max; i++)
		if (lines[i].parent == parent)
			pids[have++] = lines[i].pid;
	return have;
}

int proc_children(pid_t pid, pid_t *pids, int max)
{
	int count, have;
	struct stat_line *lines = all_processes(&count);

	have = add_children(lines, count, pid, pids, 0, max);
	free(lines);
	return have;
}

int proc_descendants(pid_t pid, pid_t *pids, int max)
{
	int count, have;
	struct stat_line *lines = all_processes(&count);

	have = add_children(lines, count, pid, pids, 0, max);
	for (int i = 0; i < have; i++)
		have = add_children(lines, count, pids[i], pids, have, max);
	free(lines);
	return have;
}

int proc_find(pid_t root, const char *words, pid_t *pids, int max)
{
	pid_t *all = calloc(PROC_MAX, sizeof *all);
	char title[512];
	int count, have = 0;

	if (!all)
		return 0;
	all[0] = root;
	count = 1 + proc_descendants(root, all + 1, PROC_MAX - 1);
	for (int i = 0; i < count && have < max; i++)
		if (proc_alive(all[i]) && strstr(proc_title(all[i], title, sizeof title), words))
			pids[have++] = all[i];
	free(all);
	return have;
}

int proc_count(pid_t root, const char *words)
{
	pid_t *pids = calloc(PROC_MAX, sizeof *pids);
	int count = pids ? proc_find(root, words, pids, PROC_MAX) : 0;

	free(pids);
	return count;
}

pid_t proc_supervisor(void) { return getppid(); }

/* The supervisor's living children. Their titles tell guard, spawner and workers apart. */
static int supervisor_children(pid_t supervisor, const char *words, pid_t *pids, int max)
{
	pid_t *all = calloc(PROC_MAX, sizeof *all);
	char title[512];
	int count, have = 0;

	if (!all)
		return 0;
	count = proc_children(supervisor, all, PROC_MAX);
	for (int i = 0; i < count && have < max; i++) {
		if (!proc_alive(all[i]))
			continue;
		proc_title(all[i], title, sizeof title);
		if (words ? strstr(title, words) != NULL
			  : !strstr(title, ": guard") && !strstr(title, ": spawner") &&
					!strstr(title, ": worker "))
			pids[have++] = all[i];
	}
	free(all);
	return have;
}

pid_t proc_guard(pid_t supervisor)
{
	pid_t pid;

	return supervisor_children(supervisor, ": guard", &pid, 1) == 1 ? pid : 0;
}

pid_t proc_spawner(pid_t supervisor)
{
	pid_t pids[32];
	int count = supervisor_children(supervisor, ": spawner", pids, 32);

	/* a worker that it has just made has its title, too, for a moment */
	for (int i = 0; i < count; i++)
		if (proc_session(pids[i]) == pids[i])
			return pids[i];
	return 0;
}

pid_t proc_engine(pid_t supervisor)
{
	pid_t pid;

	return supervisor_children(supervisor, ": engine", &pid, 1) == 1 ||
			supervisor_children(supervisor, NULL, &pid, 1) == 1
		? pid
		: 0;
}

int proc_workers(pid_t supervisor, pid_t *pids, int max)
{
	return supervisor_children(supervisor, ": worker ", pids, max);
}

int proc_worker_slot(pid_t worker)
{
	char title[512];
	const char *p = strstr(proc_title(worker, title, sizeof title), ": worker ");

	return p ? atoi(p + strlen(": worker ")) : -1;
}
