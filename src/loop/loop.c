/* SPDX-License-Identifier: MIT */
/*
 * loop.c - epoll and timers.
 *
 * A timer runs only after an epoll_wait() that began after the timer's time has found no ready
 * event. A process that was stopped for a while finds a deadline passed and, in the socket, the
 * answer that the deadline was for: the answer must win. This costs one more epoll_wait() for each
 * due timer, and nothing otherwise. Under steady traffic there may always be a ready event: so
 * after ROUNDS_MAX busy rounds the timers run all the same.
 */
#include "loop.h"

#define ROUNDS_MAX 16
#define RETRY_NS   (10 * NS_PER_MS)

int loop_init(struct loop *loop, size_t timers)
{
	int r;

	memset(loop, 0, sizeof *loop);
	loop->epoll_fd = -1;
	r = heap_init(&loop->timers, timers);
	if (r < 0)
		return r;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		r = -errno;
		heap_free(&loop->timers);
		return r;
	}
	loop->now = now_ns();
	return 0;
}

void loop_close(struct loop *loop)
{
	loop->epoll_fd = close_fd(loop->epoll_fd);
	heap_free(&loop->timers);
}

static int control(struct loop *loop, int op, int fd, struct source *source, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = source };

	return epoll_ctl(loop->epoll_fd, op, fd, &e) < 0 ? -errno : 0;
}

int loop_add(struct loop *loop, struct source *source, int fd, uint32_t events, source_fn *on)
{
	int r = control(loop, EPOLL_CTL_ADD, fd, source, events);

	if (r < 0)
		return r;
	source->fd = fd;
	source->events = events;
	source->on = on;
	return 0;
}

int loop_modify(struct loop *loop, struct source *source, uint32_t events)
{
	int r;

	if (source->events == events)
		return 0;
	r = control(loop, EPOLL_CTL_MOD, source->fd, source, events);
	if (r == 0)
		source->events = events;
	return r;
}

void loop_remove(struct loop *loop, struct source *source)
{
	if (source->fd < 0)
		return;
	control(loop, EPOLL_CTL_DEL, source->fd, NULL, 0);
	source->fd = -1;
	for (int i = 0; i < loop->batch_count; i++)
		if (loop->batch[i].data.ptr == source)
			loop->batch[i].data.ptr = NULL;
}

static uint64_t next_timer(const struct loop *loop)
{
	const struct heap_node *first = heap_first(&loop->timers);

	return first ? first->key : TIME_NEVER;
}

/* A timer that sets itself again for a time already passed waits for the next pass. */
static void run_timers(struct loop *loop, uint64_t until)
{
	for (size_t left = loop->timers.count; left > 0 && !loop->stop; left--) {
		struct heap_node *first = heap_first(&loop->timers);
		struct timer *t;

		if (!first || first->key > until)
			return;
		t = container_of(first, struct timer, node);
		timer_stop(loop, t);
		t->on(t, loop->now);
	}
}

static void dispatch(struct loop *loop, int count)
{
	loop->batch_count = count;
	for (int i = 0; i < loop->batch_count && !loop->stop; i++) {
		struct source *s = loop->batch[i].data.ptr;

		if (s)
			s->on(s, loop->batch[i].events);
	}
	loop->batch_count = 0;
}

/* Returns how many events there are; -EAGAIN: none, look again; another -errno: the loop ends. */
static int wait_events(struct loop *loop, int timeout)
{
	static const struct timespec pause = { .tv_nsec = RETRY_NS };
	int n = epoll_wait(loop->epoll_fd, loop->batch, LOOP_BATCH, timeout);

	if (n >= 0)
		return n;
	if (errno == EBADF || errno == EINVAL || errno == EFAULT)
		return -errno;
	if (errno != EINTR)
		nanosleep(&pause, NULL);
	return -EAGAIN;
}

/* False: the loop shall stop. */
static bool settle(struct loop *loop)
{
	if (loop->settle && !loop->stop)
		loop->settle(loop);
	return !loop->stop;
}

int loop_run(struct loop *loop)
{
	int busy = 0;

	loop->stop = false;
	while (settle(loop)) {
		uint64_t before = now_ns(), due = next_timer(loop);
		int n = wait_events(loop, time_poll_ms(before, due));

		if (n < 0 && n != -EAGAIN)
			return n;
		loop->now = now_ns();
		if (n > 0)
			dispatch(loop, n);
		if (due > before)
			busy = 0;
		else if (n == 0 || (n > 0 && ++busy >= ROUNDS_MAX)) {
			busy = 0;
			/* Events that have come count before timers whose time is up. */
			if (!settle(loop))
				break;
			run_timers(loop, before);
		}
	}
	return 0;
}
