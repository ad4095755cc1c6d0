/* SPDX-License-Identifier: MIT */
/*
 * out.c - what the engine sends, in order, without ever blocking. A frame goes into the socket at
 * once when nothing stands before it; else it waits here with its fds. What can wait is bounded:
 * one JOB and one CANCEL a record, one NOTIFY of each kind, one INIT_DATA (a newer one replaces
 * it), one STOP.
 *
 * Two reasons to wait, and they need different cures: the socket is full (POLLOUT says when it is
 * not), or the kernel has no room for fds in flight or memory (nothing says when it has: look again
 * in a few ms). Both are looked after by whichever thread leads (wait.c) and by brood_fd()'s epoll;
 * when nothing waits, neither costs anything.
 *
 * The trap: a program that only opens jobs and talks on their sockets, and never blocks in the
 * library nor polls brood_fd(), would never send what waits. So whoever adds to the queue of such a
 * program waits a little for it to empty (out_patience).
 */
#include "internal.h"

#include "../os/closing.h"
#include "../os/fds.h"
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

static bool error_is_full(int r) { return r == -EAGAIN; }
static bool error_is_later(int r) { return r == -ETOOMANYREFS || r == -ENOBUFS || r == -ENOMEM; }
static bool error_is_gone(int r) { return r == -EPIPE || r == -ECONNRESET || r == -ENOTCONN; }

void out_drop(struct brood *b, struct out *out)
{
	list_remove(&out->link);
	for (size_t i = 0; i < out->fds_count; i++)
		closing_fd(out->fds[i]);
	free(out);
	if (list_empty(&b->out))
		b->out_state = OUT_OPEN;
}

/* Init data, or a status. READY is said once and must not be lost. */
static bool out_replaces(const struct out *newer, const struct out *older)
{
	const size_t kind = offsetof(struct frame, notify.kind);
	uint32_t a, b;

	if (newer->type != older->type || newer == older || newer->job)
		return false;
	if (newer->type != MESSAGE_NOTIFY)
		return newer->type == MESSAGE_INIT_DATA;
	memcpy(&a, newer->bytes + kind, sizeof a);
	memcpy(&b, older->bytes + kind, sizeof b);
	return a == b;
}

void out_drop_older(struct brood *b)
{
	const struct out *newest = list_empty(&b->out)
		? NULL
		: container_of(b->out.prev, struct out, link);

	list_for_each_safe(link, tmp, &b->out) {
		struct out *out = container_of(link, struct out, link);

		if (out_replaces(newest, out))
			out_drop(b, out);
	}
}

static void out_wait(struct brood *b, int error)
{
	b->out_state = error_is_full(error) ? OUT_FULL : OUT_LATER;
	b->out_retry = b->out_state == OUT_LATER ? now_ns() + OUT_RETRY_MS * NS_PER_MS : TIME_NEVER;
}

bool out_due(const struct brood *b)
{
	return b->out_state == OUT_LATER && now_ns() >= b->out_retry;
}

static int out_send_first(struct brood *b, struct out *out)
{
	struct frame f;

	memset(&f, 0, offsetof(struct frame, fds));
	memcpy((unsigned char *)&f, out->bytes, out->size);
	memcpy(f.fds, out->fds, sizeof out->fds[0] * out->fds_count);
	f.fds_count = out->fds_count;
	f.fds_lost = 0;
	return frame_send(b->channel_fd, &f);
}

/* A frame that can never be sent: its job never ran, and says so. */
static void out_give_up(struct brood *b, struct out *out)
{
	uint64_t job = out->job;

	out_drop(b, out);
	if (job)
		record_give_up(b, job, BROOD_REFUSED, BROOD_DETAIL_FD_LOST, false);
}

