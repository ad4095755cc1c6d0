/* SPDX-License-Identifier: MIT */
/*
 * lease_loans.c - see lease_loans.h.
 *
 * A place is used again while entries that refer to it stand in the ring: the worker takes entries
 * in order, so it has done with them when it reads the memory file that takes the place.
 *
 * A job with descriptors of its own may be withdrawn, and the engine then takes its message back,
 * with the memory file in it. So the file that comes with such a job takes no place, and the worker
 * maps it for this job alone.
 */
#include "lease_loans.h"

#include "lease_state.h"
#include "loan.h"
#include "queue_job.h"

#include "../wire/ring.h"
#include <stdlib.h>

struct lease_loans {
	uint32_t next; /* modulo RING_LOANS: the place that is used next if none is free */
	struct loan_place places[RING_LOANS];
};

static struct lease_loans *loans_new(struct lease *lease)
{
	struct lease_loans *loans = calloc(1, sizeof *loans);

	for (uint32_t i = 0; loans && i < RING_LOANS; i++) {
		loans->places[i] = (struct loan_place){
			.down = lease->down, .page = lease->page, .number = i
		};
		list_init(&loans->places[i].link);
	}
	return lease->loans = loans;
}

/* NULL: the worker does not have this memory file. */
static struct loan_place *find(const struct lease *lease, const struct brood_request *loan)
{
	uint64_t id = atomic_load_explicit(&loan->id, memory_order_relaxed);

	for (uint32_t i = 0; lease->loans && i < RING_LOANS; i++)
		if (lease->loans->places[i].loan == loan && lease->loans->places[i].id == id)
			return &lease->loans->places[i];
	return NULL;
}

/* A place that is free, or whose memory file is gone; else each place in its turn. */
static uint32_t choose(struct lease_loans *loans)
{
	for (uint32_t i = 0; i < RING_LOANS; i++) {
		const struct loan_place *place = &loans->places[i];

		if (!place->loan || place->loan->id != place->id)
			return i;
	}
	return loans->next++ % RING_LOANS;
}

void lease_loans_put(struct lease *lease, const struct queue_job *job, struct ring_entry *entry)
{
	struct ring_loan *to = &lease->down->loans[entry->sequence % RING_DEPTH];
	const struct loan_place *place = find(lease, job->fds.loan);

	*to = (struct ring_loan){ .id = job->fds.loan->id,
		.at = job->fds.loan_at,
		.mapped = job->fds.loan->mapped,
		.place = RING_LOANS };
	entry->flags |= RING_LOAN;
	if (place) {
		to->place = place->number;
		return;
	}
	entry->flags |= RING_WITH | RING_LOAN_FD;
	if (!(entry->flags & RING_FDS) && (lease->loans || loans_new(lease)))
		to->place = choose(lease->loans);
}

void lease_loans_sent(struct lease *lease, const struct queue_job *job)
{
	const struct ring_loan *sent = &lease->down->loans[job->sequence % RING_DEPTH];

	if (sent->place == RING_LOANS)
		return;
	loan_leave(&lease->loans->places[sent->place]);
	loan_enter(job->fds.loan, &lease->loans->places[sent->place], sent->id);
}

void lease_loans_free(struct lease *lease)
{
	for (uint32_t i = 0; lease->loans && i < RING_LOANS; i++)
		loan_leave(&lease->loans->places[i]);
	free(lease->loans);
	lease->loans = NULL;
}
