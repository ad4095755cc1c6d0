/* SPDX-License-Identifier: MIT */
/*
 * control.c - a bare epoll loop beside the pool: a byte goes to another thread and back, once a
 * millisecond. Its longest time from one answer to the next is what the machine costs in this run,
 * whatever the pool does.
 */
#include "control.h"
#include "load.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct control {
	pthread_t asks, answers;
	int epoll, timer, pair[2];
	_Atomic uint32_t over;
	uint64_t longest_ns;
};

/* The other end is closed: that ends the thread. */
static void *answer(void *control)
{
	struct control *c = control;
	struct epoll_event event;
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	char byte;

	event = (struct epoll_event){ .events = EPOLLIN };
	if (epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, c->pair[1], &event) == 0)
		while (epoll_wait(epoll, &event, 1, -1) < 0 ||
			(read(c->pair[1], &byte, 1) == 1 &&
				send(c->pair[1], &byte, 1, MSG_NOSIGNAL) == 1))
			;
	if (epoll >= 0)
		close(epoll);
	return NULL;
}

/* True: an answer came. */
static bool ask_or_hear(struct control *c, int fd)
{
	uint64_t times;
	char byte = 0;

	if (fd == c->pair[0])
		return read(fd, &byte, 1) == 1;
	if (read(fd, &times, sizeof times) == sizeof times &&
		send(c->pair[0], &byte, 1, MSG_NOSIGNAL) != 1)
		atomic_store(&c->over, 1);
	return false;
}

static void *ask(void *control)
{
	struct control *c = control;
	uint64_t last = load_now(), now;
	struct epoll_event event;

	while (!atomic_load(&c->over)) {
		if (epoll_wait(c->epoll, &event, 1, -1) != 1 || !ask_or_hear(c, event.data.fd))
			continue;
		now = load_now();
		if (now - last > c->longest_ns)
			c->longest_ns = now - last;
		last = now;
	}
	shutdown(c->pair[0], SHUT_RDWR);
	return NULL;
}

static bool open_all(struct control *c)
{
	const struct itimerspec each_ms = { .it_interval.tv_nsec = (long)NS_MS,
		.it_value.tv_nsec = (long)NS_MS };
	struct epoll_event timer, answers;

	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	c->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (c->epoll < 0 || c->timer < 0 ||
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, c->pair) < 0)
		return false;
	timer = (struct epoll_event){ .events = EPOLLIN, .data.fd = c->timer };
	answers = (struct epoll_event){ .events = EPOLLIN, .data.fd = c->pair[0] };
	return epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->timer, &timer) == 0 &&
		epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->pair[0], &answers) == 0 &&
		timerfd_settime(c->timer, 0, &each_ms, NULL) == 0;
}

static void close_all(struct control *c)
{
	const int fds[] = { c->epoll, c->timer, c->pair[0], c->pair[1] };

	for (unsigned i = 0; i < COUNT_OF(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(c);
}

struct control *control_begin(void)
{
	struct control *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->epoll = c->timer = c->pair[0] = c->pair[1] = -1;
	if (open_all(c) && pthread_create(&c->answers, NULL, answer, c) == 0) {
		if (pthread_create(&c->asks, NULL, ask, c) == 0)
			return c;
		shutdown(c->pair[0], SHUT_RDWR);
		pthread_join(c->answers, NULL);
	}
	close_all(c);
	return NULL;
}

uint64_t control_end(struct control *c)
{
	uint64_t longest;

	if (!c)
		return 0;
	atomic_store(&c->over, 1); /* seen at the next tick */
	pthread_join(c->asks, NULL);
	pthread_join(c->answers, NULL);
	longest = c->longest_ns;
	close_all(c);
	return longest;
}