void out_flush(struct brood *b)
{
	while (!list_empty(&b->out) && !b->lost) {
		struct out *out = container_of(list_first(&b->out), struct out, link);
		int r = out_send_first(b, out);

		if (r >= 0) {
			out_drop(b, out);
		} else if (error_is_full(r) || error_is_later(r)) {
			out_wait(b, r);
			break;
		} else if (error_is_gone(r)) {
			out_failed(b, r, "sending to the supervisor");
			break;
		} else {
			out_give_up(b, out);
		}
	}
	if (list_empty(&b->out))
		waiters_poke(b);
	out_watch(b);
}

static int out_copy_fds(struct out *out, const struct frame *f, size_t owned)
{
	for (size_t i = 0; i < f->fds_count; i++) {
		int fd = i < owned ? f->fds[i] : fds_dup_above(f->fds[i], 3);

		if (fd < 0) {
			for (size_t k = owned; k < i; k++)
				close_fd(out->fds[k]);
			return fd;
		}
		out->fds[i] = fd;
	}
	out->fds_count = f->fds_count;
	return 0;
}

static int out_append(struct brood *b, struct frame *f, uint64_t job, size_t owned)
{
	size_t size = f->header.size;
	struct out *out = malloc(sizeof *out + size);
	bool first = list_empty(&b->out);
	int r;

	if (!out)
		return -ENOMEM;
	*out = (struct out){ .job = job, .type = f->header.type, .size = size };
	r = out_copy_fds(out, f, owned);
	if (r < 0) {
		free(out);
		return r;
	}
	memcpy(out->bytes, (const unsigned char *)f, size);
	list_append(&out->link, &b->out);
	if (first) {
		if (b->leader && b->leader != b->reader)
			waiter_poke(b->leader);
		out_watch(b);
	}
	return 1;
}

int out_send(struct brood *b, struct frame *f, uint64_t job, size_t owned)
{
	int r;

	if (!channel_ours(b))
		return -ENOTCONN;
	if (b->out_state == OUT_FULL || out_due(b))
		out_flush(b);
	if (b->lost)
		return -ENOTCONN;
	if (!list_empty(&b->out))
		return out_append(b, f, job, owned);
	r = frame_send(b->channel_fd, f);
	if (r >= 0)
		return 0;
	if (!error_is_full(r) && !error_is_later(r))
		return r;
	out_wait(b, r);
	r = out_append(b, f, job, owned);
	if (r < 0)
		b->out_state = OUT_OPEN;
	return r;
}

/* A failed send proves nothing about what can still be read: verdicts may lie before the end. */
int out_failed(struct brood *b, int error, const char *what)
{
	if (!error_is_gone(error))
		return engine_fail_system(error, what);
	channel_read(b, b->reader, NULL);
	channel_lost(b);
	return engine_fail_gone();
}

void out_watch(struct brood *b)
{
	bool out = b->out_state == OUT_FULL && !b->lost,
	     later = b->out_state == OUT_LATER && !b->lost;

	if (!b->fd_used || b->state == ENGINE_STOPPED)
		return;
	if (out != b->epoll_out && !b->lost) {
		struct epoll_event event = { .events = EPOLLIN | (out ? EPOLLOUT : 0),
			.data.fd = b->channel_fd };

		epoll_ctl(b->epoll_fd, EPOLL_CTL_MOD, b->channel_fd, &event);
		b->epoll_out = out;
	}
	/* Setting it also takes back its readability: nobody needs to read it. */
	if (later || b->timer_set) {
		struct itimerspec spec = { .it_value.tv_nsec =
						   later ? OUT_RETRY_MS * (long)NS_PER_MS : 0 };

		timerfd_settime(b->timer_fd, 0, &spec, NULL);
		b->timer_set = later;
	}
}

static bool patience_done(const struct wait *wait)
{
	return list_empty(&wait->brood->out) || wait->brood->fd_used;
}

void out_patience(struct brood *b)
{
	struct wait wait = {
		.brood = b, .done = patience_done, .until = now_ns() + OUT_PATIENCE_MS * NS_PER_MS
	};

	if (!b->fd_used)
		wait_until(&wait);
}
