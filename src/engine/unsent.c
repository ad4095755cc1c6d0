/* SPDX-License-Identifier: MIT */
/*
 * unsent.c - frames that wait for room in the socket to the supervisor, in order, with their fds.
 *
 * A frame waits for one of two reasons, which need different cures. The socket is full: POLLOUT
 * says when it is not. Or the kernel has no room for fds in flight, or no memory: nothing says when
 * it has again, so the engine tries again in a few ms. The thread that leads (wait.c) looks after
 * both, and so does the epoll behind brood_fd(). A queue hears of the first frame that waits by an
 * eventfd, and tries again by its timer (behind.c): all threads may sleep in queues, or poll the fd
 * of one. When no frame waits, none of that costs anything.
 */
#include "unsent.h"

#include "engine_root.h"
#include "waiter.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

void unsent_drop(struct brood *b, struct out *out)
{
	list_remove(&out->link);
	for (size_t i = 0; i < out->fds_count; i++)
		closing_fd(out->fds[i]);
	free(out);
	if (list_empty(&b->out)) {
		b->out_state = OUT_OPEN;
		atomic_store_explicit(&b->unsent, false, memory_order_relaxed);
	}
}

static bool is_status(const struct out *out)
{
	uint32_t kind;

	memcpy(&kind, out->bytes + offsetof(struct frame, notify.kind), sizeof kind);
	return kind == NOTIFY_STATUS;
}

/*
 * True: the newer message makes the older one, which waits to be sent, needless. Both are init
 * data, a size or a reload for one pool, or both are a status, or keep a file under one name. A
 * READY is said once, so nothing may replace it.
 */
static bool out_replaces(const struct out *newer, const struct out *older)
{
	size_t at = offsetof(struct frame, init_data.pool), size = sizeof(uint32_t);

	if (newer->type != older->type || newer == older || newer->job)
		return false;
	if (newer->type == MESSAGE_NOTIFY)
		at = offsetof(struct frame, notify.kind);
	else if (newer->type == MESSAGE_RESIZE)
		at = offsetof(struct frame, asked.resize.pool);
	else if (newer->type == MESSAGE_RELOAD)
		at = offsetof(struct frame, reload.pool);
	else if (newer->type == MESSAGE_KEEP)
		at = offsetof(struct frame, asked.keep), size = sizeof(struct message_keep);
	else if (newer->type != MESSAGE_INIT_DATA)
		return false;
	return memcmp(newer->bytes + at, older->bytes + at, size) == 0 &&
		(newer->type != MESSAGE_NOTIFY || is_status(newer));
}

void unsent_drop_older(struct brood *b)
{
	struct out *newest = list_empty(&b->out) ? NULL
						 : container_of(b->out.prev, struct out, link);

	list_for_each_safe(link, tmp, &b->out) {
		struct out *out = container_of(link, struct out, link);

		if (!out_replaces(newest, out))
			continue;
		/*
		 * A reload that waits behind the older init data is to be about the newer: so the
		 * newer takes the older one's place. A reload is about all that was said before it,
		 * and stays the last.
		 */
		if (newest->type != MESSAGE_RELOAD) {
			list_remove(&newest->link);
			list_insert(&newest->link, &out->link);
		}
		unsent_drop(b, out);
		break; /* of each kind one waits at most */
	}
}

void unsent_wait(struct brood *b, int error)
{
	b->out_state = error == -EAGAIN ? OUT_FULL : OUT_LATER;
	b->out_retry = b->out_state == OUT_LATER ? now_ns() + OUT_RETRY_MS * NS_PER_MS : TIME_NEVER;
}

bool unsent_due(const struct brood *b)
{
	return b->out_state == OUT_LATER && now_ns() >= b->out_retry;
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

void unsent_watch(struct brood *b)
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
	/* Setting the timer also ends its readability, so nobody needs to read it. */
	if (later || b->timer_set) {
		struct itimerspec spec = { .it_value.tv_nsec =
						   later ? OUT_RETRY_MS * (long)NS_PER_MS : 0 };

		timerfd_settime(b->timer_fd, 0, &spec, NULL);
		b->timer_set = later;
	}
}

int unsent_append(struct brood *b, struct frame *f, uint64_t job, size_t owned)
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
		/* stored before the poke: a thread that sleeps in a queue looks at it then */
		atomic_store(&b->unsent, true);
		if (b->unsent_fd >= 0)
			fds_poke(b->unsent_fd);
		if (b->leader && b->leader != b->reader)
			waiter_poke(b->leader);
		unsent_watch(b);
	}
	return 1;
}
