/* SPDX-License-Identifier: MIT */
/* cgroup.h - the limits of the cgroup (version 2) in which this process is. */
#ifndef BROOD_OS_CGROUP_H
#define BROOD_OS_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CGROUP_NAME      256
#define CGROUP_UNLIMITED UINT64_MAX

struct cgroup_limit {
	uint64_t value;
	char group[CGROUP_NAME]; /* the cgroup that has the limit, such as "/system.slice" */
};

/*
 * The lowest limit that a file such as "pids.max" has in the cgroup of this process, and in those
 * above it that can be seen here. CGROUP_UNLIMITED: there is none, or no cgroup can be seen. root:
 * "" for the system's /proc and /sys; a test has a folder with files of its own.
 */
void cgroup_limit(const char *root, const char *file, struct cgroup_limit *ret);

/*
 * Whether a file such as "memory.oom.group" has this number in the cgroup of this process, or in
 * one of those above it; *ret_group is the nearest one that has, and untouched otherwise.
 */
bool cgroup_has(const char *root, const char *file, uint64_t value, char ret_group[CGROUP_NAME]);

/*
 * How many whole CPUs cpu.max allows in the cgroup of this process, and in those above it: the
 * fewest. CGROUP_UNLIMITED: there is no such limit. 0: less than one.
 */
uint64_t cgroup_cpus(const char *root);

/*
 * The folder of this process's cgroup, and its path as /proc/self/cgroup has it. Returns 0;
 * -ENOENT: there is no version 2, or the cgroup cannot be seen from here.
 */
int cgroup_folder(const char *root, char *folder, size_t size, char group[CGROUP_NAME]);

#endif
