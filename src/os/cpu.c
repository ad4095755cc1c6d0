/* SPDX-License-Identifier: MIT */
/* cpu.c - see cpu.h. */
#define _GNU_SOURCE
#include "cpu.h"

#include "../base/base.h"
#include "cgroup.h"

#include <sched.h>
#include <sys/prctl.h>

uint32_t cpu_usable(const char *root)
{
	cpu_set_t set;
	uint64_t quota = cgroup_cpus(root);
	uint32_t count = sched_getaffinity(0, sizeof set, &set) == 0 ? (uint32_t)CPU_COUNT(&set)
								     : UINT32_MAX;

	return (uint32_t)MIN((uint64_t)count, quota);
}

bool cpu_step_aside(uint32_t cpu)
{
	cpu_set_t all, others;

	if (cpu == CPU_UNKNOWN || prctl(PR_GET_SECCOMP) != 0 ||
		sched_getaffinity(0, sizeof all, &all) < 0 || CPU_COUNT(&all) < 2)
		return false;
	others = all;
	CPU_CLR(cpu - 1, &others);
	if (sched_setaffinity(0, sizeof others, &others) < 0)
		return false;
	return sched_setaffinity(0, sizeof all, &all) == 0;
}
