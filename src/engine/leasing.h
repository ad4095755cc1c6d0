/* SPDX-License-Identifier: MIT */
/*
 * leasing.h - a lease: made, asked for, ended, freed; and what the engine tells the supervisor
 * about it. All under the queue's lock.
 */
#ifndef BROOD_ENGINE_LEASING_H
#define BROOD_ENGINE_LEASING_H

#include <stdint.h>

struct queue;
struct lease;

/* Frees the lease, with its memory, fds and lease page. */
void leasing_free(struct lease *lease);
/* Asks for one more lease for this queue. 0 or -errno; -ENOSPC: no lease page is free. */
int leasing_ask(struct queue *l, uint32_t limit_ms, uint32_t wait_ms);
/*
 * The queue wants one more lease, and as many are out as may be: the queue joins the pool's line,
 * and is told when it may ask. The queue leaves the line when it asks, or when it wants no lease
 * any more.
 */
void leasing_line_up(struct queue *l);
void leasing_leave_line(struct queue *l);
/* Asks the supervisor to take the lease back. */
void leasing_end(struct lease *lease);
/* Takes back the queue's requests for leases that are not granted yet. */
void leasing_unask(struct queue *l);
/* A job's deadline comes before the supervisor's next look: asks the supervisor to look earlier. */
void leasing_look(struct lease *lease);
/* Has the worker killed. cause: job `sequence` was cancelled, or the worker sent nonsense. */
void leasing_kill(struct lease *lease, uint64_t sequence, uint32_t cause);
/* Sends the messages that were not sent for lack of memory. */
void leasing_say_again(struct queue *l);
/* Frees a lease before its LEASE_OVER has come. That message is ignored when it comes. */
void leasing_drop(struct lease *lease);
/*
 * The queue ends before the lease: withdraws or kills the jobs, asks for the lease's end, frees the
 * lease.
 */
void leasing_abandon(struct lease *lease);
/* The lease gets no more jobs: it leaves the list of idle leases, and is not counted any more. */
void leasing_out_of_use(struct lease *lease);
/* The worker sent nonsense: has it killed. */
void leasing_distrust(struct lease *lease);
/* The supervisor is gone, and with it the lease. */
void leasing_lost(struct lease *lease);

#endif
