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
	char *desks;
	size_t desks_size, desk_size; /* desk_size: the page */
	char *ledgers;
	size_t ledgers_size, ledger_size;
	uint32_t ledgers_count;
	struct board *board;
	size_t board_size;
	struct tally *tally;
	size_t tally_size;
	uint32_t slots;
};
/* Places beside those of the workers, for those whose process cannot die. */
#define SLOTS_SPARE(workers) ((workers) / 8 > 2 ? (workers) / 8 : 2)
int shared_create(uint32_t slots, struct shared *ret);
void shared_free(struct shared *s);
static inline struct desk *shared_desk(const struct shared *s, uint32_t slot)
{
	return (struct desk *)(s->desks + (size_t)slot * s->desk_size);
}
static inline struct ledger *shared_ledger(const struct shared *s, uint32_t number)
{
	return (struct ledger *)(s->ledgers + (size_t)number * s->ledger_size);
}
/* What each role keeps. */
void shared_keep_engine(struct shared *s); /* desks, ledgers; the board, read-only */
void shared_keep_guard(struct shared *s);  /* roster */
/* worker, after it wrote its roster entry */
void shared_keep_desk(struct shared *s, uint32_t slot);

#endif
