/* SPDX-License-Identifier: MIT */
/* oom.c - see oom.h. */
#include "oom.h"

void oom_begin(struct oom *o, uint64_t counted) { *o = (struct oom){ .counted = counted }; }

bool oom_claim(struct oom *o, uint64_t counted, uint64_t now)
{
	if (now - o->at > OOM_FRESH_NS)
		o->open = 0;
	if (counted > o->counted) {
		o->open += counted - o->counted;
		o->at = now;
	}
	o->counted = counted;
	if (o->open == 0)
		return false;
	o->open--;
	return true;
}
