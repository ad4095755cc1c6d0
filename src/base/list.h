/* SPDX-License-Identifier: MIT */
/*
 * list.h - a ring of intrusive links. A link that is in no list points to itself; list_remove() of
 * such a link is fine.
 */
#ifndef BROOD_LIST_H
#define BROOD_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_empty(const struct list *l) { return l->next == l; }

/* first, when `after` is the head */
static inline void list_insert(struct list *l, struct list *after)
{
	l->prev = after;
	l->next = after->next;
	after->next->prev = l;
	after->next = l;
}
static inline void list_append(struct list *l, struct list *head) { list_insert(l, head->prev); }
static inline void list_remove(struct list *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	list_init(l);
}
static inline struct list *list_first(struct list *head)
{
	return list_empty(head) ? NULL : head->next;
}

#define list_for_each_safe(pos, tmp, head)                                     \
	for (struct list *pos = (head)->next, *tmp = pos->next; pos != (head); \
		pos = tmp, tmp = pos->next)

#endif
