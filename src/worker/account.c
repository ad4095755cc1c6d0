/* SPDX-License-Identifier: MIT */
/*
 * account.c - what one job used, where the pool's options ask for that. CPU: the process's clock
 * before and after, so all threads of a job count. Memory: the kernel's peak of resident memory,
 * which begins anew at what is resident when 5 is written to /proc/self/clear_refs.
 */
#include "state.h"

#include "../base/base.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * Before worker_init, which may hide /proc, and before the count of fds: this one is the worker's,
 * for life.
 */
void account_ready(struct account *a, uint32_t flags)
{
	a->cpu = flags & BROOD_ACCOUNT_CPU;
	a->refs_fd = flags & BROOD_ACCOUNT_MEMORY
		? open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC)
		: -1;
	if (a->refs_fd >= 0 && identity_get(a->refs_fd, &a->refs) < 0)
		a->refs_fd = close_fd(a->refs_fd);
	a->suspect = true; /* by what worker_init does */
}

static uint64_t cpu_ns(void)
{
	struct timespec ts = { 0 };

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

void account_begin(struct account *a)
{
	if (a->refs_fd >= 0 && a->suspect && !identity_is(a->refs_fd, &a->refs))
		a->refs_fd = -1;
	a->suspect = false;
	if (a->refs_fd >= 0 && pwrite(a->refs_fd, "5", 1, 0) != 1)
		a->refs_fd = close_fd(a->refs_fd);
	if (a->cpu)
		a->cpu_ns = cpu_ns();
}

static uint64_t peak_kb(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss : 0;
}

struct usage account_end(struct account *a)
{
	return (struct usage){ .cpu_us = a->cpu ? (cpu_ns() - a->cpu_ns) / NS_PER_US : 0,
		.peak_kb = a->refs_fd >= 0 ? peak_kb() : 0 };
}
