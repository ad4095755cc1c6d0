/* SPDX-License-Identifier: MIT */
/*
 * status.h - writes the status page, whose layout and rules stand in brood-status.h. Its records
 * are plain memory: one process writes each record, others read.
 */
#ifndef BROOD_WIRE_STATUS_H
#define BROOD_WIRE_STATUS_H

#include <brood-status.h>
#include <brood.h>
#include <stdbool.h>

/*
 * Records of SUMS that a pool has: the supervisor's; one that all queues of the engine share; and
 * those that one queue has for itself. Untouched ones cost nothing.
 */
enum { STATUS_SUMS_SUPERVISOR, STATUS_SUMS_SHARED, STATUS_SUMS_OWN, STATUS_SUMS = 18 };

/*
 * Called before and after the fields of a record are written: `sequence` is odd in between, and a
 * reader that finds it odd, or changed, reads again.
 */
static inline void status_begin(uint32_t *sequence)
{
	__atomic_exchange_n(sequence, *sequence | 1, __ATOMIC_ACQ_REL);
#ifndef __SANITIZE_THREAD__ /* gcc warns that it does not know fences there */
	/* On ARM a field could be seen before the odd number. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
#endif
}
static inline void status_end(uint32_t *sequence)
{
	__atomic_store_n(sequence, (*sequence | 1) + 1, __ATOMIC_RELEASE);
}

/*
 * A record of SUMS that a thread counts in. shared: other threads count there, too. number: which
 * one of its pool's records it is.
 */
struct status_place {
	struct brood_status_sums *record;
	uint32_t number;
	bool shared;
};
/* Adds to a counter. shared: other threads may do so at the same time. */
void status_add(uint64_t *counter, uint64_t by, bool shared);
/* The bucket of a histogram that counts this time. */
uint32_t status_bucket(uint64_t ns);
/* Counts a time in a histogram. shared: other threads may do so at the same time. */
void status_time(struct brood_status_histogram *h, uint64_t ns, bool shared);
/* Counts the times of one attempt. */
void status_times(const struct status_place *place, uint64_t queue_ns, uint64_t run_ns);
/* Counts a final verdict. */
void status_verdict(
	const struct status_place *place, enum brood_outcome outcome, enum brood_detail detail);

#endif
