/* SPDX-License-Identifier: MIT */
/*
 * sockets.c - what a socket says when its peer dies, when it is full, and when there is no room for
 * fds.
 */
#include "kernel.h"
#include "os/fds.h"
#include "os/sockets.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <netinet/in.h>

TestSuite(kernel_sockets, .timeout = 120);

static ssize_t send_text(int fd, const char *text, const int *fds, size_t count)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text) };

	return sockets_send(fd, &iov, 1, fds, count);
}

static ssize_t receive(int fd, char *text, size_t size, struct sockets_received *got)
{
	ssize_t n = sockets_receive(fd, text, size - 1, MSG_DONTWAIT, got);

	text[n > 0 ? n : 0] = '\0';
	return n;
}

static void make_pair(int type, int fds[2])
{
	CHECK_EQ(sockets_pair(type, fds), 0);
	CHECK_EQ(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fds[1], F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0);
}

/* ---- the peer dies --------------------------------------------------------------------------- */

/* Two messages for this process, and one that the peer never read. */
static void dead_peer(int type, int fds[2])
{
	make_pair(type, fds);
	CHECK_EQ(send_text(fds[1], "one", NULL, 0), 3);
	CHECK_EQ(send_text(fds[1], "two", NULL, 0), 3);
	CHECK_EQ(send_text(fds[0], "unread", NULL, 0), 6);
	close(fds[1]);
}

/* The kernel says ECONNRESET once, before what is still queued. */
static void reset_fact(void)
{
	char text[16] = "";
	int fds[2];

	dead_peer(SOCK_SEQPACKET, fds);
	CHECK_EQ(recv(fds[0], text, sizeof text, MSG_DONTWAIT), -1);
	CHECK_EQ(errno, ECONNRESET);
	CHECK_EQ(recv(fds[0], text, sizeof text, MSG_DONTWAIT), 3);
	CHECK_EQ(recv(fds[0], text, sizeof text, MSG_DONTWAIT), 3);
	CHECK_EQ(recv(fds[0], text, sizeof text, MSG_DONTWAIT), 0);
	close(fds[0]);
	/* sending gets the error, too, and that says nothing about what can still be read */
	dead_peer(SOCK_SEQPACKET, fds);
	CHECK_LT(send_text(fds[0], "x", NULL, 0), 0);
	CHECK_EQ(send_text(fds[0], "x", NULL, 0), -EPIPE);
	CHECK_EQ(recv(fds[0], text, sizeof text, MSG_DONTWAIT), 3);
	close(fds[0]);
}
Test(kernel_sockets, a_reset_comes_before_what_is_queued) { case_run(reset_fact, 20000); }

static void reset_hidden(void)
{
	static const int types[] = { SOCK_SEQPACKET, SOCK_STREAM };
	struct sockets_received got;
	char text[16];
	int fds[2];

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		dead_peer(types[i], fds);
		if (types[i] == SOCK_SEQPACKET) {
			CHECK_EQ(receive(fds[0], text, 4, &got), 3);
			CHECK_STR(text, "one");
			CHECK_EQ(receive(fds[0], text, 4, &got), 3);
			CHECK_STR(text, "two");
		} else {
			CHECK_EQ(receive(fds[0], text, sizeof text, &got), 6);
			CHECK_STR(text, "onetwo");
		}
		CHECK_EQ(receive(fds[0], text, sizeof text, &got), 0);
		CHECK_EQ(receive(fds[0], text, sizeof text, &got), 0);
		close(fds[0]);
	}
}
Test(kernel_sockets, receive_reads_on_to_the_end) { case_run(reset_hidden, 20000); }

/* No SIGPIPE is raised: the case has it at its default, which would end the case. */
static void no_sigpipe(void)
{
	int fds[2];

	make_pair(SOCK_STREAM, fds);
	close(fds[1]);
	CHECK_EQ(send_text(fds[0], "x", NULL, 0), -EPIPE);
	close(fds[0]);
}
Test(kernel_sockets, no_sigpipe) { case_run(no_sigpipe, 20000); }

/*
 * After shutdown() the peer sees the end although another process holds a copy of this end; after
 * close() it does not.
 */
static void shutdown_says_end(void)
{
	struct sockets_received got;
	int fds[2], copy;
	char text[8];

	make_pair(SOCK_STREAM, fds);
	copy = dup(fds[1]);
	CHECK_EQ(send_text(fds[1], "last", NULL, 0), 4);
	close(fds[1]);
	CHECK_EQ(receive(fds[0], text, sizeof text, &got), 4);
	CHECK_EQ(receive(fds[0], text, sizeof text, &got), -EAGAIN);
	CHECK_EQ(shutdown(copy, SHUT_RDWR), 0);
	CHECK_EQ(receive(fds[0], text, sizeof text, &got), 0);
	close(copy);
	close(fds[0]);
}
Test(kernel_sockets, shutdown_ends_what_a_copy_keeps_open) { case_run(shutdown_says_end, 20000); }

