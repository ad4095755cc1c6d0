/* SPDX-License-Identifier: MIT */
#include "shared.h"
#include "../base/base.h"
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

static void drop_roster(struct shared *s)
{
	unmap(s->roster, s->roster_size);
	s->roster = NULL;
}

static void drop_desks(struct shared *s)
{
	unmap(s->desks, s->desks_size);
	s->desks = NULL;
}

static void drop_ledgers(struct shared *s)
{
	unmap(s->ledgers, s->ledgers_size);
	s->ledgers = NULL;
}

static void drop_board(struct shared *s)
{
	unmap(s->board, s->board_size);
	s->board = NULL;
}

static void drop_tally(struct shared *s)
{
	unmap(s->tally, s->tally_size);
	s->tally = NULL;
}

/*
 * How many lease pages: for leases that run, that are asked for, and that are over without their
 * queue knowing. A page that nobody touches costs nothing, so this is generous.
 */
#define LEDGERS(slots) (4 * (slots) + 64)

int shared_create(uint32_t slots, struct shared *ret)
{
	struct shared s = { .slots = slots, .desk_size = shm_page() };

	s.roster_size = pages(
		sizeof *s.roster + ROSTER_ENTRIES(slots) * sizeof s.roster->workers[0]);
	s.desks_size = s.desk_size * MAX(slots, 1u);
	s.ledger_size = pages(sizeof(struct ledger));
	s.ledgers_count = LEDGERS(slots);
	s.ledgers_size = s.ledger_size * s.ledgers_count;
	s.board_size = pages(sizeof *s.board);
	s.tally_size = pages(sizeof *s.tally);
	s.roster = shm_anonymous(s.roster_size);
	s.desks = shm_anonymous(s.desks_size);
	s.ledgers = shm_anonymous(s.ledgers_size);
	s.board = shm_anonymous(s.board_size);
	s.tally = shm_anonymous(s.tally_size);
	if (!s.roster || !s.desks || !s.ledgers || !s.board || !s.tally) {
		shared_free(&s);
		return -ENOMEM;
	}
	s.roster->slots = slots;
	*ret = s;
	return 0;
}

void shared_free(struct shared *s)
{
	drop_roster(s);
	drop_desks(s);
	drop_ledgers(s);
	drop_board(s);
	drop_tally(s);
}

void shared_keep_engine(struct shared *s)
{
	drop_roster(s);
	mprotect(s->board, s->board_size, PROT_READ);
}

void shared_keep_guard(struct shared *s)
{
	drop_desks(s);
	drop_ledgers(s);
	drop_board(s);
	drop_tally(s);
}

/* s->desks stays where it was, so that shared_desk() finds the one that is left. */
void shared_keep_desk(struct shared *s, uint32_t slot)
{
	size_t before = (size_t)slot * s->desk_size, after = before + s->desk_size;

	drop_roster(s);
	drop_ledgers(s);
	drop_board(s);
	drop_tally(s);
	unmap(s->desks, before);
	unmap(s->desks + after, s->desks_size - after);
}
