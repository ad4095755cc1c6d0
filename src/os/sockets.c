/* SPDX-License-Identifier: MIT */
#include "sockets.h"
#include "closing.h"

#include <sys/socket.h>

#define RESETS_MAX 4

int sockets_pair(int type, int ret_fds[2])
{
	int fds[2];

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	return 0;
}

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int) * SOCKETS_FDS_MAX)];
};

static void attach(struct msghdr *msg, union control *control, const int *fds, size_t count)
{
	struct cmsghdr *c;

	memset(control, 0, sizeof *control);
	msg->msg_control = control;
	msg->msg_controllen = CMSG_SPACE(sizeof(int) * count);
	c = CMSG_FIRSTHDR(msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * count);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
}

ssize_t sockets_send(
	int fd, const struct iovec *iov, int iov_count, const int *fds, size_t fds_count)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov,
		.msg_iovlen = (size_t)iov_count };
	union control control;
	ssize_t n;

	if (fds_count > SOCKETS_FDS_MAX)
		return -EINVAL;
	if (fds_count > 0)
		attach(&msg, &control, fds, fds_count);
	n = TEMP_FAILURE_RETRY(sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL));
	return n < 0 ? -errno : n;
}

static void collect(struct msghdr *msg, struct sockets_received *ret)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
			c->cmsg_len < CMSG_LEN(0))
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (ret->fds_count < SOCKETS_FDS_MAX)
				ret->fds[ret->fds_count++] = fd;
			else
				closing_fd(fd);
		}
	}
}

ssize_t sockets_receive(int fd, void *data, size_t size, int flags, struct sockets_received *ret)
{
	int resets = 0;

	for (;;) {
		struct iovec iov = { .iov_base = data, .iov_len = size };
		union control control;
		struct msghdr msg = { .msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof control };
		ssize_t n = TEMP_FAILURE_RETRY(
			recvmsg(fd, &msg, flags | MSG_CMSG_CLOEXEC | MSG_NOSIGNAL));

		if (n < 0 && errno == ECONNRESET && resets++ < RESETS_MAX)
			continue; /* ECONNRESET comes before the messages that are still queued */
		ret->fds_count = 0;
		ret->fds_lost = ret->bytes_lost = 0;
		if (n < 0)
			return errno == ECONNRESET ? 0 : -errno;
		collect(&msg, ret);
		ret->fds_lost = (msg.msg_flags & MSG_CTRUNC) != 0;
		ret->bytes_lost = (msg.msg_flags & MSG_TRUNC) != 0;
		/*
		 * The end, or an empty message: no caller would look for fds there, so they are
		 * closed.
		 */
		if (n == 0)
			while (ret->fds_count > 0)
				closing_fd(ret->fds[--ret->fds_count]);
		return n;
	}
}

int sockets_is_stream_socket(int fd)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof(int), peer_size = sizeof peer;
	int type, listening = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
		return -errno;
	if (type != SOCK_STREAM && type != SOCK_SEQPACKET)
		return -EPROTOTYPE;
	if (getpeername(fd, (struct sockaddr *)&peer, &peer_size) == 0)
		return 0;
	if (errno != ENOTCONN)
		return -errno;
	size = sizeof listening;
	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening
		? -EPROTOTYPE
		: -ENOTCONN;
}
