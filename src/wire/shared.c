/* SPDX-License-Identifier: MIT */
#include "shared.h"
#include "../os/fds.h"
#include "../os/shm.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

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
 * their queue knowing. There are many, for an untouched page costs nothing.
 */
#define LEASE_PAGES(slots) (4 * (slots) + 64)

/* ---- the status page ---- */

/*
 * Lays the parts out, one behind the other. First come those that the supervisor writes, up to and
 * with the first record of SUMS of each pool: the engine maps this much read-only.
 */
static void lay_out(struct shared *s, struct brood_status_head *head)
{
	const size_t page = shm_page(), answer = pages(sizeof(struct trace_answer));
	const struct {
		size_t count, stride, size;
	} wanted[] = {
		{ 1, pages(sizeof(struct brood_status_brood)), sizeof(struct brood_status_brood) },
		{ s->pools, sizeof(struct brood_status_pool), sizeof(struct brood_status_pool) },
		{ s->pools, pages(sizeof(struct stats_page)), sizeof(struct brood_status_counts) },
		{ (size_t)STATUS_SUMS * s->pools, pages(sizeof(struct brood_status_sums)),
			sizeof(struct brood_status_sums) },
		{ s->slots, sizeof(struct brood_status_slot), sizeof(struct brood_status_slot) },
		{ MAX(s->slots, 1u), page + answer, sizeof(struct brood_status_worker) },
		{ LEASE_PAGES(s->slots), pages(sizeof(struct lease_page)),
			sizeof(struct brood_status_lease) },
		/* they lie between the records of WORKERS: a worker keeps both in one piece */
		{ MAX(s->slots, 1u), page + answer, sizeof(struct brood_status_stack) },
		{ BROOD_REPORTS, sizeof(struct reports_entry), sizeof(struct brood_status_report) },
	};
	static const enum brood_status_part_number order[] = { BROOD_STATUS_BROOD,
		BROOD_STATUS_POOLS, BROOD_STATUS_COUNTS, BROOD_STATUS_SLOTS, BROOD_STATUS_REPORTS,
		BROOD_STATUS_SUMS, BROOD_STATUS_WORKERS, BROOD_STATUS_LEASES };
	size_t at = pages(sizeof *head), before;

	*head = (struct brood_status_head){ .magic = BROOD_STATUS_MAGIC,
		.version = BROOD_STATUS_VERSION,
		.size = sizeof *head,
		.pools = s->pools,
		.parts = BROOD_STATUS_PARTS };
	for (size_t i = 0; i < BROOD_STATUS_PARTS; i++)
		head->part[i] = (struct brood_status_part){ .count = (uint32_t)wanted[i].count,
			.stride = (uint32_t)wanted[i].stride,
			.size = (uint32_t)wanted[i].size };
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct brood_status_part *part = &head->part[order[i]];

		before = order[i] == BROOD_STATUS_REPORTS ? offsetof(struct reports_page, entries)
							  : 0;
		part->at = at + before;
		at += pages(before + (size_t)part->count * part->stride);
	}
	head->part[BROOD_STATUS_STACKS].at = head->part[BROOD_STATUS_WORKERS].at + page;
	head->file_size = at;
}

/*
 * Mode 0400: whoever may open the file, may only read it. The seals keep everybody from writing
 * there but by the mappings that are made here. Kernels before 5.1 lack the seal on later mappings
 * (F_SEAL_FUTURE_WRITE), and go without.
 */
static int make_file(size_t size, void **ret)
{
	const int shape = F_SEAL_SHRINK | F_SEAL_GROW;
	int fd = fds_above_standard(shm_memfd("brood-status", NULL, size, &shape));
	void *memory;

	if (fd < 0)
		return fd;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED || fchmod(fd, 0400) < 0 ||
		(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0 &&
			fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL) < 0)) {
		if (memory != MAP_FAILED)
			munmap(memory, size);
		return close_fd(fd);
	}
	*ret = memory;
	return fd;
}

