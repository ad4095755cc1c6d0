/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "pool_values.h"

#include "../base/base.h"
#include "../engine/engine.h"
#include "../os/cpu.h"

#define BACKLOG_MAX    65536u
#define MEMORY_LEAST   4096
#define TASKS_MOST     (4u << 20) /* PID_MAX_LIMIT of the kernel */
#define STACK_MIN      (64u << 10)
#define STACK_MAX      (SIZE_MAX > UINT32_MAX ? (size_t)(UINT64_C(1) << 40) : SIZE_MAX / 4)
#define STOP_DELAY_MAX 3600000u
#define FLAGS_KNOWN                                                           \
	(BROOD_INLINE | BROOD_DEBUGGING | BROOD_NO_CORE | BROOD_ACCOUNT_CPU | \
		BROOD_ACCOUNT_MEMORY | BROOD_LEASE_REUSE | BROOD_OLD_FIRST |  \
		BROOD_WORKER_CGROUPS | BROOD_NO_CGROUPS | BROOD_START_OR_FAIL | BROOD_NO_SPIN)
#define LEFT_KNOWN ((BROOD_LEFT_GROUP << 1) - 1)

#define INVALID(...) (engine_error("brood_start: " __VA_ARGS__), -EINVAL)

static void default_to(uint32_t *field, uint32_t value)
{
	if (*field == 0)
		*field = value;
}

void pool_values_default(struct brood_options *o)
{
	if (o->workers == 0)
		o->workers = MIN(cpu_allowed(), POOL_WORKERS_MAX);
	default_to(&o->backlog, 1024);
	default_to(&o->queue_ms, 10000);
	default_to(&o->run_ms, 60000);
	default_to(&o->grace_ms, 50);
	default_to(&o->init_ms, 10000);
	default_to(&o->drain_ms, 5000);
	default_to(&o->stop_ms, 1000);
	default_to(&o->engine_stop_ms, 60000);
	default_to(&o->core_ms, 5000);
	default_to(&o->cores_per_minute, 6);
	/* If the program gives only one of the bounds, the default of the other yields to it. */
	if (o->backoff_min_ms == 0)
		o->backoff_min_ms = o->backoff_max_ms ? MIN(100, o->backoff_max_ms) : 100;
	default_to(&o->backoff_max_ms, MAX(30000, o->backoff_min_ms));
	default_to(&o->start_limit, 10);
	default_to(&o->healthy_ms, 1000);
	default_to(&o->leases, o->workers);
	default_to(&o->lease_idle_ms, 1000);
	if (o->stack_size == 0)
		o->stack_size = 8u << 20;
}

int pool_values_check(const struct brood_options *o, const char *where)
{
	if (o->flags & ~(uint32_t)FLAGS_KNOWN)
		return INVALID(
			"%sflags has unknown bits: 0x%x", where, o->flags & ~(uint32_t)FLAGS_KNOWN);
	if (o->tolerate & ~(uint32_t)LEFT_KNOWN)
		return INVALID("%stolerate has unknown bits: 0x%x", where,
			o->tolerate & ~(uint32_t)LEFT_KNOWN);
	if (o->workers > POOL_WORKERS_MAX)
		return INVALID("%sworkers is %u: 1 to %u, or 0 for one a CPU", where, o->workers,
			POOL_WORKERS_MAX);
	if (o->backlog > BACKLOG_MAX)
		return INVALID(
			"%sbacklog is %u: 1 to %u, or 0 for 1024", where, o->backlog, BACKLOG_MAX);
	if (o->memory_max > 0 && o->memory_max < MEMORY_LEAST)
		return INVALID("%smemory_max is %llu: bytes, at least %d, or 0 for no limit", where,
			(unsigned long long)o->memory_max, MEMORY_LEAST);
	if (o->tasks_max > TASKS_MOST)
		return INVALID("%stasks_max is %u: at most %u, or 0 for no limit", where,
			o->tasks_max, TASKS_MOST);
	if ((o->flags & BROOD_NO_CGROUPS) &&
		(o->memory_max || o->tasks_max || (o->flags & BROOD_WORKER_CGROUPS)))
		return INVALID("%s%s needs a cgroup, but options.flags has BROOD_NO_CGROUPS", where,
			o->memory_max          ? "memory_max"
				: o->tasks_max ? "tasks_max"
					       : "BROOD_WORKER_CGROUPS");
	if (o->stderr_lines > BROOD_REPORT_LINES)
		return INVALID("%sstderr_lines is %u: at most %d, or 0 for none", where,
			o->stderr_lines, BROOD_REPORT_LINES);
	if (o->stop_delay_ms > STOP_DELAY_MAX)
		return INVALID("%sstop_delay_ms is %u: at most %u, which is an hour", where,
			o->stop_delay_ms, STOP_DELAY_MAX);
	if (o->spawn > BROOD_SPAWN_FORK)
		return INVALID("%sspawn is %u: one of enum brood_spawn", where, o->spawn);
	if (o->dispatch > BROOD_PATH_LEASE)
		return INVALID("%sdispatch is %u: one of enum brood_path", where, o->dispatch);
	if (o->backoff_max_ms == BROOD_FOREVER || o->backoff_min_ms > o->backoff_max_ms)
		return INVALID("%sbackoff_min_ms is %u and backoff_max_ms %u: the first must "
			       "not be larger, and neither for ever",
			where, o->backoff_min_ms, o->backoff_max_ms);
	if (o->stack_size < STACK_MIN || o->stack_size > STACK_MAX)
		return INVALID("%sstack_size is %zu: 64 KiB to 1 TiB, or 0 for 8 MiB", where,
			o->stack_size);
	return 0;
}
