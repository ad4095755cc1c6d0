/* SPDX-License-Identifier: MIT */
/* mark.c - see mark.h. */
#include "mark.h"

#include <sys/resource.h>

/* The pool's number; 0: none was made. The top bit stays 0, because all ones are RLIM_INFINITY. */
static uint32_t pool;

static rlim_t mark_with(uint32_t worker) { return (rlim_t)((uint64_t)pool << 32 | worker); }

bool mark_make(void)
{
	uint64_t seed = (now_ns() ^ (uint64_t)getpid() << 40) * UINT64_C(0x9e3779b97f4a7c15);
	struct rlimit limit;

	if (sizeof(rlim_t) < 8 || getrlimit(RLIMIT_LOCKS, &limit) < 0 ||
		limit.rlim_max != RLIM_INFINITY)
		return false;
	pool = (uint32_t)(seed >> 33) | 1;
	return true;
}

bool mark_is_made(void) { return pool != 0; }

int mark_self(uint32_t worker)
{
	/* the hard limit as mark_make() found it */
	const struct rlimit limit = { mark_with(worker), RLIM_INFINITY };

	if (pool == 0)
		return -EPERM;
	return setrlimit(RLIMIT_LOCKS, &limit) < 0 ? -errno : 0;
}

int64_t mark_of(pid_t pid)
{
	struct rlimit limit;

	if (pool == 0)
		return 0;
	if (prlimit(pid, RLIMIT_LOCKS, NULL, &limit) < 0)
		return -errno;
	return (uint64_t)limit.rlim_cur >> 32 == pool ? (int64_t)(uint32_t)limit.rlim_cur : 0;
}
