/* SPDX-License-Identifier: MIT */
/* retire.c - see retire.h. */
#include "retire.h"

/* splitmix64: any seed will do, 0 included. */
static uint64_t retire_random(uint64_t *random)
{
	uint64_t z = *random += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* The jitter only takes off, so that the limit in the options is the most there can be. */
static uint64_t retire_jitter(uint64_t limit, uint64_t *random)
{
	return limit - retire_random(random) % (limit / 10 + 1);
}

struct retire_lot retire_draw(const struct retire_limits *limits, uint64_t *random)
{
	bool ageless = limits->age_ms == BROOD_FOREVER;

	return (struct retire_lot){ .jobs = retire_jitter(limits->jobs, random),
		.age_ns = ageless ? 0 : retire_jitter(limits->age_ms * NS_PER_MS, random) };
}

uint32_t retire_surge(const struct retire_limits *limits, uint32_t workers)
{
	return limits->surge ? MIN(limits->surge, MAX(workers, 1)) : MAX(workers / 20, 1);
}

uint32_t retire_extra(const struct retire_limits *limits, const struct retire_view *view)
{
	if (limits->old_first || view->cramped)
		return 0;
	return MIN(MIN(view->due, retire_surge(limits, view->workers)), view->extra + view->spare);
}

uint32_t retire_may_go(const struct retire_limits *limits, const struct retire_view *view)
{
	uint32_t surge = retire_surge(limits, view->workers);
	uint32_t missing = view->workers - MIN(view->ready, view->workers);

	if (view->ready > view->workers)
		return MIN(view->ready - view->workers, view->due);
	/* no due worker goes while an extra place is open: its replacement comes first */
	if (!limits->old_first && !view->cramped && view->extra + view->spare > 0)
		return 0;
	return MIN(surge - MIN(missing, surge), view->due);
}

/*
 * The kernel's cheap figure may be too low on machines with many CPUs. So a closer look begins an
 * eighth below the limit.
 */
enum retire_look retire_memory(uint64_t limit_kb, uint64_t kb, bool exact)
{
	if (limit_kb == 0)
		return RETIRE_FINE;
	if (exact)
		return kb >= limit_kb ? RETIRE_DUE : RETIRE_FINE;
	return kb >= limit_kb - limit_kb / 8 ? RETIRE_LOOK_CLOSER : RETIRE_FINE;
}
