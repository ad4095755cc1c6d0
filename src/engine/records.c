/* SPDX-License-Identifier: MIT */
/*
 * records.c - which jobs are out, and the one verdict of each.
 *
 * A record is the engine's copy of the supervisor's: taken when JOB is sent or queued, free again
 * when the VERDICT arrives. A job's id modulo their number is its record, so an id whose record is
 * out is skipped, and both sides agree without a word. The handle is what the caller holds. It may
 * go earlier (released) or stay longer (not released yet) than the record; a record without a
 * handle is a job whose verdict nobody wants, and the verdict is counted as dropped.
 *
 * One verdict a job: handle_close() is the only place that closes a handle, a closed one is in no
 * record, and a verdict that finds no record is dropped and counted.
 */
#include "lane.h"

static uint64_t *taken_word(struct brood *b, size_t index) { return &b->taken[index / 64]; }

/* The first record at or after `from`, cyclic, that is not out. One is free: the caller knows. */
static size_t free_after(struct brood *b, size_t from)
{
	size_t index = from;

	for (;;) {
		uint64_t free_bits = ~*taken_word(b, index) & (UINT64_MAX << (index % 64));

		if (free_bits) {
			index = index / 64 * 64 + (size_t)__builtin_ctzll(free_bits);
			if (index < b->records_count)
				return index;
		}
		index = index / 64 * 64 + 64;
		if (index >= b->records_count)
			index = 0;
	}
}

uint64_t record_fresh_id(struct brood *b) { return ++b->last_id; }

static void take(struct brood *b, struct brood_handle *handle, uint64_t id)
{
	size_t index = (size_t)(id % b->records_count);

	*taken_word(b, index) |= 1ull << (index % 64);
	b->records[index] = (struct record){ .id = id, .handle = handle };
	atomic_fetch_add_explicit(&b->out_count, 1, memory_order_relaxed);
}

int record_claim_as(struct brood *b, struct brood_handle *handle, uint64_t id)
{
	if (atomic_load_explicit(&b->out_count, memory_order_relaxed) >= b->records_count)
		return -EAGAIN;
	if (b->records[id % b->records_count].id)
		return -EEXIST;
	take(b, handle, id);
	return 0;
}

int record_claim(struct brood *b, struct brood_handle *handle, uint64_t *ret_id)
{
	size_t from = (size_t)((b->last_id + 1) % b->records_count), index;
	uint64_t id;

	if (atomic_load_explicit(&b->out_count, memory_order_relaxed) >= b->records_count)
		return -EAGAIN;
	index = free_after(b, from);
	id = b->last_id + 1 + (index >= from ? index - from : index + b->records_count - from);
	b->last_id = id;
	take(b, handle, id);
	*ret_id = id;
	return 0;
}

struct record *record_find(struct brood *b, uint64_t id)
{
	struct record *record = &b->records[id % b->records_count];

	return id && record->id == id ? record : NULL;
}

/* Frees the record and gives back its handle. */
static struct brood_handle *record_free(struct brood *b, struct record *record)
{
	struct brood_handle *handle = record->handle;
	size_t index = (size_t)(record - b->records);

	*taken_word(b, index) &= ~(1ull << (index % 64));
	*record = (struct record){ 0 };
	atomic_fetch_sub_explicit(&b->out_count, 1, memory_order_relaxed);
	return handle;
}

void record_unclaim(struct brood *b, uint64_t id)
{
	struct record *record = record_find(b, id);

	if (record)
		record_free(b, record);
}

/* OPEN to CLOSED, once. */
static void handle_close(
	struct brood *b, struct brood_handle *handle, const struct brood_verdict *verdict)
{
	handle->verdict = *verdict;
	handle->verdict.size = sizeof handle->verdict;
	handle->verdict.id = handle->public_id;
	memcpy(handle->verdict.name, handle->name, sizeof handle->name);
	handle->closed = true;
	if (handle->lane) {
		lane_inbox_handle(handle);
		return;
	}
	if (handle->waiter) {
		waiter_closed(b, handle);
		return;
	}
	b->news++;
	channel_news(b);
}

void record_verdict(struct brood *b, const struct brood_verdict *verdict)
{
	struct record *record = record_find(b, verdict->id);
	struct brood_handle *handle = record ? record_free(b, record) : NULL;

	ending_count(b, verdict, handle ? handle->name : verdict->name);
	if (handle)
		handle_close(b, handle, verdict);
	else
		b->dropped++;
}

void record_give_up(struct brood *b, uint64_t id, enum brood_outcome outcome,
	enum brood_detail detail, bool started)
{
	struct record *record = record_find(b, id);
	struct brood_verdict verdict = {
		.id = id, .outcome = outcome, .detail = detail, .started = started
	};

	if (!record)
		return;
	if (record->lease) {
		struct lease *lease = record->lease;

		record_free(b, record);
		b->leases_out--;
		loan_not_asked(lease, detail);
		return;
	}
	if (outcome == BROOD_REFUSED)
		b->refused++;
	else
		b->lost_jobs++;
	if (record->handle)
		verdict.queue_us = (now_ns() - record->handle->given_ns) / NS_PER_US;
	record_verdict(b, &verdict);
}

/*
 * Those that never left this process were not started, for sure; of the others nobody knows, so
 * that a retry is not safe.
 */
void record_give_up_all(struct brood *b, enum brood_detail detail)
{
	list_for_each_safe(link, tmp, &b->out) {
		struct out *out = container_of(link, struct out, link);

		if (out->job)
			record_give_up(b, out->job, BROOD_LOST, detail, false);
		out_drop(b, out);
	}
	for (size_t i = 0; i < b->records_count; i++)
		if (b->records[i].id)
			record_give_up(b, b->records[i].id, BROOD_LOST, detail, true);
}
