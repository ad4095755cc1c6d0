/* SPDX-License-Identifier: MIT */
/*
 * capacity.h - whether the limits on processes and memory have room for all workers of all pools.
 * The limit on open files is in start.c.
 */
#ifndef BROOD_CAPACITY_H
#define BROOD_CAPACITY_H

#include "../os/cgroup.h"
#include "../wire/pool_setup.h"

#define CAPACITY_LINE 500

/* The limits of this process. CGROUP_UNLIMITED: there is none. */
struct capacity {
	struct cgroup_limit tasks, memory;
	uint64_t user; /* RLIMIT_NPROC */
};

/* A line for the log about each limit that is too low for all workers; "": it is high enough. */
struct capacity_lines {
	char tasks[CAPACITY_LINE], memory[CAPACITY_LINE];
};

/*
 * Bytes that all workers may allocate, in pools that limit them; UINT64_MAX: more than fits.
 * *ret_workers: how many workers that are.
 */
uint64_t capacity_memory(const struct pool_setups *pools, uint64_t *ret_workers);
/* Reads the limits. root: as in os/cgroup.h. */
void capacity_look(const char *root, struct capacity *ret);
/*
 * 0, and *ret_lines; or -EAGAIN with a sentence: not every pool could have a worker. Makes no
 * system call.
 */
int capacity_judge(const struct capacity *c, const struct pool_setups *pools,
	struct capacity_lines *ret_lines);

#endif
