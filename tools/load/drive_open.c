/* SPDX-License-Identifier: MIT */
/*
 * drive_open.c - an event loop: each thread holds many conversations. Each conversation has a
 * socket of its own, in one epoll beside brood_fd().
 *
 * A job is over when its stream has ended and its verdict has come. The stream ends first, or at
 * about the same time. So a thread asks for the verdict only when the stream has ended, and never
 * walks over all conversations.
 *
 * A trap: several threads share one brood_fd(). A dispatch in one thread brings verdicts for jobs
 * of another thread, and the other thread does not notice. So before a thread sleeps while verdicts
 * are due, it sets `asleep` and then looks once more. A thread whose dispatch has brought something
 * pokes all threads that have set `asleep`.
 */
#include "load.h"
#include "plant.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK            65536
#define EVENTS_MAX       64
#define REFUSED_PAUSE_MS 2
#define LOOK_MS          100

/*
 * IN_NONE: no job. IN_TALK: the stream is open. IN_WAIT: the stream has ended, the verdict is due.
 */
enum place { IN_NONE, IN_TALK, IN_WAIT };

struct conversation {
	/* `all` has the oldest first; the free list uses `next` alone */
	struct conversation *next, *prev;
	struct conversation *next_waiting;
	struct load_job job;
	struct brood_handle *handle;
	int fd;
	enum place place;
	uint64_t sent, received;
	bool sending, intact;
};

struct loop {
	struct driver *driver;
	int epoll_fd;
	struct conversation *slots, *free, *waiting;
	struct conversation all; /* head of a circular list */
	unsigned active;
	bool refused, over;
	unsigned char chunk[CHUNK];
};

static void watch(struct loop *l, struct conversation *c, int how)
{
	struct epoll_event event = { .events = EPOLLIN | (c->sending ? EPOLLOUT : 0),
		.data.ptr = c };

	if (epoll_ctl(l->epoll_fd, how, c->fd, &event) < 0)
		engine_break_off(
			l->driver->engine, "epoll_ctl() of a job's socket: %s", strerror(errno));
}

/*
 * Sends as much as fits. A failed send is no error here: the job may have died, or may not want the
 * rest, and its verdict says which.
 */
static void send_more(struct loop *l, struct conversation *c)
{
	while (c->sent < c->job.size) {
		size_t part = c->job.size - c->sent < CHUNK ? (size_t)(c->job.size - c->sent)
							    : CHUNK;
		ssize_t n;

		payload_fill(c->job.key, c->sent, l->chunk, part);
		n = send(c->fd, l->chunk, part, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS))
			return;
		if (n < 0)
			break;
		c->sent += (uint64_t)n;
	}
	c->sending = false;
	shutdown(c->fd, SHUT_WR);
}

static void finish(struct loop *l, struct conversation *c)
{
	brood_release(c->handle);
	c->handle = NULL;
	c->prev->next = c->next;
	c->next->prev = c->prev;
	c->place = IN_NONE;
	c->next = l->free;
	l->free = c;
	l->active--;
}

/* True: the verdict was there, and the conversation is free now. */
static bool try_verdict(struct loop *l, struct conversation *c)
{
	struct reply reply = { .size = c->received, .intact = c->intact, .judged = true };
	struct brood_verdict verdict = { 0 };

	if (plant_fetch(c->handle, &verdict) < 0)
		return false;
	if (!drive_verdict(l->driver, &c->job, &verdict, &reply))
		return false;
	finish(l, c);
	return true;
}

static void stream_ended(struct loop *l, struct conversation *c)
{
	close(c->fd);
	c->fd = -1;
	c->place = IN_WAIT;
	if (try_verdict(l, c))
		return;
	c->next_waiting = l->waiting;
	l->waiting = c;
}

static void receive_some(struct loop *l, struct conversation *c)
{
	ssize_t n = recv(c->fd, l->chunk, CHUNK, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		stream_ended(l, c);
		return;
	}
	plant_received(&c->job, l->chunk, (size_t)n);
	if (c->received + (uint64_t)n > c->job.size ||
		!payload_same(c->job.key, c->received, l->chunk, (size_t)n))
		c->intact = false;
	c->received += (uint64_t)n;
}

