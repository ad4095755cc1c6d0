/* SPDX-License-Identifier: MIT */
/*
 * sockets.h - socketpairs, and messages with fds on them. All calls are MSG_DONTWAIT and
 * MSG_NOSIGNAL, whatever O_NONBLOCK says: a peer may hold the same open file.
 */
#ifndef BROOD_OS_SOCKETS_H
#define BROOD_OS_SOCKETS_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#define SOCKETS_FDS_MAX 36

int sockets_pair(int type, int ret_fds[2]); /* AF_UNIX, close-on-exec, blocking */
/*
 * One message; EINTR is tried again. Returns bytes sent or -errno (-EAGAIN: full; -ETOOMANYREFS,
 * -ENOBUFS, -ENOMEM: later; -EPIPE, -ECONNRESET: gone).
 */
ssize_t sockets_send(
	int fd, const struct iovec *iov, int iov_count, const int *fds, size_t fds_count);
/*
 * One message: bytes, 0 at the end, or -errno (-EAGAIN). flags: MSG_DONTWAIT, or 0 to block. Fds
 * come close-on-exec; *ret_truncated: fds were lost (MSG_CTRUNC), or bytes (MSG_TRUNC). A SEQPACKET
 * whose peer died with unread data says ECONNRESET once, before messages still queued: this reads
 * on, so that it never comes out.
 */
struct sockets_received {
	int fds[SOCKETS_FDS_MAX];
	size_t fds_count;
	int fds_lost, bytes_lost;
};
ssize_t sockets_receive(int fd, void *data, size_t size, int flags, struct sockets_received *ret);
/*
 * 0; -ENOTSOCK; -EBADF; -EPROTOTYPE: not a stream or seqpacket socket, or a listening one;
 * -ENOTCONN
 */
int sockets_is_stream_socket(int fd);
/*
 * close() that does not wait, whatever SO_LINGER says: the kernel sends the rest in its own time.
 * (l_linger 0, an abortive close, stays.) Returns -1, as close_fd().
 */
int sockets_close(int fd);

#endif
