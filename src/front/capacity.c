/* SPDX-License-Identifier: MIT */
/*
 * capacity.c - see capacity.h. The pools are counted with the most workers that they may ever have.
 * A limit that leaves a pool without any worker is an error: no job of that pool could run. A limit
 * that only leaves fewer workers than the program asks for gets a line in the log: jobs do run, and
 * births beyond the limit fail and are tried again. Memory is only allowed to a worker, not taken,
 * so its sum is never an error.
 */
#define _GNU_SOURCE
#include "capacity.h"

#include "../wire/birth.h"
#include "../base/base.h"
#include "../engine/engine.h"

#include <linux/capability.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* ---- the limits ---- */

/* True: the kernel does not apply RLIMIT_NPROC to this process. */
static bool is_privileged(void)
{
	const uint32_t which = 1u << CAP_SYS_RESOURCE | 1u << CAP_SYS_ADMIN;
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	if (getuid() == 0 || syscall(SYS_capget, &header, data) < 0)
		return true;
	return (data[0].effective & which) != 0;
}

static uint64_t user_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NPROC, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return CGROUP_UNLIMITED;
	return is_privileged() ? CGROUP_UNLIMITED : limit.rlim_cur;
}

void capacity_look(const char *root, struct capacity *ret)
{
	cgroup_limit(root, "pids.max", &ret->tasks);
	cgroup_limit(root, "memory.max", &ret->memory);
	ret->user = user_limit();
}

/* ---- what the pools need ---- */

/* The processes beside the workers. */
static uint64_t others(const struct pool_setups *pools) { return birth_by_spawner(pools) ? 4 : 3; }

static uint64_t all_workers(const struct pool_setups *pools)
{
	uint64_t count = 0;

	for_each_setup(pool, pools) count += pool->options.workers;
	return count;
}

uint64_t capacity_memory(const struct pool_setups *pools, uint64_t *ret_workers)
{
	uint64_t sum = 0, of_pool;

	*ret_workers = 0;
	for_each_setup(pool, pools)
	{
		const struct brood_options *o = &pool->options;

		if (o->worker_memory == 0)
			continue;
		*ret_workers += o->workers;
		if (__builtin_mul_overflow(o->worker_memory, (uint64_t)o->workers, &of_pool) ||
			__builtin_add_overflow(sum, of_pool, &sum))
			return UINT64_MAX;
	}
	return sum;
}

/* ---- both together ---- */

/* The lower of the two limits on processes, as a line names it: what it is, and its cure. */
struct tasks {
	uint64_t limit;
	char name[160];
	const char *unit, *shell; /* "TasksMax", " or ulimit -u" */
};

static struct tasks tasks_of(const struct capacity *c)
{
	struct tasks t = { .limit = MIN(c->tasks.value, c->user) };

	if (c->user < c->tasks.value) {
		snprintf(t.name, sizeof t.name, "RLIMIT_NPROC, for all processes of this user,");
		t.unit = "LimitNPROC";
		t.shell = ", or ulimit -u";
	} else {
		snprintf(t.name, sizeof t.name, "pids.max of the cgroup %.100s", c->tasks.group);
		t.unit = "TasksMax";
		t.shell = "";
	}
	return t;
}

static int judge_tasks(const struct capacity *c, const struct pool_setups *pools, char *line)
{
	struct tasks t = tasks_of(c);
	uint64_t workers = all_workers(pools), most = others(pools) + workers;
	uint64_t least = others(pools) + pools->count;
	const char *spawner = others(pools) == 4 ? ", spawner" : "";

	line[0] = '\0';
	if (t.limit < least) {
		engine_error("brood_start: supervisor, engine, guard%s and one worker for each "
			     "pool are %llu processes, but %s is %llu: raise it (%s=%llu in a "
			     "systemd unit%s; jobs that fork need more)",
			spawner, (unsigned long long)least, t.name, (unsigned long long)t.limit,
			t.unit, (unsigned long long)most, t.shell);
		return -EAGAIN;
	}
	if (t.limit < most)
		snprintf(line, CAPACITY_LINE,
			"%llu workers, supervisor, engine, guard%s are %llu processes, but %s is "
			"%llu: some workers cannot be born, and brood_wait_ready() may wait for "
			"them for ever: raise it (%s=%llu in a systemd unit%s), or ask for fewer "
			"workers",
			(unsigned long long)workers, spawner, (unsigned long long)most, t.name,
			(unsigned long long)t.limit, t.unit, (unsigned long long)most, t.shell);
	return 0;
}

static void judge_memory(const struct capacity *c, const struct pool_setups *pools, char *line)
{
	uint64_t workers, sum = capacity_memory(pools, &workers);

	line[0] = '\0';
	if (sum > c->memory.value)
		snprintf(line, CAPACITY_LINE,
			"worker_memory allows %llu workers %llu MiB together, but memory.max of "
			"the cgroup %.100s is %llu MiB: the kernel may kill a process before a "
			"worker meets its own limit: raise MemoryMax=, or ask for less "
			"worker_memory or fewer workers",
			(unsigned long long)workers, (unsigned long long)(sum >> 20),
			c->memory.group, (unsigned long long)(c->memory.value >> 20));
}

int capacity_judge(
	const struct capacity *c, const struct pool_setups *pools, struct capacity_lines *ret_lines)
{
	struct capacity_lines lines;
	int r = judge_tasks(c, pools, lines.tasks);

	if (r < 0)
		return r;
	judge_memory(c, pools, lines.memory);
	*ret_lines = lines;
	return 0;
}
