/* SPDX-License-Identifier: MIT */
/*
 * cgroup.c - see cgroup.h. A limit of a cgroup holds for all below it, so the lowest one on the way
 * up decides. A container may show a cgroup's path as the host has it, although only the groups
 * from the container's own on are mounted. So a group that is not there is passed over.
 */
#define _GNU_SOURCE
#include "cgroup.h"
#include "procfs.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The line of version 2 in /proc/self/cgroup is "0::PATH". */
static int find_group(void *context, const char *line)
{
	char *group = context;

	if (strncmp(line, "0::/", 4) != 0)
		return 0;
	snprintf(group, PROCFS_LINE, "%s", line + 3);
	return 1;
}

/* Where the controllers of version 1 are mounted, too, version 2 is mounted in "unified". */
static int find_mount(const char *root, char mount[PATH_MAX])
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		snprintf(mount, PATH_MAX, "%s%s/cgroup.procs", root, places[i]);
		if (access(mount, F_OK) == 0) {
			snprintf(mount, PATH_MAX, "%s%s", root, places[i]);
			return 0;
		}
	}
	return -ENOENT;
}

/* False: "max", or the group has no such controller. */
static bool number_of(const char *mount, const char *group, const char *file, uint64_t *ret)
{
	char path[2 * PATH_MAX], text[32];
	unsigned long long value;

	snprintf(path, sizeof path, "%s%s/%s", mount, group, file);
	if (procfs_read(path, text, sizeof text) <= 0 || text[0] < '0' || text[0] > '9')
		return false;
	procfs_number(text, &value);
	*ret = value;
	return true;
}

static void name_of(const char *group, char ret[CGROUP_NAME])
{
	snprintf(ret, CGROUP_NAME, "%.*s", CGROUP_NAME - 1, *group ? group : "/");
}

static void look(
	const char *mount, const char *group, const char *file, struct cgroup_limit *lowest)
{
	uint64_t value;

	if (!number_of(mount, group, file, &value) || value >= lowest->value)
		return;
	lowest->value = value;
	name_of(group, lowest->group);
}

/* "/..": the cgroup lies outside of the cgroup namespace, so nothing of it can be read. */
static int find(const char *root, char mount[PATH_MAX], char group[PROCFS_LINE])
{
	group[0] = '\0';
	snprintf(mount, PATH_MAX, "%s/proc/self/cgroup", root);
	procfs_each_line(mount, find_group, group);
	if (group[0] == '\0' || strncmp(group, "/..", 3) == 0)
		return -ENOENT;
	return find_mount(root, mount);
}

int cgroup_folder(const char *root, char *folder, size_t size, char group[CGROUP_NAME])
{
	char mount[PATH_MAX], path[PROCFS_LINE];
	int r = find(root, mount, path);

	if (r < 0)
		return r;
	r = snprintf(folder, size, "%s%s", mount, path);
	if (r < 0 || (size_t)r >= size)
		return -ENOENT;
	snprintf(group, CGROUP_NAME, "%.*s", CGROUP_NAME - 1, path);
	return 0;
}

/* Cuts the last part off. False: the group was the root, "". */
static bool up(char *group)
{
	char *last = strrchr(group, '/');

	if (last)
		*last = '\0';
	return last != NULL;
}

bool cgroup_has(const char *root, const char *file, uint64_t value, char ret_group[CGROUP_NAME])
{
	char mount[PATH_MAX], group[PROCFS_LINE];
	uint64_t number;

	if (find(root, mount, group) < 0)
		return false;
	if (strcmp(group, "/") == 0)
		group[0] = '\0';
	do {
		if (number_of(mount, group, file, &number) && number == value) {
			name_of(group, ret_group);
			return true;
		}
	} while (up(group));
	return false;
}

void cgroup_limit(const char *root, const char *file, struct cgroup_limit *ret)
{
	char mount[PATH_MAX], group[PROCFS_LINE];
	struct cgroup_limit lowest = { .value = CGROUP_UNLIMITED };

	*ret = lowest;
	if (find(root, mount, group) < 0)
		return;
	if (strcmp(group, "/") == 0)
		group[0] = '\0';
	do {
		look(mount, group, file, &lowest);
	} while (up(group));
	*ret = lowest;
}

/* cpu.max: "QUOTA PERIOD", both in microseconds; "max PERIOD": no limit. */
static uint64_t cpus_of(const char *mount, const char *group)
{
	char path[2 * PATH_MAX], text[64];
	unsigned long long quota, period;
	const char *space;

	snprintf(path, sizeof path, "%s%s/cpu.max", mount, group);
	if (procfs_read(path, text, sizeof text) <= 0 || text[0] < '0' || text[0] > '9')
		return CGROUP_UNLIMITED;
	space = strchr(text, ' ');
	procfs_number(text, &quota);
	if (!space || space[1] < '1' || space[1] > '9')
		return CGROUP_UNLIMITED;
	procfs_number(space + 1, &period);
	return quota / period;
}

uint64_t cgroup_cpus(const char *root)
{
	char mount[PATH_MAX], group[PROCFS_LINE];
	uint64_t fewest = CGROUP_UNLIMITED;

	if (find(root, mount, group) < 0)
		return fewest;
	if (strcmp(group, "/") == 0)
		group[0] = '\0';
	do {
		fewest = MIN(fewest, cpus_of(mount, group));
	} while (up(group));
	return fewest;
}
