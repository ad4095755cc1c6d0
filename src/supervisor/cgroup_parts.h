/* SPDX-License-Identifier: MIT */
/* cgroup_parts.h - what cgroups.c knows of the brood, of a pool and of a slot. */
#ifndef BROOD_SUPERVISOR_CGROUP_PARTS_H
#define BROOD_SUPERVISOR_CGROUP_PARTS_H

#include "../base/base.h"
#include "../loop/loop.h"

/* left: slots of which a worker's cgroup still is to be removed. */
struct cgroups {
	struct list left;
	struct timer again;
	uint32_t pause_ms;
};
/*
 * A pool's cgroup. fd: its folder, -1: none. again: a number in its name. per_worker: each worker
 * has one below. memory, tasks: memory_max and tasks_max can be had.
 */
struct pool_cgroup {
	int fd;
	uint32_t again;
	bool per_worker, memory, tasks;
};
/* left: in cgroups.left while the cgroup of a worker of that generation is to be removed. */
struct slot_cgroup {
	struct list left;
	uint32_t generation;
};

#endif
