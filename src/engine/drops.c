/* SPDX-License-Identifier: MIT */
/*
 * drops.c - counts the jobs that a stop refused or lost, and keeps the first of them for the one
 * line that says so.
 */
#include "drops.h"

#include "given.h"
#include "engine_root.h"

void drops_count(struct brood *b, const struct brood_verdict *v, const char *name)
{
	struct drops *d = &b->drops;

	if (v->outcome != BROOD_REFUSED && v->outcome != BROOD_LOST)
		return;
	if (!atomic_load_explicit(&b->refusing, memory_order_relaxed))
		return;
	if (atomic_fetch_add(&d->count, 1) > 0)
		return;
	d->first = v->id;
	given_name(d->name, name);
}
