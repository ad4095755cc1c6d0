/* SPDX-License-Identifier: MIT */
/*
 * transfer.c - the bytes of a handed-off call on the job's socket: the request out, the reply in,
 * both at once, since a job may reply while it still reads. Never blocks, takes no lock.
 *
 * The verdict ends the call, not the reply's last byte. So a reply that fits into the socket may
 * lie there until the verdict has come, which saves a wake-up for each small job: the socket is
 * left out of the poll for a short while (quiet_until), unless a part of the request is still to be
 * written. After that time the reply is read as it comes, else a large reply would stop its job. A
 * caller with room for a large reply is woken at once: such a job must not stand still until the
 * quiet time is over.
 *
 * At the verdict the worker has shut the socket down (or is dead), so all of the reply is in the
 * socket's queue: a read that got less than it had room for has got the rest. There are two
 * exceptions. The kernel stops a read at a message with fds (MSG_CTRUNC: no room is offered for
 * fds, and the kernel closes them). And a job may have taken the socket over: then the bytes that
 * are there at this moment count.
 */
#include "transfer.h"

#include "fail.h"

#include "../base/base.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define SCRATCH 16384 /* where a reply goes that has no room */

/* at once: a caller's size may be larger than memory, and the kernel would refuse it whole */
#define READ_MAX (64 << 20)

/* a caller with no more room than this expects a reply that fits into the socket */
#define SMALL_REPLY 65536

#define QUIET_MS 20

static void write_end(struct transfer *t)
{
	t->writing = false;
	shutdown(t->fd, SHUT_WR);
}

static void transfer_write(struct transfer *t)
{
	while (t->left > 0) {
		ssize_t n = send(t->fd, t->request, t->left, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			t->request += n;
			t->left -= (size_t)n;
		} else if (fail_is_later(-errno)) {
			return;
		} else {
			if (!fail_is_end(-errno)) /* a job need not want all of its request */
				t->error = -errno;
			break;
		}
	}
	write_end(t);
}

void transfer_begin(struct transfer *t, int fd, const struct engine_bytes *bytes)
{
	*t = (struct transfer){
		.fd = fd,
		.request = bytes->request,
		.left = bytes->request_size,
		.reply = bytes->reply,
		.room = bytes->reply_size,
		.writing = true,
		.reading = true,
	};
	transfer_write(t);
	t->quiet_until = bytes->reply_size <= SMALL_REPLY ? now_ns() + QUIET_MS * NS_PER_MS : 0;
}

enum read_result { READ_MORE, READ_DRY, READ_END };

static void count_reply(struct transfer *t, size_t n)
{
	size_t kept = MIN(n, t->room);

	t->received += n;
	t->reply = t->reply ? t->reply + kept : NULL;
	t->room -= kept;
}

/* READ_DRY: nothing is left in the socket now; READ_MORE: there may be. */
static enum read_result transfer_read(struct transfer *t)
{
	char scratch[SCRATCH];
	size_t room = MIN(t->room, (size_t)READ_MAX), beyond = room == t->room ? sizeof scratch : 0;
	struct iovec iov[2] = { { .iov_base = t->reply, .iov_len = room },
		{ .iov_base = scratch, .iov_len = beyond } };
	struct msghdr msg = { .msg_iov = room ? iov : iov + 1,
		.msg_iovlen = (room ? 1 : 0) + (beyond ? 1 : 0) };
	ssize_t n = recvmsg(t->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	bool filled;

	if (n > 0) {
		filled = (size_t)n == room + beyond;
		count_reply(t, (size_t)n);
		return filled || (msg.msg_flags & MSG_CTRUNC) ? READ_MORE : READ_DRY;
	}
	if (n < 0 && fail_is_later(-errno))
		return errno == EINTR ? READ_MORE : READ_DRY;
	if (n < 0 && !fail_is_end(-errno))
		t->error = -errno;
	t->reading = false;
	return READ_END;
}

void transfer_poll(struct transfer *t, uint64_t now, struct pollfd *ret_poll, uint64_t *inout_until)
{
	bool quiet = !t->writing && now < t->quiet_until;

	if (quiet && t->reading)
		*inout_until = MIN(*inout_until, t->quiet_until);
	if (quiet || (!t->writing && !t->reading))
		return;
	ret_poll->fd = t->fd;
	ret_poll->events = (short)((t->writing ? POLLOUT : 0) | (t->reading ? POLLIN : 0));
}

void transfer_step(struct transfer *t, short revents)
{
	if (t->writing && (revents & (POLLOUT | POLLERR | POLLHUP)))
		transfer_write(t);
	if (t->reading && (revents & (POLLIN | POLLERR | POLLHUP)))
		transfer_read(t);
}

void transfer_finish(struct transfer *t)
{
	enum read_result result;
	int queued = 0;
	size_t limit;

	if (!t->reading)
		return;
	result = transfer_read(t);
	if (result != READ_MORE)
		return;
	/* Somebody may still write, for ever: read no more than there is now. */
	if (ioctl(t->fd, FIONREAD, &queued) < 0 || queued <= 0)
		return;
	limit = t->received + (size_t)queued;
	while (t->reading && t->received < limit && transfer_read(t) == READ_MORE)
		;
}
