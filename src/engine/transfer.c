/* SPDX-License-Identifier: MIT */
/*
 * transfer.c - the bytes of a job on its socket: the request out, the reply in, both at once, since
 * a job may reply while it still reads. Never blocks, takes no lock. A carried job has no socket:
 * its reply comes with the verdict (transfer_put()), or over a socket that the worker makes
 * (transfer_adopt()).
 *
 * The verdict ends the call, not the reply's last byte. So a reply that fits into the socket may
 * lie there until the verdict has come, which saves a wake-up for each small job: the socket is
 * left out of the poll for a short while (quiet_until), unless a part of the request is still to be
 * written. After that time the reply is read as it comes, since a full socket would stop a job with
 * a large reply. A caller with room for a large reply is woken at once: such a job must not stand
 * still until the quiet time is over.
 *
 * At the verdict the worker has shut the socket down (or is dead), so all of the reply is in the
 * socket's queue: a read that got less than it had room for has got the rest. There are two
 * exceptions. The kernel stops a read at a message with fds (MSG_CTRUNC: no room is offered for
 * fds, and the kernel closes them). And a job may have taken the socket over: then only the bytes
 * that are in the socket at this moment count.
 */
#include "transfer.h"

#include "fail.h"

#include "../base/base.h"
#include "../os/closing.h"
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define SCRATCH 16384 /* takes a reply for which there is no room */

/* the most that one read asks for: the kernel refuses a size that exceeds memory */
#define READ_MAX (64 << 20)

/* with no more room than this, the caller expects a reply that fits into the socket */
#define SMALL_REPLY 65536

#define QUIET_MS 20
#define GROW_MIN 512 /* the free space that a growing buffer offers to a read */
#define TURN     64  /* reads in a row, so that no job keeps the thread for itself */

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
		.grows = bytes->grows,
		.writing = true,
		.reading = true,
	};
	transfer_write(t);
	if (bytes->reply_size <= SMALL_REPLY && !bytes->grows)
		t->quiet_until = now_ns() + QUIET_MS * NS_PER_MS;
}

void transfer_carry(struct transfer *t, const struct engine_bytes *bytes)
{
	*t = (struct transfer){
		.fd = -1, .reply = bytes->reply, .room = bytes->reply_size, .grows = bytes->grows
	};
}

void transfer_put(struct transfer *t, const void *data, size_t size)
{
	if (t->grows && t->room < size) {
		char *reply = realloc(t->reply, size);

		if (!reply) {
			t->error = -ENOMEM;
			return;
		}
		t->reply = reply;
		t->room = size;
	}
	if (t->room > 0)
		memcpy(t->reply, data, MIN(size, t->room));
	t->received = size;
}

/* The far end is not the library's: nothing is written there, and its writer may be anybody. */
void transfer_adopt(struct transfer *t, struct transfer_news *news)
{
	if (!news->came)
		return;
	news->came = false;
	t->fd = news->fd;
	news->fd = -1;
	t->from_worker = true;
	t->reading = t->fd >= 0;
	if (t->fd < 0)
		t->error = news->none ? -ENOMEM : -EMFILE;
}

void transfer_close(struct transfer *t)
{
	t->fd = t->from_worker ? closing_fd(t->fd) : closing_pair_end(t->fd);
}

static size_t room_left(struct transfer *t)
{
	size_t want = MAX((t->received + GROW_MIN) * 2, (size_t)1024);
	char *reply;

	if (t->grows && t->room < t->received + GROW_MIN) {
		reply = realloc(t->reply, want);
		if (reply) {
			t->reply = reply;
			t->room = want;
		} else { /* the rest is read and dropped, so that the job can end */
			t->error = -ENOMEM;
			t->grows = false;
		}
	}
	return t->room - MIN(t->room, t->received);
}

enum read_result { READ_NOTHING, READ_ALL, READ_MORE };

static enum read_result read_end(struct transfer *t, int error)
{
	if (!fail_is_end(error))
		t->error = error;
	t->reading = false;
	return READ_NOTHING;
}

/* READ_ALL: all bytes that lay in the socket were read. READ_MORE: there may be more. */
static enum read_result transfer_read(struct transfer *t)
{
	char scratch[SCRATCH];
	size_t left = room_left(t), room = MIN(left, (size_t)READ_MAX);
	size_t beyond = room == left && !t->grows ? sizeof scratch : 0;
	struct iovec iov[2] = { { .iov_base = room ? t->reply + t->received : NULL,
					.iov_len = room },
		{ .iov_base = scratch, .iov_len = beyond } };
	struct msghdr msg = { .msg_iov = room ? iov : iov + 1,
		.msg_iovlen = (room ? 1 : 0) + (beyond ? 1 : 0) };
	ssize_t n;

	n = recvmsg(t->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0 && fail_is_later(-errno))
		return errno == EINTR ? READ_MORE : READ_NOTHING;
	if (n <= 0)
		return read_end(t, n < 0 ? -errno : -EPIPE);
	t->received += (size_t)n;
	return (size_t)n == room + beyond || (msg.msg_flags & MSG_CTRUNC) ? READ_MORE : READ_ALL;
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

static void watch_for(struct transfer *t, int epoll_fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };
	int how = !t->watched ? EPOLL_CTL_ADD : events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;

	if (events == t->watched || t->fd < 0 || epoll_fd < 0)
		return;
	if (epoll_ctl(epoll_fd, how, t->fd, &event) == 0 || events == 0)
		t->watched = events;
}

void transfer_watch(struct transfer *t, int epoll_fd, uint64_t data)
{
	watch_for(t, epoll_fd, (t->reading ? EPOLLIN : 0) | (t->writing ? EPOLLOUT : 0), data);
}

void transfer_unwatch(struct transfer *t, int epoll_fd) { watch_for(t, epoll_fd, 0, 0); }

void transfer_step(struct transfer *t, short revents)
{
	if (t->writing && (revents & (POLLOUT | POLLERR | POLLHUP)))
		transfer_write(t);
	if (t->reading && (revents & (POLLIN | POLLERR | POLLHUP)))
		for (int i = 0; i < TURN && transfer_read(t) != READ_NOTHING; i++)
			;
}

void transfer_finish(struct transfer *t)
{
	int queued = 0;
	size_t limit;

	if (!t->reading || transfer_read(t) != READ_MORE)
		return;
	/* Another process may write for ever: read no more than there is now. */
	if (ioctl(t->fd, FIONREAD, &queued) < 0 || queued <= 0)
		return;
	limit = t->received + (size_t)queued;
	while (t->received < limit && transfer_read(t) == READ_MORE)
		;
}
