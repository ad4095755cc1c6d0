/* SPDX-License-Identifier: MIT */
/* spin.c - see spin.h. */
#include "spin.h"

#include "../base/base.h"

uint32_t spin_budget(struct spin *spin, uint64_t now)
{
	uint64_t filled = spin->filled_ns ? (now - MIN(spin->filled_ns, now)) / SPIN_SHARE
					  : SPIN_PURSE_NS;
	uint64_t purse = MIN(spin->purse_ns + filled, (uint64_t)SPIN_PURSE_NS);

	/* a gap too short to fill anything is not lost: it counts with the next */
	if (filled > 0) {
		spin->purse_ns = (uint32_t)purse;
		spin->filled_ns = MAX(spin->filled_ns, now);
	}
	return spin->purse_ns / 2 >= SPIN_LEAST_NS ? spin->purse_ns / 2 : 0;
}

void spin_ended(struct spin *spin, uint64_t took_ns, bool hit)
{
	uint64_t purse = (uint64_t)spin->purse_ns + (hit ? SPIN_GAIN_NS : 0);

	spin->purse_ns = (uint32_t)MIN(purse - MIN(took_ns, purse), (uint64_t)SPIN_PURSE_NS);
}
