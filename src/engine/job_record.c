/* SPDX-License-Identifier: MIT */
/*
 * job_record.c - which jobs and leases are out, and the one verdict of each handed-off job.
 *
 * A record is the engine's copy of the supervisor's record: taken when JOB is sent or queued, free
 * again when VERDICT arrives. A job's id modulo the number of records is its record. An id whose
 * record is taken is skipped, so both sides agree without a message. The handle belongs to the
 * caller: it may go earlier than the record (released) or stay longer. A record without a handle is
 * a job whose verdict nobody wants; its verdict is counted as dropped.
 *
 * One verdict a job: close_handle() is the only function that closes a handle. A closed handle is
 * in no record, and a verdict that finds no record is dropped and counted.
 */
#include "job_record.h"

#include "engine_root.h"
#include "inbox.h"
#include "outcome.h"
#include "sums.h"
#include "waiter.h"

static uint64_t *taken_word(struct brood *b, size_t index) { return &b->taken[index / 64]; }

/* The first record at or after `from`, cyclic, that is free. The caller knows that one is free. */
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

uint64_t job_record_fresh_id(struct brood *b) { return ++b->last_id; }

static void take(struct brood_pool *pool, struct brood_handle *handle, uint64_t id)
{
	struct brood *b = pool->brood;
	size_t index = (size_t)(id % b->records_count);

	*taken_word(b, index) |= 1ull << (index % 64);
	b->records[index] = (struct record){ .id = id, .pool = pool, .handle = handle };
	atomic_fetch_add_explicit(&pool->out_count, 1, memory_order_relaxed);
}

/* No pool takes more records than its own number, so each pool finds a free one. */
int job_record_claim(struct brood_pool *pool, struct brood_handle *handle, uint64_t *inout_id)
{
	struct brood *b = pool->brood;
	size_t from = (size_t)((b->last_id + 1) % b->records_count), index;

	if (atomic_load_explicit(&pool->out_count, memory_order_relaxed) >= pool->records)
		return -EAGAIN;
	if (*inout_id && b->records[*inout_id % b->records_count].id)
		return -EEXIST;
	if (!*inout_id) {
		index = free_after(b, from);
		b->last_id += 1 + (index >= from ? index - from : index + b->records_count - from);
		*inout_id = b->last_id;
	}
	take(pool, handle, *inout_id);
	return 0;
}

struct record *job_record_find(struct brood *b, uint64_t id)
{
	struct record *record = &b->records[id % b->records_count];

	return id && record->id == id ? record : NULL;
}

void job_record_files_closed(struct record *record)
{
	struct brood_pool *pool = record->pool;

	pool->brood->files_freed |= record->files > 0 && (pool->files.kept || pool->files.openers);
	pool->files.held -= record->files;
	record->files = 0;
}

void job_record_unkeep(struct brood_handle *handle)
{
	if (!handle->is_kept)
		return;
	handle->is_kept = false;
	list_remove(&handle->kept);
	handle->pool->files.kept--;
	if (handle->pool->files.openers > 0) /* kept calls go before them */
		waiter_poke_all(handle->brood);
	atomic_fetch_sub_explicit(&handle->brood->shared.tally->waiting, 1, memory_order_relaxed);
	sums_wait_elsewhere(handle->pool, -1);
}

/* Frees the record and gives back its handle. */
static struct brood_handle *job_record_free(struct brood *b, struct record *record)
{
	struct brood_handle *handle = record->handle;
	size_t index = (size_t)(record - b->records);

	record->pool->granted -= record->granted;
	if (record->released)
		atomic_fetch_sub_explicit(
			&b->shared.tally->answers.released, 1, memory_order_relaxed);
	job_record_files_closed(record);
	if (handle)
		job_record_unkeep(handle);
	*taken_word(b, index) &= ~(1ull << (index % 64));
	atomic_fetch_sub_explicit(&record->pool->out_count, 1, memory_order_relaxed);
	*record = (struct record){ 0 };
	return handle;
}

void job_record_release(struct brood *b, struct record *record)
{
	record->handle = NULL;
	record->released = true;
	atomic_fetch_add_explicit(&b->shared.tally->answers.released, 1, memory_order_relaxed);
}

