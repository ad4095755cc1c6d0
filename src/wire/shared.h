/* SPDX-License-Identifier: MIT */
/*
 * shared.h - the memory that all processes share, made before the first fork: roster.h,
 * slot_page.h, lease_page.h, stats_page.h. (A lease has memory of its own: ring.h.)
 */
#ifndef BROOD_WIRE_SHARED_H
#define BROOD_WIRE_SHARED_H

#include "lease_page.h"
#include "roster.h"
#include "slot_page.h"
#include "stats_page.h"

struct shared {
	struct roster *roster;
	size_t roster_size;
	char *slot_pages;
	size_t slot_pages_size, slot_page_size; /* slot_page_size: the size of one page */
	char *lease_pages;
	size_t lease_pages_size, lease_page_size;
	uint32_t lease_pages_count;
	struct stats_page *stats_page; /* the first pool's page; those of the other pools follow */
	size_t stats_page_size, stats_page_stride;
	struct tally *tally;
	size_t tally_size;
	uint32_t slots;
};
/* How many spare places there are, for workers whose process cannot die. */
#define SLOTS_SPARE(workers) ((workers) / 8 > 2 ? (workers) / 8 : 2)
/* The most that there can be, in all pools together. */
#define SLOTS_MAX (10000 + 10000 / 8 + 2 * BROOD_POOLS_MAX)
int shared_create(uint32_t slots, uint32_t pools, struct shared *ret);
void shared_free(struct shared *s);
static inline struct slot_page *shared_slot_page(const struct shared *s, uint32_t slot)
{
	return (struct slot_page *)(s->slot_pages + (size_t)slot * s->slot_page_size);
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
/* Each role keeps its part of the memory, and unmaps the rest. */
/* keeps slot pages, lease pages; stats pages read-only */
void shared_keep_engine(struct shared *s);
void shared_keep_guard(struct shared *s); /* keeps the roster */
/* Called in a worker after it has written its roster entry. */
void shared_keep_slot_page(struct shared *s, uint32_t slot);

#endif
