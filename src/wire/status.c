/* SPDX-License-Identifier: MIT */
/*
 * status.c - see status.h. The asserts here keep what brood-status.h promises: pages that the
 * library itself uses have the layout that it describes, and no field ever moves.
 */
#include "status.h"

#include "lease_page.h"
#include "reports_page.h"
#include "slot_page.h"
#include "stats_page.h"

#include <stddef.h>

#define SAME(ours, field, theirs, public_field)                                               \
	_Static_assert(offsetof(struct ours, field) == offsetof(struct theirs, public_field), \
		#ours "." #field)
SAME(stats_page, degraded, brood_status_counts, degraded);
SAME(stats_page, undead, brood_status_counts, undead);
SAME(stats_page, next_spawn_ns, brood_status_counts, next_spawn_ns);
SAME(stats_page, verdicts, brood_status_counts, attempts);
SAME(stats_page, leases, brood_status_counts, leases);
SAME(stats_page, redispatched, brood_status_counts, redispatched);
SAME(stats_page, spawned, brood_status_counts, spawned);
SAME(stats_page, logs_dropped, brood_status_counts, logs_dropped);
SAME(stats_page, undead_ever, brood_status_counts, undead_ever);
SAME(stats_page, deaths, brood_status_counts, deaths);
SAME(slot_page, word, brood_status_worker, word);
SAME(slot_page, began_ns, brood_status_worker, began_ns);
SAME(slot_page, fn, brood_status_worker, fn);
SAME(slot_page, name, brood_status_worker, name);
SAME(slot_page, tag, brood_status_worker, tag);
SAME(lease_page, published, brood_status_lease, published);
SAME(lease_page, entries, brood_status_lease, entries);
SAME(lease_page_entry, id, brood_status_entry, id);
SAME(lease_page_entry, flags, brood_status_entry, flags);
SAME(trace_answer, missing, brood_status_stack, missing);
SAME(trace_answer, tid, brood_status_stack, tid);
SAME(trace_answer, stack.frames_count, brood_status_stack, frames_count);
SAME(trace_answer, stack.module, brood_status_stack, module);
SAME(trace_answer, stack.frames, brood_status_stack, frames);
SAME(trace_answer, stack.modules, brood_status_stack, modules);
SAME(trace_module, path, brood_status_module, path);
SAME(reports_entry, state, brood_status_report, raw);
SAME(reports_entry, number, brood_status_report, number);
SAME(reports_entry, pool, brood_status_report, pool);
SAME(reports_entry, module, brood_status_report, module);
SAME(reports_entry, modules, brood_status_report, modules);
SAME(reports_entry, report, brood_status_report, size);
SAME(reports_entry, report.cause, brood_status_report, cause);
SAME(reports_entry, report.syscall, brood_status_report, syscall);
SAME(reports_entry, report.name, brood_status_report, name);
SAME(reports_entry, report.waits, brood_status_report, waits);
SAME(reports_entry, report.progress, brood_status_report, progress);
SAME(reports_entry, report.frames, brood_status_report, frames);
SAME(reports_entry, report.stderr_text, brood_status_report, stderr_text);
SAME(brood_report_frame, module, brood_status_call, module);
_Static_assert(sizeof(struct trace_answer) == sizeof(struct brood_status_stack), "");
_Static_assert(sizeof(struct trace_module) == sizeof(struct brood_status_module), "");
_Static_assert(sizeof(struct brood_report_frame) == sizeof(struct brood_status_call), "");
_Static_assert(sizeof(struct reports_entry) == sizeof(struct brood_status_report), "");
_Static_assert(REPORTS_RAW == 1 && TRACE_NOWHERE == BROOD_STATUS_NOWHERE, "");
_Static_assert(sizeof(struct lease_page_entry) == sizeof(struct brood_status_entry), "");
_Static_assert(SLOT_PAGE_RUNNING == 2 && SLOT_PAGE_WORD(1, 0) == 8, "BROOD_STATUS_RUNS()");
_Static_assert(RING_DEPTH == BROOD_STATUS_DEPTH, "");
_Static_assert(BROOD_OUTCOMES <= BROOD_STATUS_OUTCOMES && BROOD_DETAILS <= BROOD_STATUS_DETAILS,
	"sums have room for each verdict");

#define LAID_OUT(type, field, at) _Static_assert(offsetof(struct type, field) == (at), #field)
LAID_OUT(brood_status_head, part, 32);
LAID_OUT(brood_status_brood, started_ns, 24);
LAID_OUT(brood_status_brood, name, 56);
LAID_OUT(brood_status_pool, first_slot, 40);
LAID_OUT(brood_status_pool, init_version, 100);
LAID_OUT(brood_status_pool, reload_id, 120);
LAID_OUT(brood_status_pool, times, 160);
LAID_OUT(brood_status_counts, next_spawn_ns, 48);
LAID_OUT(brood_status_counts, leases, 184);
LAID_OUT(brood_status_counts, deaths, 296);
LAID_OUT(brood_status_sums, verdicts, 64);
LAID_OUT(brood_status_sums, queue, 8256);
LAID_OUT(brood_status_sums, death_to_ready, 22128);
LAID_OUT(brood_status_slot, since_ns, 32);
LAID_OUT(brood_status_slot, job, 72);
LAID_OUT(brood_status_slot, name, 96);
LAID_OUT(brood_status_worker, name, 128);
LAID_OUT(brood_status_lease, entries, 128);

#define UNIT_BITS 6 /* times are counted in units of 64 ns */

uint32_t status_bucket(uint64_t ns)
{
	uint64_t units = ns >> UNIT_BITS;
	uint32_t octave, bucket;

	if (units < 16)
		return (uint32_t)units;
	octave = 63 - (uint32_t)__builtin_clzll(units) - 4; /* 0: from 16 to 31 units */
	bucket = 16 * octave + (uint32_t)(units >> octave);
	return bucket < BROOD_STATUS_BUCKETS ? bucket : BROOD_STATUS_BUCKETS - 1;
}

static void raise(uint64_t *max, uint64_t to, bool shared)
{
	uint64_t found = __atomic_load_n(max, __ATOMIC_RELAXED);

	if (!shared && to > found)
		__atomic_store_n(max, to, __ATOMIC_RELAXED);
	while (shared && to > found &&
		!__atomic_compare_exchange_n(
			max, &found, to, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

void status_add(uint64_t *counter, uint64_t by, bool shared)
{
	if (shared)
		__atomic_fetch_add(counter, by, __ATOMIC_RELAXED);
	else
		__atomic_store_n(counter, *counter + by, __ATOMIC_RELAXED);
}

void status_time(struct brood_status_histogram *h, uint64_t ns, bool shared)
{
	status_add(&h->buckets[status_bucket(ns)], 1, shared);
	status_add(&h->sum_ns, ns, shared);
	raise(&h->max_ns, ns, shared);
}

void status_times(const struct status_place *place, uint64_t queue_ns, uint64_t run_ns)
{
	struct brood_status_sums *sums = place->record;

	status_time(&sums->queue, queue_ns, place->shared);
	status_time(&sums->run, run_ns, place->shared);
}

/* A number that this build does not know has no place. */
void status_verdict(
	const struct status_place *place, enum brood_outcome outcome, enum brood_detail detail)
{
	uint32_t i = (uint32_t)outcome < BROOD_STATUS_OUTCOMES ? (uint32_t)outcome : 0,
		 k = (uint32_t)detail < BROOD_STATUS_DETAILS ? (uint32_t)detail : 0;

	status_add(&place->record->verdicts[i][k], 1, place->shared);
}
