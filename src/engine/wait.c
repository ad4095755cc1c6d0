/* SPDX-License-Identifier: MIT */
/*
 * wait.c - threads that block until the channel has brought something. One thread leads: it polls
 * the channel beside its own call's socket and dispatches for all. The others sleep on an eventfd
 * each, beside their own socket. A verdict pokes the thread that waits for it and no other. A
 * leader that has what it wanted pokes one follower, which leads from then on. A thread that runs
 * the log callback neither leads nor follows: after the callback it looks at everything again.
 *
 * Reading the channel needs the lock, not the lead: brood_dispatch() and a thread whose time is up
 * read it as well. So a leader may find nothing where poll() promised something. For this reason
 * the leader has an eventfd, too: other threads tell it there that its verdict has come, or that a
 * frame waits to be sent.
 */
#include "wait.h"

#include "channel.h"
#include "loglines.h"
#include "out.h"
#include "unsent.h"
#include "job_record.h"
#include "engine_root.h"
#include "transfer.h"
#include "waiter.h"

#define BLIND_MS 10 /* how often a thread without an eventfd looks */

enum { POLL_SELF, POLL_TRANSFER, POLL_CHANNEL, POLL_LOG, POLL_QUEUES, POLL_COUNT };

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
	round->leading = waiter_lead(b, wait->waiter);
	round->fds[POLL_SELF].fd = wait->waiter->efd;
	if (wait->waiter->efd < 0)
		round_limit(round, now + BLIND_MS * NS_PER_MS);
	if (wait->transfer && wait->handle)
		transfer_adopt(wait->transfer, &wait->handle->socket);
	if (wait->transfer)
		transfer_poll(wait->transfer, now, &round->fds[POLL_TRANSFER], &round->until);
	if (wait->queues && b->state == ENGINE_STOPPING)
		round->fds[POLL_QUEUES].fd = b->queues_fd;
	if (!round->leading)
		return;
	if (!b->lost)
		round->fds[POLL_CHANNEL].fd = b->channel_fd;
	if (b->out_state == OUT_FULL)
		round->fds[POLL_CHANNEL].events |= POLLOUT;
	else if (b->out_state == OUT_LATER)
		round_limit(round, b->out_retry);
	if (loglines_wanted(b))
		round->fds[POLL_LOG].fd = b->log_fd;
}

/*
 * Runs without a lock. If poll() fails (EINTR, no memory), no fd counts as ready: the caller looks
 * at everything again. After an error other than EINTR it sleeps for 1 ms, not to spin.
 */
static void round_poll(struct round *round, uint64_t now)
{
	int n = poll(round->fds, POLL_COUNT, time_poll_ms(now, round->until));
	int error = n < 0 ? errno : 0;

	if (n > 0)
		return;
	if (n < 0 && error != EINTR) {
		struct timespec pause = { .tv_nsec = (long)NS_PER_MS };

		nanosleep(&pause, NULL);
	}
	for (int i = 0; i < POLL_COUNT; i++)
		round->fds[i].revents = 0;
	/* EINVAL: the program has set its limit on open files below POLL_COUNT */
	if (error == EINVAL && round->fds[POLL_CHANNEL].fd >= 0)
		round->fds[POLL_CHANNEL].revents = POLLIN;
}

static void round_dispatch(const struct round *round, struct wait *wait)
{
	struct brood *b = wait->brood;
	short channel = round->fds[POLL_CHANNEL].revents;

	if (!round->leading)
		return;
	if (b->out_state == OUT_FULL ? (channel & (POLLOUT | POLLERR | POLLHUP)) : unsent_due(b))
		out_flush(b);
	if (channel & ~POLLOUT)
		channel_read(b, wait->waiter, wait->handle);
	if (round->fds[POLL_LOG].revents) {
		/* The log callback may take its time, or block in a call of its own. */
		waiter_leave(b, wait->waiter);
		loglines_read(b, LOG_ROUND);
	}
}

static void tell_progress(struct brood *b, struct brood_handle *handle)
{
	struct progress batch;

	if (list_empty(&handle->progress.list))
		return;
	progress_init(&batch);
	progress_move(&handle->progress, &batch);
	/* The callback may take its time, or wait for another call: another thread shall lead. */
	if (handle->waiter)
		waiter_leave(b, handle->waiter);
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
	ANSWER_IF_ASKED();
	round_poll(&round, now);
	if (round.fds[POLL_TRANSFER].revents)
		transfer_step(wait->transfer, round.fds[POLL_TRANSFER].revents);
	if (round.fds[POLL_QUEUES].revents)
		wait->queues_ready = true;
	engine_lock(b);
	waiter_unpoke(wait->waiter);
	round_dispatch(&round, wait);
	if (wait->handle)
		tell_progress(b, wait->handle);
	if (last && !round.leading)
		/*
		 * A last look at the channel before the time-out counts: the verdict may lie there,
		 * and the thread that leads may not have read it yet.
		 */
		channel_read(b, wait->waiter, wait->handle);
}

int wait_until(struct wait *wait)
{
	struct brood *b = wait->brood;
	struct waiter blind;
	bool last = false;
	int r = 0;

	/*
	 * Another thread may have read this job's progress before this thread waits, and nobody
	 * pokes this thread for that. So progress is told first: the job may wait for an answer.
	 */
	if (wait->handle)
		tell_progress(b, wait->handle);
	if (wait->done(wait)) {
		if (wait->handle)
			tell_progress(b, wait->handle); /* tells what came while the callback ran */
		return 0;
	}
	wait->waiter = waiter_take(b, &blind);
	wait->waiter->state = !wait->handle;
	if (wait->handle)
		wait->handle->waiter = wait->waiter;
	wait->queues_ready = false;
	while (!wait->done(wait)) {
		if (last) {
			r = -ETIMEDOUT;
			break;
		}
		if (wait->queues_ready)
			break;
		last = wait->until != TIME_NEVER && wait->until <= now_ns();
		wait_round(wait, last);
	}
	if (wait->handle)
		wait->handle->waiter = NULL;
	waiter_leave(b, wait->waiter);
	waiter_give_back(b, wait->waiter, &blind);
	if (wait->handle && r == 0)
		tell_progress(b, wait->handle); /* tells what came while the last callback ran */
	return r;
}

static bool patience_done(const struct wait *wait)
{
	return list_empty(&wait->brood->out) || wait->brood->fd_used;
}

void wait_for_room(struct brood *b)
{
	struct wait wait = {
		.brood = b, .done = patience_done, .until = now_ns() + OUT_PATIENCE_MS * NS_PER_MS
	};

	if (!b->fd_used)
		wait_until(&wait);
}
