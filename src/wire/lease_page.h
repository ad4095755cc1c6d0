/* SPDX-License-Identifier: MIT */
/*
 * lease_page.h - a page a lease, in which the engine's library says which jobs are in the worker's
 * ring, without a message a job. The engine writes and the supervisor reads, but look_at and
 * leaving are the supervisor's. No worker has the page mapped.
 *
 * The engine picks a page when it asks for a lease. No other lease gets the page before the queue
 * that had it knows that its lease is over: so a queue that does not know yet may write there, and
 * harms nobody.
 *
 * At the time look_at, or sooner, the supervisor looks: which job runs, since when, what its limits
 * are. A thread that publishes a job whose run time ends before look_at sends LEASE_LOOK. One of
 * the two always sees the other: the engine stores `published`, then (seq_cst) loads look_at; the
 * supervisor stores look_at, then loads `published` again.
 */
#ifndef BROOD_WIRE_LEASE_PAGE_H
#define BROOD_WIRE_LEASE_PAGE_H

#include <stdatomic.h>
#include <stdint.h>

/* Jobs in a ring. Job `sequence` has entry sequence % RING_DEPTH in lease page and ring. */
#define RING_DEPTH 128
/*
 * One job's entry. flags: enum brood_job_flags. unread: 1 from when the job is published until the
 * engine has collected it, or taken it out of the ring; 0 also when its handle was released.
 */
struct lease_page_entry {
	uint64_t id;
	uint32_t run_ms, grace_ms, flags;
	_Atomic uint32_t unread;
};
struct lease_page {
	/* The sequence of the last job in the ring. Stored after the entries (release). */
	_Atomic uint64_t published;
	/* Written by the supervisor: its next look (CLOCK_MONOTONIC). TIME_NEVER: at LEASE_LOOK. */
	_Alignas(64) _Atomic uint64_t look_at;
	/* Written by the supervisor. 1: the worker was asked to leave, so publish nothing. */
	_Atomic uint32_t leaving;
	_Alignas(64) struct lease_page_entry entries[RING_DEPTH];
};

#endif
