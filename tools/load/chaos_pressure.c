/* SPDX-License-Identifier: MIT */
/* chaos_pressure.c - see chaos_pressure.h. */
#include "chaos_pressure.h"
#include "left.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FREE_FDS 2
/* Enough for a stack that grows a bit, too little for a large request or reply. */
#define FREE_MEMORY  (64u << 10)
#define FDS_MAX      65536
#define CHILDREN_MAX 16384
#define NOT_SO_LOW   16 /* the least limit on files: nobody has the first few numbers free */

static int resource_of(uint32_t kind)
{
	switch (kind) {
	case CHAOS_FD_PRESSURE: return RLIMIT_NOFILE;
	case CHAOS_MEMORY_PRESSURE: return RLIMIT_AS;
	case CHAOS_DISK_FULL: return RLIMIT_FSIZE;
	default: return -1;
	}
}

bool pressure_knows(uint32_t kind) { return resource_of(kind) >= 0; }

/* The limit below which FREE_FDS numbers are free now; 0: not known. */
static rlim_t files_limit(pid_t pid)
{
	static bool open[FDS_MAX];
	const struct dirent *entry;
	char path[32];
	unsigned limit = 0, left = FREE_FDS;
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		return 0;
	memset(open, 0, sizeof open);
	while ((entry = readdir(dir))) {
		long fd = atol(entry->d_name);

		if (*entry->d_name != '.' && fd < FDS_MAX)
			open[fd] = true;
	}
	closedir(dir);
	while (limit < FDS_MAX && left)
		left -= !open[limit++];
	return limit > NOT_SO_LOW ? limit : NOT_SO_LOW;
}

/* 0: not known */
static rlim_t memory_limit(pid_t pid)
{
	unsigned long long pages = 0;
	char path[32];
	FILE *file;
	int n;

	snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	n = fscanf(file, "%llu", &pages);
	fclose(file);
	return n == 1 ? pages * (rlim_t)sysconf(_SC_PAGESIZE) + FREE_MEMORY : 0;
}

/* Sets a soft limit, and never above the hard one. */
static bool set_soft(pid_t pid, int resource, rlim_t soft)
{
	struct rlimit limit;

	if (prlimit(pid, (enum __rlimit_resource)resource, NULL, &limit) < 0)
		return false;
	limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
	return prlimit(pid, (enum __rlimit_resource)resource, &limit, NULL) == 0;
}

static bool lower(pid_t pid, uint32_t kind, rlim_t *ret_before)
{
	int resource = resource_of(kind);
	rlim_t soft = kind == CHAOS_FD_PRESSURE ? files_limit(pid)
		: kind == CHAOS_MEMORY_PRESSURE ? memory_limit(pid)
						: 0;
	struct rlimit limit;

	if ((!soft && kind != CHAOS_DISK_FULL) ||
		prlimit(pid, (enum __rlimit_resource)resource, NULL, &limit) < 0)
		return false;
	*ret_before = limit.rlim_cur;
	return set_soft(pid, resource, soft < limit.rlim_cur ? soft : limit.rlim_cur);
}

/* Gives all children of the supervisor this limit. */
static void set_workers(const struct pressure *p, int resource, rlim_t soft)
{
	static pid_t children[CHILDREN_MAX];
	unsigned count = left_children(p->supervisor, children, CHILDREN_MAX);

	for (unsigned i = 0; i < count; i++) {
		if (children[i] != p->engine)
			set_soft(children[i], resource, soft);
	}
}

bool pressure_begin(struct pressure *p, uint32_t kind)
{
	int resource = resource_of(kind);
	rlim_t *soft = p->of[kind].soft;

	if (resource < 0 || p->of[kind].on || !lower(p->engine, kind, &soft[0]))
		return false;
	if (!lower(p->supervisor, kind, &soft[1])) {
		set_soft(p->engine, resource, soft[0]);
		return false;
	}
	if (kind == CHAOS_DISK_FULL)
		set_workers(p, resource, 0);
	p->of[kind].on = true;
	return true;
}

/*
 * The supervisor first: the processes that it makes later have the old limit from it. The workers
 * twice: the process that makes workers is a child of the supervisor. Until it has its old limit, a
 * worker with the low one may be born, which is not on the first list. Such a worker is on the
 * second list. Workers set their limit on files by themselves.
 */
void pressure_end(struct pressure *p, uint32_t kind)
{
	int resource = resource_of(kind);

	if (resource < 0 || !p->of[kind].on)
		return;
	set_soft(p->supervisor, resource, p->of[kind].soft[1]);
	set_soft(p->engine, resource, p->of[kind].soft[0]);
	for (unsigned i = 0; i < 2 && kind != CHAOS_FD_PRESSURE; i++)
		set_workers(p, resource, p->of[kind].soft[1]);
	p->of[kind].on = false;
}
