/* SPDX-License-Identifier: MIT */
/*
 * progress.c - messages of running jobs on their way to a callback. The list of messages belongs to
 * whoever will call the callback: a handle (under brood.lock) or a queue's job. A list holds
 * PROGRESS_MAX messages; later ones are dropped, since they are only progress.
 */
#include "progress.h"

#include "../base/base.h"
#include "../wire/frame.h"
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
