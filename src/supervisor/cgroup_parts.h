/* SPDX-License-Identifier: MIT */
/* cgroup_parts.h - what cgroups.c and memory_pressure.c know of the brood, a pool and a slot. */
#ifndef BROOD_SUPERVISOR_CGROUP_PARTS_H
#define BROOD_SUPERVISOR_CGROUP_PARTS_H

#include "../base/base.h"
#include "../loop/loop.h"
#include "../os/pressure_fd.h"
#include "../pool/oom.h"
#include "../pool/pressure.h"

/*
 * left: slots of which a worker's cgroup still is to be removed. oom: kills in the delegated cgroup
 * itself, which has the memory of all pools that have no limit.
 */
struct cgroups {
	struct list left;
	struct oom oom;
	struct timer again;
	uint32_t pause_ms;
};
/*
 * A pool's cgroup. fd: its folder, -1: none. again: a number in its name. per_worker: each worker
 * has one below. memory, tasks: memory_max and tasks_max can be had. oom: kills there, if `memory`.
 */
struct pool_cgroup {
	int fd;
	uint32_t again;
	bool per_worker, memory, tasks;
	struct oom oom;
};
/* Whether memory is short: memory_pressure.c. */
struct memory_pressure {
	struct pressure_fd file;
	struct source source;
	struct timer calm;
	struct pressure state;
};
/* left: in cgroups.left while the cgroup of a worker of that generation is to be removed. */
struct slot_cgroup {
	struct list left;
	uint32_t generation;
};

#endif
