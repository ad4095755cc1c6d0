/* SPDX-License-Identifier: MIT */
/*
 * groups.c - the cgroup of the process (version 2). A limit of a cgroup holds for all below it, so
 * each one on the way up counts. A container may show paths that are not mounted there: such a
 * cgroup is passed over.
 */
#include "doctor.h"

#include <stdlib.h>
#include <string.h>

#define MOUNT "/sys/fs/cgroup"

typedef unsigned long long llu; /* for printf */

struct group {
	const struct where *where;
	char path[PATH_MAX]; /* below MOUNT; "": its root */
};

/* The cgroup above. False: there is none. */
static bool group_up(struct group *g)
{
	char *last = strrchr(g->path, '/');

	if (!last)
		return false;
	*last = '\0';
	return true;
}

static bool group_number(const struct group *g, const char *file, uint64_t *ret)
{
	return where_number(g->where, ret, MOUNT "%s/%s", g->path, file);
}

/* The least value of the file on the way up; g is that cgroup then. */
static bool least(struct group *g, const char *file, uint64_t *ret)
{
	struct group at = *g;
	bool found = false;
	uint64_t value;

	do {
		if (group_number(&at, file, &value) && (!found || value < *ret)) {
			*ret = value;
			*g = at;
			found = true;
		}
	} while (group_up(&at));
	return found;
}

static const char *shown(const struct group *g) { return *g->path ? g->path : "/"; }

/* ---- checks ---- */

static void check_tasks(const struct patient *p, struct group g, struct findings *f)
{
	uint64_t limit, need = need_processes(&p->need);
	char cure[160];

	if (!least(&g, "pids.max", &limit) || limit >= need + need / 8)
		return;
	snprintf(cure, sizeof cure,
		"TasksMax=%llu in the unit, --pids-limit of a container, or fewer workers; jobs "
		"that fork need more",
		(llu)(2 * need));
	findings_add(f, limit < need ? FAULT : NOTE, "tasks", cure,
		"pids.max of the cgroup %.100s is %llu, and %llu workers are %llu processes with "
		"their supervisor: %s",
		shown(&g), (llu)limit, (llu)p->need.workers, (llu)need,
		limit < need ? "some cannot be born"
			     : "there is no room for those that replace others that dump core");
}

static void check_memory(const struct patient *p, struct group g, struct findings *f)
{
	uint64_t limit;

	if (p->need.memory == 0 || !least(&g, "memory.max", &limit) || p->need.memory <= limit)
		return;
	findings_add(f, FAULT, "memory",
		"MemoryMax= in the unit, a larger limit of the container, less worker_memory, or "
		"fewer workers",
		"%llu workers may take %llu MiB together, and memory.max of the cgroup %.100s is "
		"%llu MiB: the kernel kills a process before a worker meets its own limit",
		(llu)p->need.workers, (llu)(p->need.memory >> 20), shown(&g), (llu)(limit >> 20));
}

static void check_oom_group(struct group g, struct findings *f)
{
	uint64_t value;

	do {
		if (!group_number(&g, "memory.oom.group", &value) || value != 1)
			continue;
		findings_add(f, FAULT, "oom-group",
			"OOMPolicy=continue in the unit; in a container, limits of the workers' "
			"own (Delegate=, or worker_memory), or singleProcessOOMKill of the kubelet",
			"memory.oom.group of the cgroup %.100s is 1: where one worker takes too "
			"much memory, the kernel kills all of the brood",
			shown(&g));
		return;
	} while (group_up(&g));
}

/* True: *ret is the cgroup of the process. */
static bool find(const struct patient *p, struct group *ret)
{
	char text[4096], process[16];
	const char *at;

	where_process(p->pid, process);
	if (!where_read(&p->where, text, sizeof text, "/proc/%s/cgroup", process))
		return false;
	at = where_line(text, "0::/");
	/* "/..": it lies outside of what this cgroup namespace shows */
	if (!at || strncmp(at, "..", 2) == 0)
		return false;
	ret->where = &p->where;
	snprintf(ret->path, sizeof ret->path, "%s%.*s", *at && *at != '\n' ? "/" : "",
		(int)strcspn(at, "\n"), at);
	return true;
}

static void check_version(const struct patient *p, struct findings *f)
{
	if (where_exists(&p->where, MOUNT "/cgroup.controllers") ||
		!where_exists(&p->where, "/proc/self/cgroup"))
		return;
	findings_add(f, NOTE, "cgroup-v1",
		"systemd.unified_cgroup_hierarchy=1 on the kernel's command line; in a container, "
		"a host with cgroup v2",
		"there is no cgroup v2 here: limits of a cgroup are not seen, and a worker cannot "
		"have a cgroup of its own");
}

void check_groups(const struct patient *p, struct findings *f)
{
	struct group group;

	check_version(p, f);
	if (p->unit || !find(p, &group))
		return;
	check_tasks(p, group, f);
	check_memory(p, group, f);
	check_oom_group(group, f);
}
