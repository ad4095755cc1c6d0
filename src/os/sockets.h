/* SPDX-License-Identifier: MIT */
/*
 * sockets.h - socketpairs, and messages with fds. A send never blocks, and a receive blocks only
 * when asked to, whatever O_NONBLOCK says: a peer may share the same open file and its flags.
 */
#ifndef BROOD_OS_SOCKETS_H
#define BROOD_OS_SOCKETS_H

#include "../base/base.h"
#include <sys/uio.h>

#define SOCKETS_FDS_MAX 36

int sockets_pair(int type, int ret_fds[2]); /* makes an AF_UNIX pair: close-on-exec, blocking */
/*
 * Sends one message; tries again after EINTR. Returns the bytes sent or -errno. -EAGAIN: the queue
 * is full; -ETOOMANYREFS, -ENOBUFS, -ENOMEM: try later; -EPIPE, -ECONNRESET: the peer is gone.
 */
ssize_t sockets_send(
	int fd, const struct iovec *iov, int iov_count, const int *fds, size_t fds_count);
/*
 * Receives one message. Returns its bytes, 0 at the end, or -errno (-EAGAIN). flags: MSG_DONTWAIT,
 * or 0 to block. Fds come close-on-exec. fds_lost: fds did not come (MSG_CTRUNC). bytes_lost: the
 * message was larger (MSG_TRUNC). When the peer of a SEQPACKET socket dies with unread data, the
 * kernel says ECONNRESET once, before the messages that are still queued. This function reads on,
 * so ECONNRESET never comes out.
 */
struct sockets_received {
	int fds[SOCKETS_FDS_MAX];
	size_t fds_count;
	int fds_lost, bytes_lost;
};
ssize_t sockets_receive(int fd, void *data, size_t size, int flags, struct sockets_received *ret);
/*
 * Returns 0; -ENOTSOCK; -EBADF; -ENOTCONN; or -EPROTOTYPE: this is no stream or seqpacket socket,
 * or it listens.
 */
int sockets_is_stream_socket(int fd);

#endif
