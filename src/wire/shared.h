/* SPDX-License-Identifier: MIT */
/*
 * shared.h - the memory that all processes share, made before the first fork: the roster and the
 * tally, trace pages, and the status page, with slot pages, lease pages, stats pages and death
 * reports among its parts. (A lease has memory of its own: ring.h.)
 *
 * The status page is one memory file, which programs outside read (brood-status.h has its layout).
 * Where no such file can be had, it is memory without a name, and nobody outside sees it.
 */
#ifndef BROOD_WIRE_SHARED_H
#define BROOD_WIRE_SHARED_H

#include "lease_page.h"
#include "reports_page.h"
#include "roster.h"
#include "slot_page.h"
#include "stats_page.h"
#include "status.h"

struct shared {
	struct roster *roster;
	size_t roster_size;
	struct tally *tally;
	size_t tally_size;
	char *trace_pages; /* one for each slot */
	size_t trace_pages_size, trace_page_size;
	/* The status page, and its parts, each of whole pages. */
	struct brood_status_head *status;
	size_t status_size;
	int status_fd;           /* -1: none */
	size_t status_read_only; /* how many bytes of the status page the engine may only read */
	struct reports_page *reports_page;
	/*
	 * Each slot page has slot_page_size bytes: struct slot_page, and from the next memory page
	 * on the slot's struct trace_answer.
	 */
	char *slot_pages;
	size_t slot_pages_size, slot_page_size, answer_size;
	char *lease_pages;
	size_t lease_page_size;
	uint32_t lease_pages_count;
	struct stats_page *stats_page; /* the first pool's page; those of the other pools follow */
	size_t stats_page_stride;
	uint32_t slots, pools;
};
/* How many spare places there are, for workers whose process cannot die. */
#define SLOTS_SPARE(workers) ((workers) / 8 > 2 ? (workers) / 8 : 2)
/* The most slots that there can be, in all pools together. */
#define SLOTS_MAX (10000 + 10000 / 8 + 2 * BROOD_POOLS_MAX)
/* Makes the memory. The status page is no file, so no program outside can read it. */
int shared_create(uint32_t slots, uint32_t pools, struct shared *ret);
/* Makes the memory, with the status page as a file; status_fd -1: no memory file can be had. */
int shared_create_visible(uint32_t slots, uint32_t pools, struct shared *ret);
void shared_free(struct shared *s);
static inline struct slot_page *shared_slot_page(const struct shared *s, uint32_t slot)
{
	return (struct slot_page *)(s->slot_pages + (size_t)slot * s->slot_page_size);
}
static inline struct trace_answer *shared_answer(const struct shared *s, uint32_t slot)
{
	return (struct trace_answer *)(s->slot_pages + (size_t)(slot + 1) * s->slot_page_size -
		s->answer_size);
}
static inline struct trace_page *shared_trace_page(const struct shared *s, uint32_t slot)
{
	return (struct trace_page *)(s->trace_pages + (size_t)slot * s->trace_page_size);
}
static inline struct lease_page *shared_lease_page(const struct shared *s, uint32_t number)
{
	return (struct lease_page *)(s->lease_pages + (size_t)number * s->lease_page_size);
}
static inline struct stats_page *shared_stats_page(const struct shared *s, uint32_t pool)
{
	return (struct stats_page *)(void *)((char *)s->stats_page +
		(size_t)pool * s->stats_page_stride);
}
/* The record of that number in a part of the status page. */
static inline void *shared_record(
	const struct shared *s, enum brood_status_part_number part, uint32_t number)
{
	const struct brood_status_part *p = &s->status->part[part];

	return (char *)s->status + p->at + (size_t)number * p->stride;
}
/* Each role keeps its part of the memory, and unmaps the rest. */
/* Keeps status page and reports, read-only where the supervisor writes; closes status_fd. */
void shared_keep_engine(struct shared *s);
void shared_keep_guard(struct shared *s);   /* keeps the roster */
void shared_keep_spawner(struct shared *s); /* keeps the roster, slot pages and trace pages */
/* Called in a worker that has signed the roster. Keeps its slot page and trace page. */
void shared_keep_slot_page(struct shared *s, uint32_t slot);

#endif