/* ---- full ------------------------------------------------------------------------------------ */

static void full(void)
{
	char message[64] = "x", text[128];
	struct iovec iov = { .iov_base = message, .iov_len = sizeof message };
	struct sockets_received got;
	int fds[2], sent = 0;

	make_pair(SOCK_SEQPACKET, fds);
	while (sockets_send(fds[0], &iov, 1, NULL, 0) == (ssize_t)sizeof message)
		CHECK_LT(++sent, 1000000);
	note("%d small messages fit", sent);
	/* 278 with default limits; Brood needs not many, but some */
	CHECK_GE(sent, 64);
	CHECK_EQ(sockets_send(fds[0], &iov, 1, NULL, 0), -EAGAIN);
	CHECK(!readable(fds[0], 0));
	for (int i = 0; i < sent; i++)
		CHECK_EQ(receive(fds[1], text, sizeof text, &got), sizeof message);
	CHECK_EQ(receive(fds[1], text, sizeof text, &got), -EAGAIN);
	CHECK_EQ(sockets_send(fds[0], &iov, 1, NULL, 0), sizeof message);
}
Test(kernel_sockets, some_hundred_messages_then_eagain) { case_run(full, 20000); }

static void large(void)
{
	static char message[200000], text[200001];
	struct iovec iov = { .iov_base = message, .iov_len = sizeof message };
	struct sockets_received got;
	int fds[2];

	make_pair(SOCK_SEQPACKET, fds);
	memset(message, 'y', sizeof message);
	CHECK_EQ(sockets_send(fds[0], &iov, 1, NULL, 0), sizeof message);
	CHECK_EQ(receive(fds[1], text, sizeof text, &got), sizeof message);
	CHECK(!got.bytes_lost);
	CHECK_EQ(sockets_send(fds[0], &iov, 1, NULL, 0), sizeof message);
	CHECK_EQ(receive(fds[1], text, 1001, &got), 1000);
	CHECK(got.bytes_lost);
	CHECK_EQ(receive(fds[1], text, 1001, &got), -EAGAIN); /* the rest is gone with it */
}
Test(kernel_sockets, a_message_comes_whole_or_says_so) { case_run(large, 20000); }

/* O_NONBLOCK belongs to the open file: whoever has a copy can change it for all. */
static void nonblock_is_shared(void)
{
	struct sockets_received got;
	char text[8];
	int fds[2];
	pid_t pid;

	make_pair(SOCK_SEQPACKET, fds);
	CHECK_EQ(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	pid = fork();
	if (pid == 0)
		_exit(fcntl(fds[0], F_SETFL, 0) < 0);
	ends_well(pid);
	CHECK_EQ(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0);
	CHECK_EQ(receive(fds[0], text, sizeof text, &got), -EAGAIN);
	while (send_text(fds[0], "x", NULL, 0) == 1)
		;
	CHECK_EQ(send_text(fds[0], "x", NULL, 0), -EAGAIN);
}
Test(kernel_sockets, a_copy_changes_o_nonblock_for_all) { case_run(nonblock_is_shared, 20000); }

/* ---- fds ------------------------------------------------------------------------------------- */

static void close_all(struct sockets_received *got)
{
	while (got->fds_count > 0)
		close(got->fds[--got->fds_count]);
}

static void passing(void)
{
	int fds[2], many[SOCKETS_FDS_MAX + 1], before;
	struct sockets_received got;
	char text[8];

	make_pair(SOCK_SEQPACKET, fds);
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = fds[0];
	before = fds_count();
	for (size_t count = 0; count <= SOCKETS_FDS_MAX; count++) {
		CHECK_EQ(send_text(fds[0], "fds", many, count), 3);
		CHECK_EQ(receive(fds[1], text, sizeof text, &got), 3);
		CHECK_EQ(got.fds_count, count);
		CHECK(!got.fds_lost);
		for (size_t i = 0; i < count; i++)
			CHECK_EQ(fcntl(got.fds[i], F_GETFD), FD_CLOEXEC);
		close_all(&got);
	}
	CHECK_EQ(send_text(fds[0], "fds", many, ARRAY_SIZE(many)), -EINVAL);
	/* an empty message: nobody will look for fds on it */
	CHECK_EQ(send_text(fds[0], "", many, 2), 0);
	CHECK_EQ(receive(fds[1], text, sizeof text, &got), 0);
	CHECK_EQ(got.fds_count, 0);
	CHECK_EQ(fds_count(), before);
}
Test(kernel_sockets, fds_pass_close_on_exec) { case_run(passing, 20000); }

/* More fds than there is room for, from a peer that does not keep to the limit. */
static void too_many(void)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * 60)];
	} control = { .space = { 0 } };
	struct iovec iov = { .iov_base = &(char){ 'x' }, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control };
	struct sockets_received got;
	int fds[2], before;
	char text[8];

	make_pair(SOCK_SEQPACKET, fds);
	control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int) * 60),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS };
	for (int i = 0; i < 60; i++)
		memcpy(CMSG_DATA(&control.header) + (size_t)i * sizeof(int), &fds[0], sizeof(int));
	before = fds_count();
	CHECK_EQ(sendmsg(fds[0], &msg, MSG_NOSIGNAL), 1);
	CHECK_EQ(receive(fds[1], text, sizeof text, &got), 1);
	CHECK_EQ(got.fds_count, SOCKETS_FDS_MAX);
	CHECK(got.fds_lost);
	close_all(&got);
	CHECK_EQ(fds_count(), before);
}
Test(kernel_sockets, more_fds_than_fit) { case_run(too_many, 20000); }

