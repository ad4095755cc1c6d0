/* SPDX-License-Identifier: MIT */
/*
 * retire.h - when a worker that is well is replaced, and how many at a time. A worker is due after
 * so many jobs, at an age, when its memory has grown, when a job wished it, or when the pool is
 * reloaded. It serves on until it may go:
 *
 *   replacement first   up to `surge` extra places are opened while workers are due. A due worker
 *                       goes when there are more ready workers than the pool is to have. So the
 *                       pool never has less than it is to have.
 *   old one first       a due worker goes when less than `surge` ready workers are missing. So the
 *                       pool never has more than it is to have. This is also the way where no extra
 *                       place is left, or no process more can be made.
 *
 * Nobody is paired: which due worker goes is a matter of which one is free first. So a worker with
 * a long job holds nobody up.
 */
#ifndef BROOD_POOL_RETIRE_H
#define BROOD_POOL_RETIRE_H

#include "../base/base.h"
#include <brood.h>

enum retire_cause {
	RETIRE_NONE,
	RETIRE_JOBS,
	RETIRE_AGE,
	RETIRE_MEMORY,
	RETIRE_WISH,
	RETIRE_SESSION, /* it was on a pinned lease */
	RETIRE_RELOAD,
	RETIRE_OPERATOR, /* brood-ctl retire */
	RETIRE_CAUSES
};

/* When the workers of a pool are due, as its options say. 0: never. */
struct retire_limits {
	uint32_t jobs, age_ms;
	uint32_t surge; /* 0: a twentieth of the workers, at least 1 */
	uint64_t memory_kb;
	bool old_first;
	bool reuse; /* after a pinned lease the worker goes on */
};
/* When one worker is due: the pool's limits, less some jitter. 0: never. */
struct retire_lot {
	uint64_t jobs, age_ns;
};
/*
 * Draws the limits of one worker: up to a tenth is taken off jobs and age, so that workers are not
 * all due at once. A limit of 1 job stays 1. random: any seed.
 */
struct retire_lot retire_draw(const struct retire_limits *limits, uint64_t *random);

/* What the pool has. workers: as many as it is to have, without those whose places are undead */
struct retire_view {
	uint32_t workers;
	uint32_t ready; /* idle, busy or on lease, due or not */
	uint32_t due;   /* how many of the ready ones are due, without those on pinned leases */
	uint32_t extra; /* places beyond `workers` that are open: empty, or with a process */
	uint32_t spare; /* slots in state SPARE: each can become an extra place */
	bool cramped;   /* there is no room for one more process */
};
uint32_t retire_surge(const struct retire_limits *limits, uint32_t workers);
/* how many places beyond `workers` shall be open */
uint32_t retire_extra(const struct retire_limits *limits, const struct retire_view *view);
/* how many due workers may go now */
uint32_t retire_may_go(const struct retire_limits *limits, const struct retire_view *view);

enum retire_look { RETIRE_FINE, RETIRE_LOOK_CLOSER, RETIRE_DUE };
/*
 * Is a worker that has grown by kb due? exact: false for the kernel's cheap figure, which may be
 * some hundred pages wrong: then the answer may be to look closer.
 */
enum retire_look retire_memory(uint64_t limit_kb, uint64_t kb, bool exact);

#endif
