/* SPDX-License-Identifier: MIT */
/*
 * runners.h - which threads of another process run without ever sleeping. A thread that waits for
 * anything, however short, has a voluntary context switch; one that spins has none.
 */
#ifndef BROOD_OS_RUNNERS_H
#define BROOD_OS_RUNNERS_H

#include "../base/base.h"

#define RUNNERS_MAX 8
struct runners {
	uint64_t at_ns, cpu_ns; /* when they were noted; the CPU time of the process until then */
	uint32_t count;
	struct runner {
		pid_t tid;
		uint64_t sleeps; /* voluntary context switches */
	} list[RUNNERS_MAX];
};

/*
 * Notes the threads that run now. If the process has used next to no CPU time since the last call
 * with the same `r`, none is noted, and no thread is looked at. r: all zero before the first call,
 * which only begins to count the CPU time.
 */
void runners_note(pid_t pid, struct runners *r);
/* True: the process has used CPU time since, and one of these threads has not slept once. */
bool runners_never_slept(pid_t pid, const struct runners *r);

#endif
