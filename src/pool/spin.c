/* SPDX-License-Identifier: MIT */
/* spin.c - see spin.h. */
#include "spin.h"

/* A clock that went back counts as a long time, too. */
static void fill(struct spin *spin, uint64_t now, uint64_t every)
{
	if (spin->filled_ns != 0 && now - spin->filled_ns < every)
		return;
	spin->purse_ns = SPIN_PURSE_NS;
	spin->filled_ns = now;
}

void spin_met(struct spin *spin, uint64_t now) { fill(spin, now, SPIN_MET_NS); }

uint32_t spin_budget(struct spin *spin, uint64_t now)
{
	fill(spin, now, SPIN_FILL_NS);
	return spin->purse_ns / 2 >= SPIN_LEAST_NS ? spin->purse_ns / 2 : 0;
}

void spin_ended(struct spin *spin, uint64_t took_ns, bool hit)
{
	uint64_t purse = (uint64_t)spin->purse_ns + (hit ? SPIN_GAIN_NS : 0);

	spin->purse_ns = (uint32_t)MIN(purse - MIN(took_ns, purse), (uint64_t)SPIN_PURSE_NS);
}
