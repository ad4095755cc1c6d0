/* SPDX-License-Identifier: MIT */
/*
 * wait.c - threads that block. One leads: it polls the channel beside its own call's socket and
 * dispatches for all; the others sleep on an eventfd each, beside their own socket. A verdict pokes
 * the thread that waits for it and no other; a leader that has what it wanted pokes one follower,
 * which leads from then on. A thread that is neither (it runs the log callback) looks again by
 * itself.
 *
 * Invariant, whenever the lock is free: if a thread is asleep here, one that is asleep leads, or a
 * follower has been poked. Every way out of wait_until() keeps it (wait_leave).
 *
 * Reading the channel needs the lock, not the lead: brood_dispatch() and a thread whose time is up
 * read it as well. So a leader may find nothing where poll() promised something, and it too has an
 * eventfd, by which others say that its verdict is there or that a frame waits to be sent.
 */
#include "internal.h"

#include <stdlib.h>
#include <sys/eventfd.h>

#define BLIND_MS 10 /* a thread for which there is no eventfd looks this often */

enum { POLL_SELF, POLL_TRANSFER, POLL_CHANNEL, POLL_LOG, POLL_LANES, POLL_COUNT };

/* ---- waiters ---- */

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

static void waiter_unpoke(struct waiter *waiter)
{
	if (!waiter->poked)
		return;
	waiter->poked = false;
	fds_unpoke(waiter->efd);
}

void waiters_poke(struct brood *b)
{
	if (b->leader && b->leader->state && b->leader != b->reader)
		waiter_poke(b->leader);
	list_for_each_safe(link, tmp, &b->followers) {
		struct waiter *waiter = container_of(link, struct waiter, link);

		if (waiter->state)
			waiter_poke(waiter);
	}
}

void waiter_closed(struct brood *b, struct brood_handle *handle)
{
	struct waiter *waiter = handle->waiter;

	if (waiter != b->leader)
		list_remove(&waiter->link); /* it goes: the lead is not for it */
	if (waiter != b->reader)
		waiter_poke(waiter);
}

/* A waiter for this thread. `blind` stands in when there is neither memory nor an fd for one. */
static struct waiter *waiter_take(struct brood *b, struct waiter *blind)
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

static void waiter_give_back(struct brood *b, struct waiter *waiter, struct waiter *blind)
{
	waiter_unpoke(waiter);
	waiter->state = false;
	if (waiter != blind)
		list_insert(&waiter->link, &b->spare);
}

/* ---- leading ---- */

static bool wait_lead(struct brood *b, struct waiter *waiter)
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

static void wait_leave(struct brood *b, struct waiter *waiter)
{
	struct list *next;

	list_remove(&waiter->link);
	if (b->leader == waiter)
		b->leader = NULL;
	next = list_first(&b->followers);
	if (!b->leader && next)
		waiter_poke(container_of(next, struct waiter, link));
}

/* ---- one round of poll() ---- */

struct round {
	struct pollfd fds[POLL_COUNT];
	uint64_t until;
	bool leading;
};

static void round_limit(struct round *round, uint64_t when)
{
	round->until = MIN(round->until, when);
}

static void round_prepare(struct round *round, struct wait *wait, uint64_t now)
{
	struct brood *b = wait->brood;

	for (int i = 0; i < POLL_COUNT; i++)
		round->fds[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
	round->until = wait->until;
	round->leading = wait_lead(b, wait->waiter);
	round->fds[POLL_SELF].fd = wait->waiter->efd;
	if (wait->waiter->efd < 0)
		round_limit(round, now + BLIND_MS * NS_PER_MS);
	if (wait->transfer)
		transfer_poll(wait->transfer, now, &round->fds[POLL_TRANSFER], &round->until);
	if (!round->leading)
		return;
	if (!b->lost)
		round->fds[POLL_CHANNEL].fd = b->channel_fd;
	if (b->out_state == OUT_FULL)
		round->fds[POLL_CHANNEL].events |= POLLOUT;
	else if (b->out_state == OUT_LATER)
		round_limit(round, b->out_retry);
	if (channel_logs(b))
		round->fds[POLL_LOG].fd = b->log_fd;
	if (b->state == ENGINE_STOPPING)
		round->fds[POLL_LANES].fd = b->lanes_fd;
}

/* No lock. Whatever goes wrong, no events: the caller looks at everything again. */
static void round_poll(struct round *round, uint64_t now)
{
	int n = poll(round->fds, POLL_COUNT, time_poll_ms(now, round->until));

	if (n > 0)
		return;
	if (n < 0 && errno != EINTR) {
		struct timespec pause = { .tv_nsec = (long)NS_PER_MS };

		nanosleep(&pause, NULL);
	}
	for (int i = 0; i < POLL_COUNT; i++)
		round->fds[i].revents = 0;
}

static void round_dispatch(const struct round *round, struct wait *wait)
{
	struct brood *b = wait->brood;
	short channel = round->fds[POLL_CHANNEL].revents;

	if (!round->leading)
		return;
	if (b->out_state == OUT_FULL ? (channel & (POLLOUT | POLLERR | POLLHUP)) : out_due(b))
		out_flush(b);
	if (channel & ~POLLOUT)
		channel_read(b, wait->waiter, wait->handle);
	if (round->fds[POLL_LOG].revents) {
		/* The callback may take its time, or block in a call of its own. */
		wait_leave(b, wait->waiter);
		channel_log(b, LOG_ROUND);
	}
}

static void tell_progress(struct brood *b, struct brood_handle *handle)
{
	struct list batch;

	if (list_empty(&handle->progress))
		return;
	list_init(&batch);
	progress_move(&handle->progress, &batch);
	handle->progress_count = 0;
	engine_unlock(b);
	progress_tell(&batch);
	engine_lock(b);
}

static void wait_round(struct wait *wait, bool last)
{
	struct brood *b = wait->brood;
	uint64_t now = now_ns();
	struct round round;

	round_prepare(&round, wait, now);
	if (last)
		round.until = now;
	engine_unlock(b);
	round_poll(&round, now);
	if (round.fds[POLL_TRANSFER].revents)
		transfer_step(wait->transfer, round.fds[POLL_TRANSFER].revents);
	if (round.fds[POLL_LANES].revents)
		direct_drain(b);
	engine_lock(b);
	waiter_unpoke(wait->waiter);
	round_dispatch(&round, wait);
	if (wait->handle)
		tell_progress(b, wait->handle);
	if (last && !round.leading)
		/* the leader may not have come to it yet */
		channel_read(b, wait->waiter, wait->handle);
}

int wait_until(struct wait *wait)
{
	struct brood *b = wait->brood;
	struct waiter blind;
	bool last = false;
	int r = 0;

	if (wait->done(wait)) {
		if (wait->handle)
			tell_progress(b, wait->handle); /* another thread has read both */
		return 0;
	}
	wait->waiter = waiter_take(b, &blind);
	wait->waiter->state = !wait->handle;
	if (wait->handle)
		wait->handle->waiter = wait->waiter;
	while (!wait->done(wait)) {
		if (last) {
			r = -ETIMEDOUT;
			break;
		}
		last = wait->until != TIME_NEVER && wait->until <= now_ns();
		wait_round(wait, last);
	}
	if (wait->handle)
		wait->handle->waiter = NULL;
	wait_leave(b, wait->waiter);
	waiter_give_back(b, wait->waiter, &blind);
	if (wait->handle && r == 0)
		tell_progress(b, wait->handle); /* what came while the last of it was told */
	return r;
}
