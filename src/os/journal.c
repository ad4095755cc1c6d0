/* SPDX-License-Identifier: MIT */
/*
 * journal.c - see journal.h. The socket is not connected: a journal that starts again makes its
 * socket anew, and each entry finds the socket by its path. An entry that is too large for a
 * datagram goes as a sealed memory file.
 */
#include "journal.h"
#include "shm.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define SEND_ROOM (8 << 20) /* what systemd's own programs ask for */

struct journal_stream journal_stream(const char *text)
{
	struct journal_stream s = { 0 };
	char end;

	if (!text || sscanf(text, "%llu:%llu%c", &s.device, &s.inode, &end) != 2)
		s.inode = 0;
	return s;
}

bool journal_is_stderr(const struct journal_stream *stream)
{
	struct stat st;

	return stream->inode != 0 && fstat(STDERR_FILENO, &st) == 0 &&
		st.st_dev == stream->device && st.st_ino == stream->inode;
}

void journal_open(struct journal *j, const char *path)
{
	const int room = SEND_ROOM;

	j->path = path;
	j->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (j->fd >= 0 && setsockopt(j->fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) < 0)
		(void)setsockopt(j->fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
}

void journal_close(struct journal *j) { j->fd = close_fd(j->fd); }

/* The journal takes a memory file only if nobody can change it any more. */
static int send_file(int fd, struct msghdr *message, const void *entry, size_t size)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_level = SOL_SOCKET,
			      .cmsg_type = SCM_RIGHTS,
			      .cmsg_len = CMSG_LEN(sizeof(int)) } };
	_cleanup_close_ int file = shm_memfd("journal-entry", entry, size, &seals);

	if (file < 0)
		return -EAGAIN;
	memcpy(CMSG_DATA(&control.header), &file, sizeof file);
	message->msg_iovlen = 0;
	message->msg_control = &control;
	message->msg_controllen = sizeof control.space;
	return sendmsg(fd, message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Errors that say nothing about the journal: it, or the kernel, has no room now. */
static int later(int error)
{
	return error == -ENOBUFS || error == -ENOMEM || error == -EINTR ? -EAGAIN : error;
}

int journal_send(const struct journal *j, const void *entry, size_t size)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct iovec bytes = { .iov_base = (void *)(uintptr_t)entry, .iov_len = size };
	struct msghdr message = { .msg_name = &address,
		.msg_namelen = sizeof address,
		.msg_iov = &bytes,
		.msg_iovlen = 1 };

	if (j->fd < 0)
		return -EBADF;
	/* no snprintf(): a signal handler may be here */
	memcpy(address.sun_path, j->path, MIN(strlen(j->path), sizeof address.sun_path - 1));
	if (sendmsg(j->fd, &message, MSG_NOSIGNAL) >= 0)
		return 0;
	return later(errno == EMSGSIZE ? send_file(j->fd, &message, entry, size) : -errno);
}
