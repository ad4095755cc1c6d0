/* SPDX-License-Identifier: MIT */
/*
 * progress.c - messages of running jobs on their way to a callback. At most MESSAGES_MAX messages
 * of one job are kept; later ones are dropped, since they are only progress.
 */
#include "progress.h"

#include <stdlib.h>

#define MESSAGES_MAX 256

struct message {
	struct list link;
	brood_progress_fn *on;
	void *context;
	uint64_t id;
	uint32_t size;
	unsigned char data[BROOD_PROGRESS_MAX];
};

void progress_init(struct progress *p)
{
	list_init(&p->list);
	p->count = 0;
}

bool progress_add(struct progress *p, brood_progress_fn *on, void *context, uint64_t id,
	const struct message_progress *from)
{
	struct message *m = on && p->count < MESSAGES_MAX ? malloc(sizeof *m) : NULL;

	if (!m)
		return false;
	m->on = on;
	m->context = context;
	m->id = id;
	m->size = MIN(from->size, (uint32_t)BROOD_PROGRESS_MAX);
	memcpy(m->data, from->data, m->size);
	list_append(&m->link, &p->list);
	p->count++;
	return true;
}

void progress_move(struct progress *from, struct progress *to)
{
	list_for_each_safe(link, tmp, &from->list) {
		list_remove(link);
		list_append(link, &to->list);
	}
	to->count += from->count;
	from->count = 0;
}

static void empty(struct progress *p, bool tell)
{
	list_for_each_safe(link, tmp, &p->list) {
		struct message *m = container_of(link, struct message, link);

		list_remove(link);
		if (tell)
			m->on(m->context, m->id, m->data, m->size);
		free(m);
	}
	p->count = 0;
}

void progress_tell(struct progress *p) { empty(p, true); }

void progress_free(struct progress *p) { empty(p, false); }