static void on_stream(struct loop *l, struct conversation *c, uint32_t events)
{
	if (c->place != IN_TALK)
		return;
	if (events & EPOLLOUT && c->sending) {
		send_more(l, c);
		if (!c->sending)
			watch(l, c, EPOLL_CTL_MOD);
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		receive_some(l, c);
}

static void scan_waiting(struct loop *l)
{
	struct conversation **at = &l->waiting;

	while (*at) {
		struct conversation *c = *at, *next = c->next_waiting;

		if (try_verdict(l, c))
			*at = next;
		else
			at = &c->next_waiting;
	}
}

static void poke_others(struct loop *l)
{
	struct engine *e = l->driver->engine;

	for (unsigned i = 0; i < e->drivers_count; i++) {
		struct driver *other = &e->drivers[i];

		if (other != l->driver && atomic_exchange(&other->asleep, 0))
			eventfd_write(other->poke_fd, 1);
	}
}

static void dispatch(struct loop *l)
{
	int n = brood_dispatch(l->driver->engine->brood);

	scan_waiting(l);
	if (n)
		poke_others(l);
}

/* False: the job was refused, or there are no more jobs. */
static bool begin_one(struct loop *l)
{
	struct driver *d = l->driver;
	struct conversation *c = l->free;
	int r;

	if (!drive_next(d, &c->job)) {
		l->over = true;
		return false;
	}
	c->sent = c->received = 0;
	c->intact = true;
	r = plant_open(d, &c->job, &c->fd, &c->handle);
	if (r == -EAGAIN || chaos_is_short(r)) {
		drive_refused(d, &c->job, r);
		l->refused = true;
		return false;
	}
	if (r < 0) {
		engine_failed(d->engine, "brood_open()", r);
		return false;
	}
	c->job.id = brood_id(c->handle);
	l->free = c->next;
	c->place = IN_TALK;
	c->next = &l->all;
	c->prev = l->all.prev;
	c->prev->next = l->all.prev = c;
	l->active++;
	c->sending = c->job.size > 0;
	if (c->sending)
		send_more(l, c);
	else if (c->job.kind == KIND_ECHO || c->job.kind == KIND_USER)
		shutdown(c->fd, SHUT_WR);
	watch(l, c, EPOLL_CTL_ADD);
	return true;
}

static void give_up(struct loop *l, struct conversation *c)
{
	struct brood_verdict verdict = { 0 };
	struct reply none = { .judged = false };
	bool there = plant_fetch(c->handle, &verdict) == 0;

	if (c->place == IN_TALK)
		close(c->fd);
	for (struct conversation **at = &l->waiting; *at; at = &(*at)->next_waiting) {
		if (*at == c) {
			*at = c->next_waiting;
			break;
		}
	}
	/* The verdict is there, but the stream did not end: so the reply counts as broken. */
	if (there && drive_verdict(l->driver, &c->job, &verdict, &none)) {
		drive_lock(l->driver);
		l->driver->shard->bad_replies++;
		shard_note(l->driver->shard, REPLIES_INTACT, "%s job %llu: the stream did not end",
			kind_name(c->job.kind), (llu)c->job.id);
		drive_unlock(l->driver);
	} else {
		drive_overdue(l->driver, &c->job, "no verdict within its bound");
	}
	finish(l, c);
}

/*
 * Gives up overdue jobs. All jobs have the same bound, so the oldest is the first to be overdue.
 * Returns in how many ms the oldest will be overdue; 0: there is none.
 */
static int mind_overdue(struct loop *l)
{
	uint64_t now = load_now(), bound = l->driver->engine->bound_ns;

	while (l->active) {
		struct conversation *oldest = l->all.next;

		if (now < oldest->job.start_ns + bound)
			return (int)((oldest->job.start_ns + bound - now) / NS_MS) + 1;
		give_up(l, oldest);
	}
	return 0;
}

/* A wait in the epoll has a bound in milliseconds, which is too coarse for a plan. */
static int wait_paced(struct loop *l, int timeout_ms)
{
	bool may_send = l->free && !l->over && !l->refused;

	pacer_poll(l->driver, l->epoll_fd, may_send, timeout_ms ? (unsigned)timeout_ms : LOOK_MS);
	return 0;
}

static void turn(struct loop *l)
{
	struct epoll_event events[EVENTS_MAX];
	int timeout_ms = mind_overdue(l), n;
	bool dispatch_due = false;

	if (l->refused && (!l->active || timeout_ms > REFUSED_PAUSE_MS))
		timeout_ms = REFUSED_PAUSE_MS;
	if (!l->active && !l->refused && (!l->driver->pacer || l->over))
		return;
	if (l->waiting) {
		atomic_store(&l->driver->asleep, 1);
		scan_waiting(l);
		if (l->free && !l->over && !l->driver->pacer)
			timeout_ms = 0;
	}
	if (l->driver->pacer)
		timeout_ms = wait_paced(l, timeout_ms);
	n = epoll_wait(l->epoll_fd, events, EVENTS_MAX, timeout_ms);
	atomic_store(&l->driver->asleep, 0);
	l->refused = false;
	for (int i = 0; i < n; i++) {
		eventfd_t value;

		if (events[i].data.ptr == l->driver->engine)
			dispatch_due = true;
		else if (events[i].data.ptr == l->driver)
			eventfd_read(l->driver->poke_fd, &value);
		else
			on_stream(l, events[i].data.ptr, events[i].events);
	}
	if (dispatch_due)
		dispatch(l);
	else
		scan_waiting(l);
}

static bool prepare(struct loop *l)
{
	struct driver *d = l->driver;
	struct epoll_event pool = { .events = EPOLLIN, .data.ptr = d->engine },
			   poke = { .events = EPOLLIN, .data.ptr = d };

	l->all.next = l->all.prev = &l->all;
	l->slots = calloc(d->concurrency, sizeof *l->slots);
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!l->slots || l->epoll_fd < 0 ||
		epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, brood_fd(d->engine->brood), &pool) < 0 ||
		epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, d->poke_fd, &poke) < 0) {
		engine_break_off(
			d->engine, "an event loop of %u jobs: %s", d->concurrency, strerror(errno));
		return false;
	}
	for (unsigned i = 0; i < d->concurrency; i++) {
		l->slots[i].next = l->free;
		l->free = &l->slots[i];
	}
	return true;
}

void *drive_open(void *driver)
{
	struct loop *l = calloc(1, sizeof *l);

	if (!l) {
		engine_break_off(((struct driver *)driver)->engine, "no memory for an event loop");
		return NULL;
	}
	l->driver = driver;
	l->epoll_fd = -1;
	if (prepare(l)) {
		do {
			while (l->free && !l->over && !l->refused &&
				pacer_due(l->driver, load_now()) && begin_one(l))
				;
			turn(l);
		} while (l->active || (!l->over && !drive_over(l->driver, load_now())));
	}
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	free(l->slots);
	free(l);
	return NULL;
}
