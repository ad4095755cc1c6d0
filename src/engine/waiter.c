/* SPDX-License-Identifier: MIT */
/*
 * waiter.c - the threads that block in the library and wait for the channel: an eventfd each, one
 * leader, and the followers. wait.c runs them.
 *
 * Invariant, whenever brood.lock is free: if a thread is asleep here, one that is asleep leads, or
 * a follower has been poked. waiter_leave() keeps the invariant on every way out.
 */
#include "waiter.h"

#include "engine_root.h"

#include <stdlib.h>
#include <sys/eventfd.h>

struct waiter *waiter_new(void)
{
	struct waiter *waiter = calloc(1, sizeof *waiter);

	if (!waiter)
		return NULL;
	list_init(&waiter->link);
	waiter->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return waiter;
}

struct waiter *waiter_free(struct waiter *waiter)
{
	if (!waiter)
		return NULL;
	close_fd(waiter->efd);
	free(waiter);
	return NULL;
}

void waiter_poke(struct waiter *waiter)
{
	if (waiter->poked || waiter->efd < 0)
		return;
	waiter->poked = true;
	fds_poke(waiter->efd);
}

void waiter_unpoke(struct waiter *waiter)
{
	if (!waiter->poked)
		return;
	waiter->poked = false;
	fds_unpoke(waiter->efd);
}

void waiter_poke_all(struct brood *b)
{
	if (b->leader && b->leader->state && b->leader != b->reader)
		waiter_poke(b->leader);
	list_for_each_safe(link, tmp, &b->followers) {
		struct waiter *waiter = container_of(link, struct waiter, link);

		if (waiter->state)
			waiter_poke(waiter);
	}
}

void waiter_closed(struct brood *b, struct waiter *waiter)
{
	if (waiter != b->leader)
		/* this thread has its verdict and goes: it must not be woken to lead */
		list_remove(&waiter->link);
	if (waiter != b->reader)
		waiter_poke(waiter);
}

struct waiter *waiter_take(struct brood *b, struct waiter *blind)
{
	struct list *link = list_first(&b->spare);
	struct waiter *waiter;

	if (link) {
		waiter = container_of(link, struct waiter, link);
		list_remove(link);
		if (waiter->efd < 0)
			waiter->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		return waiter;
	}
	engine_unlock(b);
	waiter = waiter_new();
	engine_lock(b);
	if (waiter)
		return waiter;
	*blind = (struct waiter){ .efd = -1 };
	list_init(&blind->link);
	return blind;
}

void waiter_give_back(struct brood *b, struct waiter *waiter, struct waiter *blind)
{
	waiter_unpoke(waiter);
	waiter->state = false;
	if (waiter != blind)
		list_insert(&waiter->link, &b->spare);
}

bool waiter_lead(struct brood *b, struct waiter *waiter)
{
	if (b->leader == waiter)
		return true;
	if (!b->leader) {
		list_remove(&waiter->link);
		b->leader = waiter;
		return true;
	}
	if (list_empty(&waiter->link))
		list_append(&waiter->link, &b->followers);
	return false;
}

void waiter_leave(struct brood *b, struct waiter *waiter)
{
	struct list *next;

	list_remove(&waiter->link);
	if (b->leader == waiter)
		b->leader = NULL;
	next = list_first(&b->followers);
	if (!b->leader && next)
		waiter_poke(container_of(next, struct waiter, link));
}

void waiter_tell_poller(struct brood *b)
{
	if (!b->fd_used || b->news_set || b->reader == &b->dispatcher)
		return;
	fds_poke(b->news_fd);
	b->news_set = true;
}
