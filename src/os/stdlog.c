/* SPDX-License-Identifier: MIT */
#include "stdlog.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* POLLOUT of a terminal promises little room; a write of more would block. */
#define TERMINAL_ROOM 256

void stdlog_open(struct stdlog *l, const struct journal_stream *stream)
{
	struct stat st;

	*l = (struct stdlog){ .fd = STDERR_FILENO, .journal.fd = -1 };
	if (fstat(STDERR_FILENO, &st) < 0) {
		l->fd = -1;
		return;
	}
	l->socket = S_ISSOCK(st.st_mode);
	l->terminal = S_ISCHR(st.st_mode);
	l->levels = journal_is_stderr(stream);
	if (l->levels)
		journal_open(&l->journal, JOURNAL_SOCKET);
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
		int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

		if (fd >= 0) {
			l->fd = fd;
			l->own = true;
		}
	}
}

/*
 * True: a write to this shared file returns at once, with bytes or with an error. POLLOUT of a pipe
 * promises room for PIPE_BUF bytes. When the reader of a full pipe dies, poll() says POLLERR alone.
 */
static bool has_room(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLOUT | POLLERR | POLLHUP));
}

static ssize_t put(const struct stdlog *l, const char *bytes, size_t size)
{
	ssize_t n;

	if (l->fd < 0)
		return -EBADF;
	if (!l->own && !l->socket && !has_room(l->fd))
		return -EAGAIN;
	n = TEMP_FAILURE_RETRY(l->socket ? send(l->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL)
					 : write(l->fd, bytes, size));
	return n < 0 ? -errno : n;
}

int stdlog_write(struct stdlog *l, const char *line, size_t size)
{
	ssize_t n = put(l, line, size);

	return n == (ssize_t)size ? 0 : n < 0 ? (int)n : -EAGAIN;
}

ssize_t stdlog_pass(struct stdlog *l, const char *bytes, size_t size)
{
	size_t piece = MIN(size, (size_t)(l->terminal && !l->own ? TERMINAL_ROOM : PIPE_BUF));
	const char *end = piece < size ? memrchr(bytes, '\n', piece) : NULL;
	ssize_t n = put(l, bytes, end ? (size_t)(end - bytes) + 1 : piece);

	return n == 0 ? -EAGAIN : n;
}

void stdlog_close(struct stdlog *l)
{
	if (l->own)
		close_fd(l->fd);
	journal_close(&l->journal);
	*l = (struct stdlog){ .fd = -1, .journal.fd = -1 };
}
