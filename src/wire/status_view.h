/* SPDX-License-Identifier: MIT */
/*
 * status_view.h - reads a status page (brood-status.h), in the engine and in the tools. Anybody may
 * have made the page: whatever stands there, a reader never reads beyond the page, and never waits.
 * It makes no system calls. What is read is a copy; texts end with a NUL, and have no control
 * characters.
 */
#ifndef BROOD_WIRE_STATUS_VIEW_H
#define BROOD_WIRE_STATUS_VIEW_H

#include <brood-status.h>
#include <stdbool.h>
#include <stddef.h>

struct status_view {
	const unsigned char *base;
	size_t size;
	struct brood_status_head head; /* a checked copy; parts that the page lacks have count 0 */
};

/* What a slot's worker does, from all parts of the page that know something about it. */
struct status_worker {
	uint32_t slot, pool, generation;
	uint32_t state; /* enum brood_status_slot_state */
	uint32_t flags; /* enum brood_status_slot_flags */
	int32_t pid;    /* 0: no process */
	bool in_flux;   /* the record was being written, again and again: some fields may be old */
	bool runs;      /* a job runs: the next five fields are about it */
	bool leased;    /* the job came from the engine on a lease; false: by handoff */
	uint64_t job, fn; /* id, 0: not known; address of the function, 0: not known */
	uint64_t job_since_ns;
	char name[64], tag[64];
	uint64_t since_ns, born_ns, ready_ns; /* since_ns: since when the slot is in its state */
	uint64_t jobs;                        /* jobs done by this process */
};

/* memory: `size` bytes that stay readable. 0; -EBADMSG: no status page; -EPROTO: another version */
int status_view_open(struct status_view *view, const void *memory, size_t size);

/* False: the record was being written at each try; *ret has what was read last. */
bool status_view_brood(const struct status_view *view, struct brood_status_brood *ret);
uint32_t status_view_pools(const struct status_view *view);
bool status_view_pool(const struct status_view *view, uint32_t pool, struct brood_status_pool *ret);
void status_view_counts(
	const struct status_view *view, uint32_t pool, struct brood_status_counts *ret);
/* Adds up all records of SUMS of the pool. */
void status_view_sums(const struct status_view *view, uint32_t pool, struct brood_status_sums *ret);
/* The same without times: only lines of memory that are read are taken from those who write. */
void status_view_verdicts(
	const struct status_view *view, uint32_t pool, struct brood_status_sums *ret);
/* Adds up one histogram of these records. at: its offset in struct brood_status_sums. */
void status_view_times(const struct status_view *view, uint32_t pool, size_t at,
	struct brood_status_histogram *ret);
uint32_t status_view_slots(const struct status_view *view);
/* A slot that never had a process is EMPTY or SPARE, with generation 0. */
void status_view_worker(const struct status_view *view, uint32_t slot, struct status_worker *ret);

/*
 * Where the slot's worker was when it was last asked. False: the record was being written at each
 * try. Counts are within their arrays, and each frame's module is in the list.
 */
bool status_view_stack(
	const struct status_view *view, uint32_t slot, struct brood_status_stack *ret);
/* The record's `sequence` alone. */
uint32_t status_view_stack_sequence(const struct status_view *view, uint32_t slot);
/* How many reports there is room for. */
uint32_t status_view_reports(const struct status_view *view);
/* As status_view_stack(); ret->number is 0 where there is no report. */
bool status_view_report(
	const struct status_view *view, uint32_t at, struct brood_status_report *ret);

/* How many durations a histogram has counted. */
uint64_t status_view_count(const uint64_t buckets[BROOD_STATUS_BUCKETS]);
/*
 * The time that a share q (0 to 1) of all times did not exceed: the middle of its bucket, at most
 * max_ns. 0: no time was counted. The buckets may be a sum or a difference of several histograms.
 */
uint64_t status_view_quantile(
	const uint64_t buckets[BROOD_STATUS_BUCKETS], uint64_t max_ns, double q);

#endif
