/* SPDX-License-Identifier: MIT */
#include "shared.h"
#include "../os/shm.h"

#include <sys/mman.h>

static size_t pages(size_t size)
{
	size_t page = shm_page();

	return (size + page - 1) / page * page;
}

static void unmap(void *memory, size_t size)
{
	if (memory && size > 0)
		munmap(memory, size);
}

#define DROP(s, part) (unmap((s)->part, (s)->part##_size), (s)->part = NULL)

/*
 * How many lease pages there are: for leases that run, that are asked for, or that are over without
 * their queue knowing. An untouched page costs nothing, so this is generous.
 */
#define LEASE_PAGES(slots) (4 * (slots) + 64)

int shared_create(uint32_t slots, uint32_t pools, struct shared *ret)
{
	struct shared s = { .slots = slots, .slot_page_size = shm_page() };

	s.roster_size = pages(
		sizeof *s.roster + ROSTER_ENTRIES(slots) * sizeof s.roster->workers[0]);
	s.slot_pages_size = s.slot_page_size * MAX(slots, 1u);
	s.lease_page_size = pages(sizeof(struct lease_page));
	s.lease_pages_count = LEASE_PAGES(slots);
	s.lease_pages_size = s.lease_page_size * s.lease_pages_count;
	s.stats_page_stride = pages(sizeof *s.stats_page);
	s.stats_page_size = s.stats_page_stride * pools;
	s.tally_size = pages(sizeof *s.tally);
	s.roster = shm_anonymous(s.roster_size);
	s.slot_pages = shm_anonymous(s.slot_pages_size);
	s.lease_pages = shm_anonymous(s.lease_pages_size);
	s.stats_page = shm_anonymous(s.stats_page_size);
	s.tally = shm_anonymous(s.tally_size);
	if (!s.roster || !s.slot_pages || !s.lease_pages || !s.stats_page || !s.tally) {
		shared_free(&s);
		return -ENOMEM;
	}
	s.roster->slots = slots;
	*ret = s;
	return 0;
}

void shared_free(struct shared *s)
{
	shared_keep_guard(s);
	DROP(s, roster);
}

void shared_keep_engine(struct shared *s)
{
	DROP(s, roster);
	mprotect(s->stats_page, s->stats_page_size, PROT_READ);
}

void shared_keep_guard(struct shared *s)
{
	DROP(s, slot_pages);
	DROP(s, lease_pages);
	DROP(s, stats_page);
	DROP(s, tally);
}

/* s->slot_pages keeps its address, so that shared_slot_page() finds the page that is left. */
void shared_keep_slot_page(struct shared *s, uint32_t slot)
{
	size_t before = (size_t)slot * s->slot_page_size, after = before + s->slot_page_size;

	DROP(s, roster);
	DROP(s, lease_pages);
	DROP(s, stats_page);
	DROP(s, tally);
	unmap(s->slot_pages, before);
	unmap(s->slot_pages + after, s->slot_pages_size - after);
}