void job_record_unclaim(struct brood *b, uint64_t id)
{
	struct record *record = job_record_find(b, id);

	if (record)
		job_record_free(b, record);
}

/* Takes the handle from OPEN to CLOSED, once. */
static void close_handle(
	struct brood *b, struct brood_handle *handle, const struct brood_verdict *verdict)
{
	handle->verdict = *verdict;
	handle->verdict.size = sizeof handle->verdict;
	handle->verdict.id = handle->public_id;
	pool_sign(handle->pool, &handle->verdict);
	memcpy(handle->verdict.name, handle->name, sizeof handle->name);
	atomic_store_explicit(&handle->closed, true, memory_order_release);
	if (handle->to) {
		inbox_add(handle->to, &handle->inbox, &handle->to->handles);
		return;
	}
	if (handle->waiter) {
		waiter_closed(b, handle->waiter);
		return;
	}
	b->news++;
	waiter_tell_poller(b);
}

void job_record_verdict(struct brood *b, const struct brood_verdict *verdict)
{
	struct record *record = job_record_find(b, verdict->id);
	struct brood_pool *pool = record ? record->pool : b->pools;
	struct brood_handle *handle;

	/* the call that would count this verdict is gone */
	if (record && record->bytes && !record->handle)
		sums_elsewhere(pool, verdict->outcome, verdict->detail);
	handle = record ? job_record_free(b, record) : NULL;
	outcome_count_drop(
		b, verdict, handle ? handle->name : verdict->name, handle ? handle->tag : NULL);
	if (handle)
		close_handle(b, handle, verdict);
	else
		pool->counts.dropped++;
}

static void give_up_lease(struct brood *b, struct record *record, enum brood_detail detail)
{
	struct lease_news *lease = record->lease;

	if (!lease)
		job_record_page_give_back(b, record->page);
	record->pool->leases_out--;
	inbox_room(&record->pool->line);
	job_record_free(b, record);
	if (lease)
		inbox_lease_refused(lease, detail);
}

void job_record_give_up(struct brood *b, uint64_t id, enum brood_outcome outcome,
	enum brood_detail detail, bool started)
{
	struct record *record = job_record_find(b, id);
	struct brood_handle *handle = record ? record->handle : NULL;
	struct brood_verdict verdict = outcome_made_up(
		outcome, detail, handle ? handle->given_ns : TIME_NEVER);

	struct brood_pool *pool;

	if (!record)
		return;
	pool = record->pool;
	if (record->is_lease) {
		give_up_lease(b, record, detail);
		return;
	}
	if (!record->bytes)
		sums_elsewhere(pool, outcome, detail);
	verdict.id = id;
	verdict.started = started;
	job_record_verdict(b, &verdict);
}

static bool is_kept(const struct record *record)
{
	return record->handle && record->handle->is_kept;
}

void job_record_refuse_kept(struct brood *b, enum brood_detail detail)
{
	for (size_t i = 0; i < b->records_count; i++)
		if (b->records[i].id && is_kept(&b->records[i]))
			job_record_give_up(b, b->records[i].id, BROOD_REFUSED, detail, false);
}

void job_record_give_up_all(struct brood *b, enum brood_detail detail)
{
	for (size_t i = 0; i < b->records_count; i++)
		if (b->records[i].id)
			job_record_give_up(
				b, b->records[i].id, BROOD_LOST, detail, !is_kept(&b->records[i]));
}

/*
 * No other lease gets this page until the lease's queue is through with it: what the queue still
 * writes there must not harm another lease.
 */
uint32_t job_record_page_take(struct brood *b)
{
	for (uint32_t i = 0; i < b->shared.lease_pages_count; i++) {
		uint32_t number = (b->lease_page_last + 1 + i) % b->shared.lease_pages_count;

		if (b->lease_pages[number])
			continue;
		b->lease_pages[number] = true;
		return b->lease_page_last = number;
	}
	return RECORD_NO_PAGE;
}

void job_record_page_give_back(struct brood *b, uint32_t number)
{
	if (number != RECORD_NO_PAGE)
		b->lease_pages[number] = false;
}
