/* SPDX-License-Identifier: MIT */
/* arrivals.c - see arrivals.h. */
#include "arrivals.h"

#include <math.h>
#include <stdlib.h>

#define OF_A_HUNDRED 100u

/* splitmix64 */
static uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* Above 0, at most 1. */
static double random_share(uint64_t *state)
{
	return (double)((random_next(state) >> 11) + 1) / (double)(1ull << 53);
}

void arrivals_make(
	struct arrival *arrivals, uint32_t count, uint32_t rate, bool heavy, uint64_t seed)
{
	uint64_t random = seed, at = 0;
	uint32_t long_one = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (i % OF_A_HUNDRED == 0)
			long_one = (uint32_t)(random_next(&random) % OF_A_HUNDRED);
		at += (uint64_t)(-log(random_share(&random)) * 1e9 / rate);
		arrivals[i] = (struct arrival){ .at_ns = at,
			.takes_ns = heavy && i % OF_A_HUNDRED == long_one ? ARRIVALS_LONG_NS
									  : ARRIVALS_SHORT_NS };
	}
}

void arrivals_ideal(
	const struct arrival *arrivals, uint32_t count, uint32_t servers, uint64_t *took_ns)
{
	uint64_t free_at[ARRIVALS_SERVERS_MAX] = { 0 };

	for (uint32_t i = 0; i < count; i++) {
		uint32_t first = 0;

		for (uint32_t s = 1; s < servers; s++)
			first = free_at[s] < free_at[first] ? s : first;
		if (free_at[first] < arrivals[i].at_ns)
			free_at[first] = arrivals[i].at_ns;
		free_at[first] += arrivals[i].takes_ns;
		took_ns[i] = free_at[first] - arrivals[i].at_ns;
	}
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The smallest value that `of` parts of `all` do not exceed. */
static uint64_t share(const uint64_t *sorted, uint64_t count, uint64_t of, uint64_t all)
{
	return sorted[(count * of + all - 1) / all - 1];
}

struct arrivals_tail arrivals_tail(
	const struct arrival *arrivals, uint32_t first, uint32_t count, uint64_t *took_ns)
{
	uint32_t n = 0;

	for (uint32_t i = first; i < count; i++) {
		if (arrivals[i].takes_ns == ARRIVALS_SHORT_NS)
			took_ns[n++] = took_ns[i];
	}
	if (!n)
		return (struct arrivals_tail){ 0 };
	qsort(took_ns, n, sizeof *took_ns, by_size);
	return (struct arrivals_tail){ .median_ns = share(took_ns, n, 1, 2),
		.p99_ns = share(took_ns, n, 99, 100),
		.p999_ns = share(took_ns, n, 999, 1000),
		.longest_ns = took_ns[n - 1] };
}
