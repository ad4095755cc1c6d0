/* SPDX-License-Identifier: MIT */
/*
 * recall.c - taking a worker back from a lease, which is said three times. `leaving` in the lease
 * page keeps the engine from publishing more jobs there. RECALL on the channel tells the worker.
 * `attention` in the slot page, and its wake word, make the worker read the channel before its next
 * job. The worker answers LEFT; a worker that does not is stuck (lease_watch.c).
 */
#include "recall.h"
#include "../os/futex.h"

static void ring(struct slot *slot)
{
	struct slot_page *page = slot_page(slot);

	atomic_store(&page->attention, 1);
	atomic_fetch_add(&page->wake, 1);
	futex_wake(&page->wake, 1);
}

static void send_leave(struct slot *slot)
{
	struct frame f;
	int r;

	frame_begin(&f, MESSAGE_RECALL)->recall.id = slot->job->link.id;
	r = slot->paused               ? -EAGAIN
		: slot->channel.fd < 0 ? -EPIPE
				       : frame_send(slot->channel.fd, &f);
	slot->lease.recall_unsent = error_passes(r);
	if (slot->lease.recall_unsent)
		note(slot->pool->supervisor, NOTE_RETRY);
	else
		/* where the channel has ended, too: a worker that lives reads its end */
		ring(slot);
}

void recall_lease(struct slot *slot)
{
	if (slot->lease.watch.leaving || slot->link.state != SLOT_LEASED)
		return;
	list_remove(&slot->lease.list);
	list_append(&slot->lease.list, &slot->pool->leases.recalled);
	slot->lease.recalled_ns = now_ns();
	watch_leaving(&slot->lease.watch, slot_lease_page(slot)->entries, slot->lease.recalled_ns);
	atomic_store(&slot_lease_page(slot)->leaving, 1);
	send_leave(slot);
}

void recall_send_again(struct pool *pool)
{
	for (uint32_t i = 0; i < pool->places; i++)
		if (pool->slot_array[i].lease.recall_unsent &&
			pool->slot_array[i].link.state == SLOT_LEASED)
			send_leave(&pool->slot_array[i]);
}
