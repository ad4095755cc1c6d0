/* SPDX-License-Identifier: MIT */
/*
 * progress.c - what jobs say while they run, on its way to a callback. Kept with whoever will call
 * it: a handle (under brood.lock) or a lane's job. More than PROGRESS_MAX that nobody fetches are
 * dropped: it is only progress.
 */
#include "internal.h"

#include <stdlib.h>

bool progress_add(
	struct list *to, brood_progress_fn *on, void *context, const struct message_progress *m)
{
	struct progress *p = on ? malloc(sizeof *p) : NULL;

	if (!p)
		return false;
	p->on = on;
	p->context = context;
	p->id = m->id;
	p->size = MIN(m->size, (uint32_t)BROOD_PROGRESS_MAX);
	memcpy(p->data, m->data, p->size);
	list_append(&p->link, to);
	return true;
}

uint32_t progress_move(struct list *from, struct list *to)
{
	uint32_t count = 0;

	list_for_each_safe(link, tmp, from) {
		list_remove(link);
		list_append(link, to);
		count++;
	}
	return count;
}

void progress_tell(struct list *from)
{
	list_for_each_safe(link, tmp, from) {
		struct progress *p = container_of(link, struct progress, link);

		list_remove(link);
		p->on(p->context, p->id, p->data, p->size);
		free(p);
	}
}

void progress_free(struct list *from)
{
	list_for_each_safe(link, tmp, from) {
		list_remove(link);
		free(container_of(link, struct progress, link));
	}
}
