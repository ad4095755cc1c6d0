/* SPDX-License-Identifier: MIT */
/*
 * hazards.c - see hazards.h. Nothing here refuses a start: the program runs, and the operator may
 * know better.
 */
#include "hazards.h"

#include "../base/base.h"
#include "../os/machine.h"
#include "capacity.h"

#include <stdio.h>

void hazards_look(const char *root, struct hazards *ret)
{
	*ret = (struct hazards){ .memory_left = machine_memory_left(root) };
	(void)cgroup_has(root, "memory.oom.group", 1, ret->oom_group);
	ret->signals_known = machine_signals(root, &ret->signals, &ret->signals_limit) == 0;
}

/*
 * The signals that end a job need no room: the kernel queues a signal of kill() whatever the limit
 * is. A timer takes its place when it is made.
 */
static void judge_signals(const struct hazards *h, char *line)
{
	line[0] = '\0';
	if (h->signals_known && h->signals >= h->signals_limit)
		snprintf(line, HAZARDS_LINE,
			"RLIMIT_SIGPENDING is used up: %llu of %llu signals are queued for "
			"processes of this user: jobs can make no timer (timer_create: EAGAIN), "
			"and a timer that a job left is not found: raise it (LimitSIGPENDING= in a "
			"systemd unit, ulimit -i), or find the process that does not take its "
			"signals (SigQ in /proc/PID/status)",
			(unsigned long long)h->signals, (unsigned long long)h->signals_limit);
}

static void judge_oom_group(const struct hazards *h, char *line)
{
	line[0] = '\0';
	if (h->oom_group[0])
		snprintf(line, HAZARDS_LINE,
			"memory.oom.group of the cgroup %.100s is 1: where one worker takes too "
			"much memory, the kernel may kill all of the brood: OOMPolicy=continue in "
			"a "
			"systemd unit; in a container, limits of the workers' own (memory_max with "
			"a delegated cgroup, or worker_memory)",
			h->oom_group);
}

static void judge_memory(const struct hazards *h, const struct pool_setups *pools, char *line)
{
	uint64_t workers, sum = capacity_memory(pools, &workers);

	line[0] = '\0';
	if (sum > h->memory_left)
		snprintf(line, HAZARDS_LINE,
			"vm.overcommit_memory is 2, and the kernel promises %llu MiB more, but "
			"worker_memory allows %llu workers %llu MiB together: jobs may get no "
			"memory "
			"before their limit (ENOMEM): raise vm.overcommit_ratio, or ask for less "
			"worker_memory or fewer workers",
			(unsigned long long)(h->memory_left >> 20), (unsigned long long)workers,
			(unsigned long long)(sum >> 20));
}

void hazards_judge(
	const struct hazards *h, const struct pool_setups *pools, struct hazards_lines *ret_lines)
{
	judge_oom_group(h, ret_lines->oom_group);
	judge_signals(h, ret_lines->signals);
	judge_memory(h, pools, ret_lines->memory);
}
