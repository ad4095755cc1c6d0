/* SPDX-License-Identifier: MIT */
/* packed.c - see packed.h. */
#include "packed.h"

bool packed_step_due(struct packed *packed, uint64_t now)
{
	if (packed->sleeps == 0 || now - packed->since_ns > PACKED_SLEEPS * PACKED_EACH_NS) {
		packed->since_ns = now;
		packed->sleeps = 1;
		return false;
	}
	if (++packed->sleeps < PACKED_SLEEPS)
		return false;
	packed->sleeps = 0;
	if (packed->last_ns && now - packed->last_ns < packed->pause_ns)
		return false;
	if (!packed->last_ns || now - packed->last_ns > PACKED_KEPT * packed->pause_ns)
		packed->pause_ns = PACKED_FIRST_NS;
	else
		packed->pause_ns = MIN(2 * packed->pause_ns, PACKED_LAST_NS);
	packed->last_ns = now;
	return true;
}
