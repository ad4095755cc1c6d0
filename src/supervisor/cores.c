/* SPDX-License-Identifier: MIT */
/*
 * cores.c - the limit on core files. A worker's own limit is set at its birth, and again when it
 * gets something to do.
 */
#include "cores.h"

/* Past the limit, workers may make no core files until the minute is over. */
bool cores_allowed(struct pool *pool, uint64_t now)
{
	if (pool->options->flags & BROOD_NO_CORE)
		return false;
	if (now - pool->cores.began >= 60 * NS_PER_S) {
		pool->cores.began = now;
		pool->cores.count = 0;
	}
	return pool->cores.count < pool->options->cores_per_minute;
}

/*
 * A limit of 1 byte allows no core file. Unlike 0, it also keeps the kernel from feeding a handler
 * behind a pipe.
 */
void cores_adjust(struct slot *slot, uint64_t now)
{
	struct supervisor *s = slot->pool->supervisor;
	bool allowed = cores_allowed(slot->pool, now);
	struct rlimit limit = { allowed ? s->core.rlim_cur : MIN(s->core.rlim_max, (rlim_t)1),
		s->core.rlim_max };

	if (allowed != slot->core_allowed && prlimit(slot->pid, RLIMIT_CORE, &limit, NULL) == 0)
		slot->core_allowed = allowed;
}

/*
 * Busy workers and those on a lease, which may last for hours. Idle workers are adjusted when they
 * get something to do. This happens at most twice a minute.
 */
static void adjust_all(struct pool *pool, uint64_t now)
{
	static const enum slot_state states[] = { SLOT_BUSY, SLOT_LEASED };

	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		list_for_each_safe(l, tmp, &pool->slots.lists[states[i]])
			cores_adjust(container_of(l, struct slot, link.link), now);
}

void cores_fired(struct loop *loop, struct timer *timer, uint64_t now)
{
	(void)loop;
	adjust_all(container_of(timer, struct pool, cores.timer), now);
}

void cores_count(struct pool *pool, uint64_t now)
{
	if (!cores_allowed(pool, now))
		return;
	pool->cores.count++;
	if (cores_allowed(pool, now))
		return;
	timer_set(&pool->supervisor->loop, &pool->cores.timer, pool->cores.began + 60 * NS_PER_S);
	adjust_all(pool, now);
}
