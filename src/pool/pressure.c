/* SPDX-License-Identifier: MIT */
/* pressure.c - see pressure.h. */
#include "pressure.h"

bool pressure_word(struct pressure *p, uint64_t now)
{
	bool first = p->began_ns == 0;

	if (first)
		p->began_ns = MAX(now, (uint64_t)1);
	p->until_ns = time_after_ns(now, PRESSURE_CALM_NS);
	return first;
}

bool pressure_over(struct pressure *p, uint64_t now)
{
	if (p->began_ns == 0 || now < p->until_ns)
		return false;
	p->began_ns = 0;
	return true;
}
