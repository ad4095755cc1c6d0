/* SPDX-License-Identifier: MIT */
/*
 * lease_loans.h - which loans (loan.h) the worker of a lease has mapped. The engine decides, and
 * the worker follows: wire/ring.h. All under the queue's lock.
 */
#ifndef BROOD_ENGINE_LEASE_LOANS_H
#define BROOD_ENGINE_LEASE_LOANS_H

#include <stdint.h>

struct lease;
struct queue_job;
struct ring_entry;

/*
 * Describes the job's loan in its entry, whose other flags are set. With RING_LOAN_FD the memory
 * file has to be sent beside it.
 */
void lease_loans_put(struct lease *lease, const struct queue_job *job, struct ring_entry *entry);
/* The memory file of an entry with RING_LOAN_FD was sent. */
void lease_loans_sent(struct lease *lease, const struct queue_job *job);
/* The lease is over, so its worker has no loan any more. */
void lease_loans_free(struct lease *lease);

#endif
