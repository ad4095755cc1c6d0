/* SPDX-License-Identifier: MIT */
/*
 * inbox_look.c - leases that are asked for and granted. What the supervisor says arrives with the
 * thread that reads the channel, and waits in the queue's inbox until a thread of the queue looks.
 *
 * A lease that is over keeps its lease page, memory and fds until its queue looks, and a queue that
 * nobody uses never does. So a queue that finds no lease page looks into the inboxes of the others.
 */
#include "inbox_look.h"

#include "leasing.h"
#include "lease_state.h"
#include "queue.h"
#include "ring_out.h"
#include "engine_root.h"
#include "settle.h"
#include "stream.h"

#include "../base/base.h"
#include "../wire/frame.h"
#include <sys/epoll.h>

static int watch(struct lease *lease)
{
	struct queue *l = lease->queue;
	struct epoll_event done = { .events = EPOLLIN | EPOLLET,
		.data.u64 = QUEUE_EVENT_LEASE(lease, QUEUE_EVENT_DONE) };
	struct epoll_event link = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET,
		.data.u64 = QUEUE_EVENT_LEASE(lease, QUEUE_EVENT_SIDE) };

	if (epoll_ctl(l->fds.epoll, EPOLL_CTL_ADD, lease->done_fd, &done) < 0 ||
		epoll_ctl(l->fds.epoll, EPOLL_CTL_ADD, lease->side.fd, &link) < 0)
		return -errno;
	return 0;
}

static void on_lent(struct lease *lease)
{
	struct queue *l = lease->queue;
	struct brood *b = l->brood;
	const struct message_granted *m = &lease->news.granted;

	lease->state = LEASE_ACTIVE;
	lease->pid = m->pid;
	lease->slot = m->slot;
	lease->generation = m->generation;
	lease->base = lease->published = lease->collected = lease->told.said = m->sequence;
	lease->told.look_due = TIME_NEVER;
	lease->stand.seen = m->sequence;
	lease->page = shared_slot_page(&b->shared, m->slot);
	lease->lease_page = shared_lease_page(&b->shared, lease->news.page);
	atomic_store(&lease->down->collected, m->sequence);
	l->leases.asked--;
	l->leases.active++;
	l->leases.refused = BROOD_DETAIL_NONE;
	list_insert(&lease->idle, &l->leases.idle);
	if (watch(lease) < 0) { /* no memory for it: of no use to us */
		ring_out_all(lease);
		leasing_end(lease);
	}
}

static void look_at_leases(struct queue *l)
{
	struct brood *b = l->brood;

	for (;;) {
		struct lease *lease = NULL;
		bool granted = false, over = false;

		engine_lock(b);
		struct list *first = list_first(&l->inbox.leases);
		if (first) {
			lease = container_of(first, struct lease, news.link);
			list_remove(first);
			granted = lease->news.has_granted;
			over = lease->news.has_over;
			lease->news.has_granted = false;
		}
		engine_unlock(b);
		if (!lease)
			return;
		if (granted) {
			on_lent(lease);
			queue_wake(l, &l->sleep.lookers);
		}
		if (over) {
			settle_over(lease);
			leasing_free(lease);
		}
	}
}

void inbox_look(struct queue *l)
{
	if (!atomic_load_explicit(&l->inbox.full, memory_order_acquire))
		return;
	/* before the look: what comes later says so again */
	atomic_store_explicit(&l->inbox.full, false, memory_order_release);
	look_at_leases(l);
	stream_inbox(l);
}

void inbox_look_at_others(struct queue *own)
{
	struct brood *b = own->brood;

	if (pthread_mutex_trylock(&b->queues.lock) != 0)
		return;
	list_for_each_safe(link, tmp, &b->queues.list) {
		struct queue *l = container_of(link, struct queue, listed.link);

		if (l == own || !atomic_load_explicit(&l->inbox.full, memory_order_relaxed) ||
			pthread_mutex_trylock(&l->lock) != 0)
			continue;
		/* it was poked when that came: what is to be done with it there is done there */
		inbox_look(l);
		queue_unlock(l);
	}
	pthread_mutex_unlock(&b->queues.lock);
}
