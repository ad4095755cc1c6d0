/* SPDX-License-Identifier: MIT */
/*
 * arrivals.h - an open load: when each job is given, how long it takes, and what an ideal queue
 * would make of it. Pure: a seed decides everything, and no clock is read.
 *
 * Arrivals are a Poisson process. Of a constant load each job takes ARRIVALS_SHORT_NS. Of a heavy
 * load one job of each hundred, at a random place among them, takes ARRIVALS_LONG_NS. Such long
 * jobs come about as evenly as they can: some workers are always free, so no job needs to wait, and
 * each wait that is measured is the price of the way.
 */
#ifndef BENCH_ARRIVALS_H
#define BENCH_ARRIVALS_H

#include <stdbool.h>
#include <stdint.h>

#define ARRIVALS_SHORT_NS 50000u
#define ARRIVALS_LONG_NS  50000000u

#define ARRIVALS_SERVERS_MAX 64u

struct arrival {
	uint64_t at_ns; /* after the begin */
	uint64_t takes_ns;
};

/* Fills `count` arrivals, in order. rate: jobs a second. */
void arrivals_make(
	struct arrival *arrivals, uint32_t count, uint32_t rate, bool heavy, uint64_t seed);
/*
 * The ideal queue: `servers` servers (1 to ARRIVALS_SERVERS_MAX), first come, first served, and no
 * job costs more than it takes. took_ns: for each arrival the time from its at_ns to its end.
 */
void arrivals_ideal(
	const struct arrival *arrivals, uint32_t count, uint32_t servers, uint64_t *took_ns);
/*
 * Times that a share of the short jobs from `first` on did not exceed: one of 2, 99 of 100, 999 of
 * 1,000, all. Sorts took_ns: do not use it after that. All 0: there is no short job.
 */
struct arrivals_tail {
	uint64_t median_ns, p99_ns, p999_ns, longest_ns;
};
struct arrivals_tail arrivals_tail(
	const struct arrival *arrivals, uint32_t first, uint32_t count, uint64_t *took_ns);

#endif
