/* SPDX-License-Identifier: MIT */
/*
 * rank.c - see rank.h. A normal job's start counts only while a background job waits. So a
 * background job that comes after a long time without any still waits for its full round.
 */
#include "rank.h"

void rank_init(struct rank_queue *t)
{
	list_init(&t->normal);
	list_init(&t->background);
	t->in_a_row = 0;
}

void rank_add(struct rank_queue *t, struct list *link, bool background, bool front)
{
	struct list *list = background ? &t->background : &t->normal;

	if (front)
		list_insert(link, list);
	else
		list_append(link, list);
}

struct list *rank_first(struct rank_queue *t)
{
	struct list *normal = list_first(&t->normal), *background = list_first(&t->background);

	if (!normal || !background)
		return normal ? normal : background;
	return t->in_a_row + 1 >= RANK_ROUND ? background : normal;
}

void rank_begun(struct rank_queue *t, bool background)
{
	if (background || list_empty(&t->background))
		t->in_a_row = 0;
	else
		t->in_a_row++;
}
