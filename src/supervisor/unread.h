/* SPDX-License-Identifier: MIT */
/*
 * unread.h - which work waits for the engine to read it: verdicts and grants on the channel, and
 * jobs of leases that are over. Nothing is kept for each job: the watchdog needs to know of one
 * that waits, not of all. Only used where the engine is asked (options.engine_answer_ms).
 *
 * While a lease goes on, only its worker says which jobs are done, and a worker may lie. So the
 * supervisor waits until the lease is over: a lease that rests for lease_idle_ms is taken back.
 */
#ifndef BROOD_SUPERVISOR_UNREAD_H
#define BROOD_SUPERVISOR_UNREAD_H

#include "../wire/shared.h"

#define UNREAD_MAX 16

/* A job of a lease that is over, by the lease page's entry. The engine sets `unread` to 0. */
struct unread_entry {
	const struct lease_page_entry *entry;
	uint64_t id; /* of the job: another job may have the entry later */
};
struct unread {
	bool wanted;               /* the engine is asked */
	uint64_t verdicts, grants; /* how many of these messages were sent */
	/* What was unread when the engine was asked. */
	uint64_t asked_verdicts, asked_grants;
	uint32_t count;
	struct unread_entry list[UNREAD_MAX];
};

/* A lease ends: notes jobs that the engine has not collected. */
void unread_lease_over(struct unread *u, const struct lease_page *page);
/* The engine is asked now: forgets what it has read since the last time. */
void unread_ask(struct unread *u);
/* True: something that was there when the engine was asked is unread still. */
bool unread_waits(const struct unread *u, const struct tally *tally);

#endif
