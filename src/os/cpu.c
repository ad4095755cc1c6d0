/* SPDX-License-Identifier: MIT */
/* cpu.c - see cpu.h. */
#define _GNU_SOURCE
#include "cpu.h"

#include "../base/base.h"
#include "cgroup.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>

bool cpu_ticks_steady(void)
{
#if defined(__x86_64__) || defined(__i386__)
	const unsigned steady = 1u << 8; /* the counter is "invariant" */
	unsigned a, b, c, d;

	return __get_cpuid(0x80000007, &a, &b, &c, &d) && d & steady;
#else
	return false;
#endif
}

/*
 * The kernel wants a mask as large as its own, which may be larger than cpu_set_t: so larger masks
 * are tried.
 */
uint32_t cpu_allowed(void)
{
	for (int cpus = 1024; cpus <= 1 << 20; cpus *= 4) {
		cpu_set_t *set = CPU_ALLOC((size_t)cpus);
		size_t size = CPU_ALLOC_SIZE((size_t)cpus);
		int r, count;

		if (!set)
			break;
		CPU_ZERO_S(size, set);
		r = sched_getaffinity(0, size, set);
		count = CPU_COUNT_S(size, set);
		CPU_FREE(set);
		if (r == 0)
			return (uint32_t)MAX(count, 1);
		if (errno != EINVAL)
			break;
	}
	return 1;
}

uint32_t cpu_usable(const char *root)
{
	return (uint32_t)MIN((uint64_t)cpu_allowed(), cgroup_cpus(root));
}

bool cpu_step_aside(uint32_t cpu)
{
	cpu_set_t all, others;
	int filter = prctl(PR_GET_SECCOMP);

	/* EINVAL: the kernel has no filters; any other error is a filter's */
	if (cpu == CPU_UNKNOWN || filter > 0 || (filter < 0 && errno != EINVAL) ||
		sched_getaffinity(0, sizeof all, &all) < 0 || CPU_COUNT(&all) < 2)
		return false;
	others = all;
	CPU_CLR(cpu - 1, &others);
	if (sched_setaffinity(0, sizeof others, &others) < 0)
		return false;
	if (sched_setaffinity(0, sizeof all, &all) == 0)
		return true;
	/* the cpuset has changed meanwhile: allows all that it has */
	memset(&all, 0xff, sizeof all);
	sched_setaffinity(0, sizeof all, &all);
	return false;
}
