/* SPDX-License-Identifier: MIT */
/* cpu.h - on which CPU this thread runs, and how many CPUs this process may use. */
#ifndef BROOD_OS_CPU_H
#define BROOD_OS_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CPU_UNKNOWN 0u

/* As in <sys/rseq.h>, which C libraries before 2.35 lack, and the two symbols with it. */
struct cpu_rseq {
	uint32_t cpu_id_start, cpu_id;
};
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

/*
 * The CPU of this thread, counted from 1; CPU_UNKNOWN: the C library has no restartable sequences
 * (rseq), whose word the kernel keeps up to date. Reads this thread's own memory, no more: to ask
 * by sched_getcpu() would cost a hundred times as much. On a job's path, so inline.
 */
static inline uint32_t cpu_now(void)
{
	const struct cpu_rseq *rseq;
	uint32_t id;

	if (!&__rseq_size || __rseq_size == 0)
		return CPU_UNKNOWN;
	rseq = (const void *)((const char *)__builtin_thread_pointer() + __rseq_offset);
	id = *(const volatile uint32_t *)&rseq->cpu_id;
	return id <= INT32_MAX ? id + 1 : CPU_UNKNOWN; /* negative: the kernel has not said */
}

/* True: cpu_ticks() counts at one rate, also while the CPU idles or saves power. */
bool cpu_ticks_steady(void);
/*
 * A counter that this CPU counts up about once a cycle; 0: there is none. To read it takes a third
 * of the time that the clock takes: the processor need not wait for what it does meanwhile. Other
 * CPUs may count differently.
 */
static inline uint64_t cpu_ticks(void)
{
#if defined(__x86_64__) || defined(__i386__)
	return __builtin_ia32_rdtsc();
#else
	return 0;
#endif
}

/* Tells the CPU that another process runs beside this thread, which spins. */
static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__asm__ volatile("pause" : : : "memory");
#elif defined(__aarch64__)
	__asm__ volatile("isb" : : : "memory");
#else
	__asm__ volatile("" : : : "memory");
#endif
}
/* How many CPUs the affinity of this process has; 1 if the kernel does not say. */
uint32_t cpu_allowed(void);
/*
 * How many whole CPUs this process may use at a time: those of its affinity, or fewer where
 * cpu.max of its cgroup, or of one above, says so. root: as for cgroup_limit().
 */
uint32_t cpu_usable(const char *root);
/*
 * Moves this thread from this CPU to another one of those that it may use, and leaves all of them
 * allowed. False: the thread may use one alone, or is under a seccomp filter, which may kill for
 * the calls that this takes; or the kernel refuses.
 */
bool cpu_step_aside(uint32_t cpu);

#endif
