/* SPDX-License-Identifier: MIT */
/* bytes.c - see bytes.h. */
#include "bytes.h"

#include "../base/base.h"

#include <limits.h>
#include <poll.h>
#include <sys/socket.h>

/*
 * Called after a read or write has failed. Returns 0: the fd is ready now, or a signal came: call
 * again; else -errno, which the caller returns.
 */
static int wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	if (errno == EINTR)
		return 0;
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		return -errno;
	return poll(&p, 1, -1) < 0 && errno != EINTR ? -errno : 0;
}

/*
 * An AF_UNIX peer that closes its socket with bytes unread makes recv() say ECONNRESET here, after
 * all that it had sent was read. That is the end of the stream, and no error. On TCP a reset may
 * have lost bytes, so it is an error.
 */
static bool reset_is_end(int fd)
{
	int domain = -1;
	socklen_t size = sizeof domain;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

ssize_t bytes_receive(int fd, void *data, size_t size)
{
	ssize_t n;
	int r;

	for (;;) {
		n = recv(fd, data, MIN(size, (size_t)SSIZE_MAX), 0);
		if (n >= 0)
			return n;
		if (errno == ECONNRESET)
			return reset_is_end(fd) ? 0 : -ECONNRESET;
		r = wait_for(fd, POLLIN);
		if (r < 0)
			return r;
	}
}

ssize_t bytes_send(int fd, const void *data, size_t size)
{
	size_t sent = 0;
	ssize_t n;
	int r;

	while (sent < size) {
		n = send(fd, (const char *)data + sent, size - sent, MSG_NOSIGNAL);
		if (n >= 0) {
			sent += (size_t)n;
			continue;
		}
		if (errno == ECONNRESET)
			return -EPIPE;
		r = wait_for(fd, POLLOUT);
		if (r < 0)
			return r;
	}
	return (ssize_t)size;
}