static int make_status(struct shared *s, bool visible)
{
	struct brood_status_head head;
	void *memory = NULL;

	lay_out(s, &head);
	s->status_size = (size_t)head.file_size;
	s->status_fd = visible ? make_file(s->status_size, &memory) : -1;
	if (s->status_fd < 0)
		memory = shm_anonymous(s->status_size);
	s->status_fd = MAX(s->status_fd, -1);
	if (!memory)
		return -ENOMEM;
	s->status = memory;
	*s->status = head;
	s->slot_page_size = head.part[BROOD_STATUS_WORKERS].stride;
	s->answer_size = pages(sizeof(struct trace_answer));
	s->slot_pages = shared_record(s, BROOD_STATUS_WORKERS, 0);
	s->slot_pages_size = s->slot_page_size * head.part[BROOD_STATUS_WORKERS].count;
	s->reports_page = (void *)((char *)shared_record(s, BROOD_STATUS_REPORTS, 0) -
		offsetof(struct reports_page, entries));
	s->lease_page_size = head.part[BROOD_STATUS_LEASES].stride;
	s->lease_pages = shared_record(s, BROOD_STATUS_LEASES, 0);
	s->lease_pages_count = head.part[BROOD_STATUS_LEASES].count;
	s->stats_page_stride = head.part[BROOD_STATUS_COUNTS].stride;
	s->stats_page = shared_record(s, BROOD_STATUS_COUNTS, 0);
	s->status_read_only = head.part[BROOD_STATUS_SUMS].at +
		(size_t)s->pools * head.part[BROOD_STATUS_SUMS].stride;
	return 0;
}

/* ---- all of the memory ---- */

static int create(uint32_t slots, uint32_t pools, bool visible, struct shared *ret)
{
	struct shared s = { .slots = slots, .pools = pools, .status_fd = -1 };
	int r;

	s.roster_size = pages(
		sizeof *s.roster + ROSTER_ENTRIES(slots) * sizeof s.roster->workers[0]);
	s.tally_size = pages(sizeof *s.tally);
	s.roster = shm_anonymous(s.roster_size);
	s.tally = shm_anonymous(s.tally_size);
	s.trace_page_size = pages(sizeof(struct trace_page));
	s.trace_pages_size = s.trace_page_size * MAX(slots, 1u);
	s.trace_pages = shm_anonymous(s.trace_pages_size);
	r = s.roster && s.tally && s.trace_pages ? make_status(&s, visible) : -ENOMEM;
	if (r < 0) {
		shared_free(&s);
		return r;
	}
	s.roster->slots = slots;
	*ret = s;
	return 0;
}

int shared_create(uint32_t slots, uint32_t pools, struct shared *ret)
{
	return create(slots, pools, false, ret);
}

int shared_create_visible(uint32_t slots, uint32_t pools, struct shared *ret)
{
	return create(slots, pools, true, ret);
}

static void drop_status(struct shared *s)
{
	DROP(s, status);
	s->slot_pages = s->lease_pages = NULL;
	s->stats_page = NULL;
	s->reports_page = NULL;
}

void shared_free(struct shared *s)
{
	/* if the memory was never made, status_fd may be 0, which is no fd of ours */
	if (s->status_size > 0)
		s->status_fd = close_fd(s->status_fd);
	shared_keep_guard(s);
	DROP(s, roster);
}

void shared_keep_engine(struct shared *s)
{
	DROP(s, roster);
	DROP(s, trace_pages);
	s->status_fd = close_fd(s->status_fd);
	mprotect(s->status, s->status_read_only, PROT_READ);
}

void shared_keep_guard(struct shared *s)
{
	drop_status(s);
	DROP(s, tally);
	DROP(s, trace_pages);
}

/*
 * Unmaps the trace pages of all other slots. s->trace_pages keeps its address, so that
 * shared_trace_page() finds the page that is left.
 */
static void keep_trace_page(struct shared *s, uint32_t slot)
{
	char *mine = (char *)shared_trace_page(s, slot), *after = mine + s->trace_page_size;

	unmap(s->trace_pages, (size_t)(mine - s->trace_pages));
	unmap(after, s->trace_pages_size - (size_t)(after - s->trace_pages));
}

/* Unmaps all parts of the status page but the slot pages. */
void shared_keep_spawner(struct shared *s)
{
	char *begin = (char *)s->status, *after = s->slot_pages + s->slot_pages_size;

	unmap(begin, (size_t)(s->slot_pages - begin));
	unmap(after, s->status_size - (size_t)(after - begin));
	s->status = NULL;
	s->lease_pages = NULL;
	s->stats_page = NULL;
	s->reports_page = NULL;
	DROP(s, tally);
}

/*
 * Unmaps the slot pages of all other slots. s->slot_pages keeps its address, so that
 * shared_slot_page() finds the page that is left.
 */
void shared_keep_slot_page(struct shared *s, uint32_t slot)
{
	char *mine = (char *)shared_slot_page(s, slot), *after = mine + s->slot_page_size;

	if (s->status) /* NULL: the spawner has done that */
		shared_keep_spawner(s);
	unmap(s->slot_pages, (size_t)(mine - s->slot_pages));
	unmap(after, s->slot_pages_size - (size_t)(after - s->slot_pages));
	DROP(s, roster);
	keep_trace_page(s, slot);
}
