/* SPDX-License-Identifier: MIT */
/* lease_end.c - see lease_end.h. */
#include "lease_end.h"

#include "../base/base.h"
#include "hooks.h"
#include "report.h"
#include "residue.h"

void lease_end_say(const struct worker_lease *l, uint32_t flags, uint32_t left)
{
	struct frame f;

	frame_begin(&f, MESSAGE_LEFT);
	f.left = (struct message_left){ .id = l->id,
		.sequence = l->last,
		.flags = flags | (flags & FINISHED_RETIRING && left == 0 ? FINISHED_NO_FD : 0),
		.left = left };
	report_send(&f);
}

void lease_end_retire(struct worker_lease *l, uint32_t left)
{
	if (l->last != l->told)
		worker_lease_tell(l);
	lease_end_say(l, FINISHED_RETIRING, left);
	/* the program's hook does not expect to run beside a job's threads */
	hooks_end(!(left & BROOD_LEFT_THREADS));
}

void lease_end_look(struct worker_lease *l)
{
	struct ending e = { 0 };

	if (l->owed)
		e = residue_look(TIME_NEVER);
	l->owed = false;
	l->left = e.left;
	if (e.retiring)
		lease_end_retire(l, e.left);
}
