/* SPDX-License-Identifier: MIT */
/*
 * left.c - finds what a run has left: walks over /proc and looks for descendants, and for processes
 * that have the run's marker in argv or environment.
 *
 * The judge is a subreaper, so an orphan of any depth becomes its child. The marker finds processes
 * that even the subreaper could miss.
 */
#include "left.h"
#include "load.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_MAX 16384
#define END_NS   (5 * NS_S) /* for killed processes to disappear */

struct process {
	pid_t pid, ppid;
	char state;
	bool ours;
	char comm[20];
};
struct processes {
	struct process *list;
	size_t count, capacity;
};

static size_t read_proc(pid_t pid, const char *name, char *data, size_t size)
{
	char path[48];
	size_t used = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	while (used + 1 < size && (n = read(fd, data + used, size - 1 - used)) > 0)
		used += (size_t)n;
	close(fd);
	data[used] = 0;
	return used;
}

/* Parses "17 (name) S 1 ...". The name may hold anything, even parentheses. */
static bool read_process(pid_t pid, struct process *ret)
{
	char text[1024], *open_at, *close_at;
	int ppid = 0;

	if (!read_proc(pid, "stat", text, sizeof text))
		return false;
	open_at = strchr(text, '(');
	close_at = strrchr(text, ')');
	if (!open_at || !close_at || sscanf(close_at + 1, " %c %d", &ret->state, &ppid) != 2)
		return false;
	*close_at = 0;
	snprintf(ret->comm, sizeof ret->comm, "%s", open_at + 1);
	ret->pid = pid;
	ret->ppid = ppid;
	ret->ours = false;
	return true;
}

static void processes_add(struct processes *all, const struct process *p)
{
	if (all->count == all->capacity) {
		size_t capacity = all->capacity ? all->capacity * 2 : 256;
		struct process *list = realloc(all->list, capacity * sizeof *list);

		if (!list)
			return;
		all->list = list;
		all->capacity = capacity;
	}
	all->list[all->count++] = *p;
}

static void processes_read(struct processes *all)
{
	DIR *dir = opendir("/proc");
	const struct dirent *entry;
	struct process p;

	memset(all, 0, sizeof *all);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] > '0' && entry->d_name[0] <= '9' &&
			read_process((pid_t)atoi(entry->d_name), &p))
			processes_add(all, &p);
	}
	if (dir)
		closedir(dir);
}

static bool has_marker(pid_t pid, const char *marker)
{
	static char text[READ_MAX];
	size_t size = strlen(marker);

	return memmem(text, read_proc(pid, "cmdline", text, sizeof text), marker, size) ||
		memmem(text, read_proc(pid, "environ", text, sizeof text), marker, size);
}

static bool is_ours(const struct processes *all, pid_t pid)
{
	for (size_t i = 0; i < all->count; i++) {
		if (all->list[i].pid == pid)
			return all->list[i].ours;
	}
	return false;
}

static void processes_mark(struct processes *all, const char *marker, pid_t root)
{
	pid_t self = getpid(), top = root ? root : self;
	bool more;

	for (size_t i = 0; i < all->count && !root; i++)
		all->list[i].ours = all->list[i].pid != self &&
			has_marker(all->list[i].pid, marker);
	do {
		more = false;
		for (size_t i = 0; i < all->count; i++) {
			struct process *p = &all->list[i];

			if (!p->ours && p->pid != self &&
				(p->ppid == top || (p->ppid > 1 && is_ours(all, p->ppid))))
				p->ours = more = true;
		}
	} while (more);
}

static bool listed(pid_t pid, const pid_t *pids, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (pids[i] == pid)
			return true;
	}
	return false;
}

void left_look(const char *marker, pid_t root, const pid_t *expected, unsigned expected_count,
	struct left *ret)
{
	struct processes all;
	size_t used = 0;

	memset(ret, 0, sizeof *ret);
	processes_read(&all);
	processes_mark(&all, marker, root);
	for (size_t i = 0; i < all.count; i++) {
		const struct process *p = &all.list[i];
		bool zombie = p->state == 'Z' || p->state == 'X';

		if (!p->ours || listed(p->pid, expected, expected_count))
			continue;
		*(zombie ? &ret->zombies : &ret->processes) += 1;
		if (used < sizeof ret->names)
			used += (size_t)snprintf(ret->names + used, sizeof ret->names - used,
				"%s%d (%s, %c, child of %d)", used ? ", " : "", (int)p->pid,
				p->comm, p->state, (int)p->ppid);
	}
	free(all.list);
}

void left_kill(const char *marker)
{
	uint64_t end = load_now() + END_NS;
	bool alive = true;

	while (alive && load_now() < end) {
		const struct timespec pause = { .tv_nsec = 2 * (long)NS_MS };
		struct processes all;

		processes_read(&all);
		processes_mark(&all, marker, 0);
		alive = false;
		for (size_t i = 0; i < all.count; i++) {
			if (all.list[i].ours) {
				alive = true;
				kill(all.list[i].pid, SIGKILL);
			}
		}
		free(all.list);
		while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
			;
		if (alive)
			nanosleep(&pause, NULL);
	}
}

pid_t left_guard(pid_t supervisor)
{
	struct processes all;
	char text[512];
	pid_t guard = 0;

	processes_read(&all);
	for (size_t i = 0; i < all.count && !guard; i++) {
		if (all.list[i].ppid != supervisor || all.list[i].state == 'Z')
			continue;
		read_proc(all.list[i].pid, "cmdline", text, sizeof text);
		if (strstr(text, ": guard") || strstr(all.list[i].comm, "guard"))
			guard = all.list[i].pid;
	}
	free(all.list);
	return guard;
}

unsigned left_children(pid_t parent, pid_t *ret_pids, unsigned room)
{
	struct processes all;
	unsigned count = 0;

	processes_read(&all);
	for (size_t i = 0; i < all.count && count < room; i++) {
		if (all.list[i].ppid == parent && all.list[i].state != 'Z')
			ret_pids[count++] = all.list[i].pid;
	}
	free(all.list);
	return count;
}
