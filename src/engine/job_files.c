/* SPDX-License-Identifier: MIT */
/* job_files.c - see job_files.h. */
#include "job_files.h"

#include "engine_root.h"
#include "inbox.h"
#include "sums.h"
#include "waiter.h"

bool job_files_room(const struct brood_pool *pool, uint32_t count)
{
	uint32_t most = pool->setup->job_files;

	return most == 0 || pool->files.held == 0 || pool->files.held + count <= most;
}

bool job_files_fit(const struct brood_pool *pool, uint32_t count)
{
	return pool->files.kept == 0 && job_files_room(pool, count);
}

bool job_files_may_send(const struct brood_pool *pool, uint32_t count)
{
	return list_empty(&pool->files.calls) && job_files_room(pool, count);
}

void job_files_sent(struct record *record, uint32_t count)
{
	record->files = count;
	record->pool->files.held += count;
}

void job_files_keep(struct brood_handle *handle, uint64_t until)
{
	struct brood *b = handle->brood;
	struct inbox *to = handle->to;

	handle->is_kept = true;
	handle->kept_until = until;
	handle->pool->files.kept++;
	atomic_fetch_add_explicit(&b->shared.tally->waiting, 1, memory_order_relaxed);
	sums_wait_elsewhere(handle->pool, 1);
	if (!to) {
		list_append(&handle->kept, &handle->pool->files.calls);
		return;
	}
	list_append(&handle->kept, &to->kept);
	if (list_empty(&to->keeps))
		list_append(&to->keeps, &b->keepers);
	if (!job_files_room(handle->pool, handle->files))
		return;
	atomic_store_explicit(&to->full, true, memory_order_release);
	inbox_poke(to);
}

/* Wakes threads that call, the first in line first, as long as there is room for their jobs. */
static void tell_calls(const struct brood_pool *pool)
{
	uint32_t count = 0;

	list_for_each_safe(link, tmp, (struct list *)(uintptr_t)&pool->files.calls) {
		const struct brood_handle *handle = container_of(link, struct brood_handle, kept);

		count += handle->files;
		if (!job_files_room(pool, count))
			break;
		if (handle->waiter)
			waiter_poke(handle->waiter);
	}
}

/*
 * Each queue with kept jobs hears of the room: so one whose thread is busy holds up no other queue.
 */
void job_files_tell(struct brood *b)
{
	bool openers = false;

	if (!b->files_freed)
		return;
	b->files_freed = false;
	for (uint32_t i = 0; i < b->pools_count; i++) {
		tell_calls(&b->pools[i]);
		openers |= b->pools[i].files.openers > 0;
	}
	if (openers)
		waiter_poke_all(b);
	list_for_each_safe(link, tmp, &b->keepers) {
		struct inbox *inbox = container_of(link, struct inbox, keeps);

		if (list_empty(&inbox->kept)) {
			list_remove(link);
			continue;
		}
		atomic_store_explicit(&inbox->full, true, memory_order_release);
		inbox_poke(inbox);
	}
}

void job_files_gone(struct brood *b)
{
	b->files_freed = true;
	job_files_tell(b);
}
