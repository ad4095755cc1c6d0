/* SPDX-License-Identifier: MIT */
/*
 * records.c - see records.h. A record is in `queue` when QUEUED, in `parked` when PARKED, in
 * `paused` when PAUSED, in `told` when TOLD, else in no list. The memory is zeroed and not touched
 * before a record is claimed (FREE is 0, a link is made at the claim): a pool with room for many
 * jobs costs only what it has used.
 *
 * The engine chooses the ids, and the engine may be broken: so a claim of a record that is taken is
 * refused, and the supervisor goes on. A move that makes no sense, above all a second verdict for
 * one job, is a bug of the library: so it aborts.
 */
#include "records.h"

#include <stdlib.h>

/* The place of the record with that id; NULL: the id is 0. */
static struct record_link *records_at(struct records *r, uint64_t id)
{
	return id == 0
		? NULL
		: (struct record_link *)(void *)(r->memory + (size_t)(id % r->count) * r->stride);
}

static void records_make(struct records *r, char *memory, uint32_t count, size_t stride)
{
	*r = (struct records){ .memory = memory, .stride = stride, .count = count };
	rank_init(&r->queue);
	list_init(&r->parked);
	list_init(&r->paused);
	list_init(&r->told);
}

int records_init(struct records *r, uint32_t count, size_t stride)
{
	char *memory;

	if (count == 0 || stride < sizeof(struct record_link) ||
		stride % _Alignof(struct record_link) != 0)
		return -EINVAL;
	memory = stride > SIZE_MAX / count ? NULL : calloc(count, stride);
	if (!memory)
		return -ENOMEM;
	records_make(r, memory, count, stride);
	return 0;
}

void records_share(struct records *r, const struct records *first)
{
	records_make(r, first->memory, first->count, first->stride);
}

void records_free(struct records *r)
{
	if (!r)
		return;
	free(r->memory);
	*r = (struct records){ 0 };
}

struct record_link *records_claim(struct records *r, uint64_t id)
{
	struct record_link *l = records_at(r, id);

	if (!l || l->state != RECORD_FREE)
		return NULL;
	list_init(&l->link);
	l->id = id;
	l->background = false;
	l->state = RECORD_CLAIMED;
	r->out++;
	return l;
}

struct record_link *records_find(struct records *r, uint64_t id)
{
	struct record_link *l = records_at(r, id);

	return l && l->state != RECORD_FREE && l->id == id ? l : NULL;
}

/* Takes the record out of its list, for a new state. */
static void records_leave(struct records *r, struct record_link *l)
{
	if (l->state == RECORD_FREE || records_at(r, l->id) != l)
		abort();
	if (l->state == RECORD_QUEUED || l->state == RECORD_PARKED)
		r->queued--;
	if (l->state == RECORD_PARKED)
		r->parked_count--;
	list_remove(&l->link);
}

void records_queue(struct records *r, struct record_link *l, bool front)
{
	if (l->state == RECORD_TOLD)
		abort();
	records_leave(r, l);
	rank_add(&r->queue, &l->link, l->background, front);
	l->state = RECORD_QUEUED;
	r->queued++;
	r->queued_peak = MAX(r->queued_peak, r->queued);
}

static struct record_link *records_first(struct list *list)
{
	struct list *first = list_first(list);

	return first ? container_of(first, struct record_link, link) : NULL;
}

struct record_link *records_next(struct records *r)
{
	struct list *first = rank_first(&r->queue);

	return first ? container_of(first, struct record_link, link) : NULL;
}

void records_park(struct records *r, struct record_link *l)
{
	if (l->state != RECORD_QUEUED)
		abort();
	list_remove(&l->link);
	list_append(&l->link, &r->parked);
	l->state = RECORD_PARKED;
	r->parked_count++;
}

struct record_link *records_parked(struct records *r) { return records_first(&r->parked); }

void records_pause(struct records *r, struct record_link *l)
{
	if (l->state == RECORD_TOLD)
		abort();
	records_leave(r, l);
	list_append(&l->link, &r->paused);
	l->state = RECORD_PAUSED;
}

struct record_link *records_paused(struct records *r) { return records_first(&r->paused); }

void records_run(struct records *r, struct record_link *l)
{
	if (l->state == RECORD_TOLD)
		abort();
	records_leave(r, l);
	rank_begun(&r->queue, l->background);
	l->state = RECORD_RUNNING;
}

void records_tell(struct records *r, struct record_link *l)
{
	if (l->state == RECORD_TOLD)
		abort();
	records_leave(r, l);
	list_append(&l->link, &r->told);
	l->state = RECORD_TOLD;
}

struct record_link *records_told(struct records *r) { return records_first(&r->told); }

void records_release(struct records *r, struct record_link *l)
{
	records_leave(r, l);
	l->id = 0;
	l->state = RECORD_FREE;
	r->out--;
}
