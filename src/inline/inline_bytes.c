/* SPDX-License-Identifier: MIT */
/*
 * inline_bytes.c - a job of bytes runs in the calling thread while a helper thread moves the bytes:
 * the job may reply before it has read all, and request and reply may be larger than a socket's
 * buffer. So the job sees the same socket as a job by handoff.
 */
#include "inline_bytes.h"

#include "../engine/fail.h"
#include "../os/sockets.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

int inline_bytes_thread(pthread_t *ret, void *(*main)(void *), void *arg)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(ret, NULL, main, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r == EAGAIN ? -ENOMEM : -r; /* -EAGAIN would mean that too many jobs wait */
}

static void make_room(struct inline_bytes *b)
{
	size_t want = b->room ? 2 * b->room : 4096;
	char *larger = realloc(b->reply, want);

	b->grow = larger;
	b->reply = larger ? larger : b->reply;
	b->room = larger ? want : b->room;
}

/* Reads some of what the job has replied. False: no more will come. */
static bool read_reply(struct inline_bytes *b)
{
	char spill[16384];
	ssize_t n;

	if (b->grow && b->received == b->room)
		make_room(b);
	n = b->received < b->room
		? recv(b->fd, b->reply + b->received, b->room - b->received, MSG_DONTWAIT)
		: recv(b->fd, spill, sizeof spill, MSG_DONTWAIT);
	b->received += n > 0 ? (size_t)n : 0;
	return n > 0 || (n < 0 && fail_is_later(-errno));
}

/* It is no error if the job does not read all of its request. */
static void write_request(struct inline_bytes *b)
{
	ssize_t n;

	for (; b->at == b->request->iov_len; b->at = 0)
		b->request++;
	n = send(b->fd, (const char *)b->request->iov_base + b->at, b->request->iov_len - b->at,
		MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && fail_is_later(-errno))
		return;
	b->at += n < 0 ? 0 : (size_t)n;
	b->left = n < 0 ? 0 : b->left - (size_t)n;
	if (b->left == 0)
		shutdown(b->fd, SHUT_WR);
}

/* Moves bytes until the reply's end. After that nobody waits for the rest of the request. */
static void *move_bytes(void *bytes)
{
	struct inline_bytes *b = bytes;
	struct pollfd p = { .fd = b->fd };

	if (b->left == 0)
		shutdown(b->fd, SHUT_WR);
	for (;;) {
		p.events = (short)(POLLIN | (b->left > 0 ? POLLOUT : 0));
		if (poll(&p, 1, -1) < 0)
			continue;
		if (b->left > 0 && (p.revents & (POLLOUT | POLLHUP | POLLERR)))
			write_request(b);
		if ((p.revents & (POLLIN | POLLHUP | POLLERR)) && !read_reply(b))
			return NULL;
	}
}

int inline_bytes_begin(struct inline_bytes *b)
{
	int pair[2], r = sockets_pair(SOCK_STREAM, pair);

	if (r < 0)
		return r;
	b->fd = pair[0];
	r = inline_bytes_thread(&b->thread, move_bytes, b);
	if (r < 0) {
		close_fd(pair[0]);
		close_fd(pair[1]);
	}
	return r < 0 ? r : pair[1];
}

void inline_bytes_end(struct inline_bytes *b, bool taken)
{
	if (taken)
		/* the thread reads what is there before it sees the end */
		shutdown(b->fd, SHUT_RD);
	pthread_join(b->thread, NULL);
	close_fd(b->fd);
}
