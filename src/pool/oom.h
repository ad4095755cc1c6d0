/* SPDX-License-Identifier: MIT */
/*
 * oom.h - which deaths are for want of memory. The kernel counts the processes of a cgroup that it
 * has killed, but does not say which: so each worker that died by a SIGKILL from outside is laid to
 * one of these kills, as long as there are some that are new. A kill may also have hit a process
 * that a job had started: one that no worker claims for OOM_FRESH_NS is over.
 */
#ifndef BROOD_POOL_OOM_H
#define BROOD_POOL_OOM_H

#include "../base/base.h"

#define OOM_FRESH_NS (2 * NS_PER_S)

struct oom {
	uint64_t counted; /* by the kernel, as it said last */
	uint64_t open;    /* kills that no worker has claimed */
	uint64_t at;      /* when `counted` last grew */
};
/* Kills that were counted before do not count. */
void oom_begin(struct oom *o, uint64_t counted);
/* A worker has died by a SIGKILL from outside. True: the kernel killed it for want of memory. */
bool oom_claim(struct oom *o, uint64_t counted, uint64_t now);

#endif