/* At the limit of open files the message comes, the fds do not, and only the flag says so. */
static void at_the_limit(void)
{
	int fds[2], three[3], before;
	struct sockets_received got;
	struct rlimit limit, tight;
	char text[8];

	make_pair(SOCK_SEQPACKET, fds);
	for (int i = 0; i < 3; i++)
		three[i] = fds[0];
	before = fds_count();
	CHECK_EQ(before, 5); /* 0-2 and the pair: the next is 5 */
	getrlimit(RLIMIT_NOFILE, &limit);
	for (int room = 0; room <= 3; room++) {
		CHECK_EQ(send_text(fds[0], "fds", three, 3), 3);
		tight = limit;
		tight.rlim_cur = (rlim_t)(before + room);
		setrlimit(RLIMIT_NOFILE, &tight);
		CHECK_EQ(receive(fds[1], text, sizeof text, &got), 3);
		setrlimit(RLIMIT_NOFILE, &limit);
		CHECK_STR(text, "fds");
		CHECK_EQ(got.fds_count, room);
		CHECK_EQ(got.fds_lost, room < 3);
		close_all(&got);
		CHECK_EQ(fds_count(), before);
	}
}
Test(kernel_sockets, fds_are_lost_at_the_limit_and_it_says_so) { case_run(at_the_limit, 20000); }

/*
 * Fds in flight count for the user. At the limit every passing of fds by this user says
 * ETOOMANYREFS until some are received.
 */
static void in_flight(void)
{
	struct rlimit limit = { 40, 40 };
	struct sockets_received got;
	int fds[2], many[SOCKETS_FDS_MAX], sent = 0;
	ssize_t n;
	char text[8];

	become_nobody();
	setrlimit(RLIMIT_NOFILE, &limit);
	make_pair(SOCK_SEQPACKET, fds);
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = 0;
	while ((n = send_text(fds[0], "x", many, ARRAY_SIZE(many))) == 1)
		CHECK_LT(++sent, 100);
	CHECK_EQ(n, -ETOOMANYREFS);
	CHECK_EQ(send_text(fds[0], "x", NULL, 0), 1); /* messages without fds pass */
	while (receive(fds[1], text, sizeof text, &got) == 1)
		close_all(&got);
	CHECK(WAIT_UNTIL(send_text(fds[0], "x", many, 1) == 1, SHORT_MS));
}
Test(kernel_sockets, too_many_fds_in_flight) { case_run(in_flight, 20000); }

/* ---- what is a socket that can be given ------------------------------------------------------ */

static void kinds(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;
	int fds[2], listener, client, accepted, pipe_fds[2];

	make_pair(SOCK_STREAM, fds);
	CHECK_EQ(sockets_is_stream_socket(fds[0]), 0);
	close(fds[1]);
	CHECK_LE(sockets_is_stream_socket(fds[0]), 0);
	make_pair(SOCK_SEQPACKET, fds);
	CHECK_EQ(sockets_is_stream_socket(fds[0]), 0);
	make_pair(SOCK_DGRAM, fds);
	CHECK_EQ(sockets_is_stream_socket(fds[0]), -EPROTOTYPE);
	CHECK_EQ(pipe(pipe_fds), 0);
	CHECK_EQ(sockets_is_stream_socket(pipe_fds[0]), -ENOTSOCK);
	CHECK_EQ(sockets_is_stream_socket(-1), -EBADF);
	CHECK_EQ(sockets_is_stream_socket(1000), -EBADF);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(sockets_is_stream_socket(listener), -ENOTCONN);
	CHECK_EQ(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	CHECK_EQ(listen(listener, 1), 0);
	CHECK_EQ(sockets_is_stream_socket(listener), -EPROTOTYPE);
	CHECK_EQ(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	client = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(client, (struct sockaddr *)&address, sizeof address) < 0 &&
		errno == ENETUNREACH)
		/* a network namespace whose loopback is down */
		return;
	CHECK_EQ(sockets_is_stream_socket(client), 0);
	accepted = accept(listener, NULL, NULL);
	CHECK_EQ(sockets_is_stream_socket(client), 0);
	CHECK_EQ(sockets_is_stream_socket(accepted), 0);
}
Test(kernel_sockets, which_sockets_can_be_given) { case_run(kinds, 20000); }
