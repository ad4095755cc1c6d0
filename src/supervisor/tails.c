/* SPDX-License-Identifier: MIT */
/*
 * tails.c - see tails.h. The worker has the write end of a pipe as its stderr, and the supervisor
 * reads the other end.
 *
 * A worker that writes for ever must not cost the supervisor's time. All pipes are in an epoll fd
 * of their own, which is one source of the loop: so one system call turns all of them off, for some
 * milliseconds after much was read, or while stderr takes nothing (relay.c). The workers then wait
 * in write(), once their pipes are full.
 *
 * A read takes all that a pipe of usual size holds: so a line that was written by one write() of
 * 4096 bytes or less is not torn, unless the worker has made its pipe larger.
 *
 * The pipe is closed when the worker has ended. A process that a job left cannot hold it open, and
 * is killed by SIGPIPE, or gets EPIPE, if it writes there.
 */
#include "tails.h"
#include "relay.h"

#include <fcntl.h>
#include <sys/epoll.h>

#define PIPES_A_TURN 4
/*
 * At most so many bytes a millisecond, on average. A read of few bytes costs as much as one of
 * READ_COST.
 */
#define PACE_BYTES ((uint64_t)64 << 10)
#define READ_COST  ((size_t)4096)
/* A dead worker may have so much in its pipe: the largest that a user without rights can make. */
#define DRAIN_MAX ((size_t)1 << 20)

static struct slot_tail *tail_of(const struct slot *slot)
{
	const struct pool *pool = slot->pool;

	return pool->tails ? &pool->tails[slot - pool->slot_array] : NULL;
}

static void forget(struct slot *slot)
{
	struct slot_tail *t = tail_of(slot);

	if (t->fd < 0)
		return;
	epoll_ctl(slot->pool->supervisor->tails.epoll_fd, EPOLL_CTL_DEL, t->fd, NULL);
	t->fd = close_fd(t->fd);
}

/* Returns how many bytes there were. At the end of the pipe it is closed. */
static size_t read_once(struct slot *slot)
{
	struct supervisor *s = slot->pool->supervisor;
	struct slot_tail *t = tail_of(slot);
	ssize_t n;

	if (!t || t->fd < 0)
		return 0;
	n = TEMP_FAILURE_RETRY(read(t->fd, s->tails.chunk, RELAY_CHUNK));
	if (n > 0) {
		tail_add(t->tail, s->tails.chunk, (size_t)n);
		relay_write(s, s->tails.chunk, (size_t)n);
	} else if (n == 0 || errno != EAGAIN) {
		forget(slot);
	}
	return (size_t)MAX(n, 0);
}

/* ---- while workers live ---- */

/* events 0: all pipes rest. This call cannot fail for want of memory. */
static void watch(struct supervisor *s, uint32_t events)
{
	(void)loop_modify(&s->loop, &s->tails.readable, events);
}

static void readable(struct source *source, uint32_t events)
{
	struct supervisor *s = container_of(source, struct supervisor, tails.readable);
	struct epoll_event ready[PIPES_A_TURN];
	const uint64_t now = s->loop.now;
	uint64_t rest_ns;
	int count;

	(void)events;
	if (relay_waits(s)) { /* for what a dead worker has left */
		watch(s, 0);
		return;
	}
	if (now - s->tails.began_ns >= NS_PER_MS) {
		s->tails.began_ns = now;
		s->tails.bytes = 0;
	}
	count = epoll_wait(s->tails.epoll_fd, ready, PIPES_A_TURN, 0);
	/* Each is read, whatever stderr takes: relay.c has the room. So each pipe has its turn. */
	for (int i = 0; i < count; i++)
		s->tails.bytes += MAX(read_once(ready[i].data.ptr), READ_COST);
	rest_ns = s->tails.bytes / PACE_BYTES * NS_PER_MS;
	if (relay_waits(s)) {
		watch(s, 0);
	} else if (rest_ns > 0) {
		watch(s, 0);
		timer_set(&s->loop, &s->tails.again, now + rest_ns);
	}
}

void tails_resume(struct supervisor *s)
{
	if (s->tails.readable.fd >= 0 && !timer_running(&s->tails.again))
		watch(s, EPOLLIN);
}

void tails_again_fired(struct timer *timer, uint64_t now)
{
	struct supervisor *s = container_of(timer, struct supervisor, tails.again);

	(void)now;
	if (!relay_waits(s))
		tails_resume(s);
}

/* ---- a birth and a death ---- */

static int watch_pipe(struct slot *slot, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = slot };

	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
		epoll_ctl(slot->pool->supervisor->tails.epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0)
		return -errno;
	return 0;
}

int tails_open(struct slot *slot, int *ret_stderr)
{
	int ends[2], r;

	*ret_stderr = -1;
	if (!tail_of(slot))
		return 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	r = watch_pipe(slot, ends[0]);
	if (r < 0) {
		close_fd(ends[0]);
		close_fd(ends[1]);
		return r;
	}
	tail_clear(tail_of(slot)->tail);
	tail_of(slot)->fd = ends[0];
	*ret_stderr = ends[1];
	return 0;
}

void tails_drain(struct slot *slot)
{
	size_t sum = 0, n;

	while (sum < DRAIN_MAX && (n = read_once(slot)) > 0)
		sum += n;
}

void tails_close(struct slot *slot)
{
	if (!tail_of(slot))
		return;
	tails_drain(slot);
	forget(slot);
}

void tails_put(const struct slot *slot, char text[BROOD_REPORT_STDERR])
{
	const struct slot_tail *t = tail_of(slot);

	if (t)
		tail_text(t->tail, slot->pool->options->stderr_lines, text, BROOD_REPORT_STDERR);
}

/* ---- the start ---- */

/* The bytes are not touched here: they cost memory only where workers write. */
static int make_tails(struct pool *pool)
{
	struct tail *tails;

	if (pool->options->stderr_lines == 0)
		return 0;
	pool->tails = calloc(pool->places, sizeof *pool->tails);
	tails = calloc(pool->places, sizeof *tails);
	if (!pool->tails || !tails) {
		free(tails);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < pool->places; i++)
		pool->tails[i] = (struct slot_tail){ .fd = -1, .tail = &tails[i] };
	return 1;
}

void tails_free(struct supervisor *s)
{
	for_each_pool(pool, s) if (pool->tails)
	{
		free(pool->tails[0].tail);
		free(pool->tails);
	}
	free(s->tails.chunk);
	free(s->tails.relay.bytes);
}

int tails_prepare(struct supervisor *s)
{
	int r, any = 0;

	for_each_pool(pool, s)
	{
		r = make_tails(pool);
		if (r < 0)
			return r;
		any |= r;
	}
	if (!any)
		return 0;
	r = relay_prepare(s);
	if (r < 0)
		return r;
	s->tails.chunk = malloc(RELAY_CHUNK);
	if (!s->tails.chunk)
		return -ENOMEM;
	s->tails.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->tails.epoll_fd < 0)
		return -errno;
	return loop_add(&s->loop, &s->tails.readable, s->tails.epoll_fd, EPOLLIN, readable);
}
