/* SPDX-License-Identifier: MIT */
/* control.h - what the tests of the control socket share: a brood that has one, and a peer. */
#ifndef BROOD_TESTS_CONTROL_H
#define BROOD_TESTS_CONTROL_H

#include "../../src/base/base.h"
#include "../../src/wire/control_request.h"
#include "../helpers/pool.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A folder of the case's own, which outside() of each case removes. */
static char folder[64], path[96];

static inline void make_folder(void)
{
	snprintf(folder, sizeof folder, "/tmp/brood-control.XXXXXX");
	CHECK(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/c.sock", folder);
}

static inline struct brood *start_with(const char *control_path, uint32_t workers)
{
	const struct brood_options options = { .size = sizeof options,
		.workers = workers,
		.grace_ms = 100,
		.control_path = control_path };

	return pool_start(&options);
}

static inline struct brood *start(uint32_t workers)
{
	make_folder();
	return start_with(path, workers);
}

/* The pool still does jobs, and ends; the folder goes, with a socket file in it or without. */
static inline void end(struct brood *brood)
{
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	pool_stop(brood);
	unlink(path);
	CHECK_EQ(rmdir(folder), 0);
}

static inline int try_connect(int flags)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0), error;

	CHECK_GE(fd, 0);
	memcpy(address.sun_path, path, strlen(path));
	if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	error = errno;
	close(fd);
	return -error;
}

static inline int connected(void)
{
	int fd = try_connect(0);

	CHECK_GE(fd, 0);
	return fd;
}

static inline struct control_request request(uint32_t command)
{
	struct control_request r;

	memset(&r, 0, sizeof r);
	r.magic = CONTROL_MAGIC;
	r.version = CONTROL_VERSION;
	r.size = sizeof r;
	r.command = command;
	return r;
}

/* Reads the reply, and that nothing follows. 0: the connection ended without one. */
static inline int hear(int fd, struct control_reply *reply)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	char bytes[sizeof *reply + 1];
	ssize_t n;

	CHECK_EQ(poll(&poll_fd, 1, test_scaled(20000)), 1);
	do
		n = recv(fd, bytes, sizeof bytes, 0);
	while (n < 0 && errno == ECONNRESET);
	if (n <= 0)
		return 0;
	CHECK_EQ(control_request_check_reply(bytes, (size_t)n, reply), 0);
	CHECK_GT(strlen(reply->text), 0);
	do
		n = recv(fd, bytes, sizeof bytes, 0);
	while (n < 0 && errno == ECONNRESET);
	CHECK_EQ(n, 0);
	return 1;
}

static inline int32_t ask_bytes(const void *bytes, size_t size)
{
	struct control_reply reply;
	int fd = connected();

	/* a peer that may not ask is told so, and closed, before it asks */
	CHECK(send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size || errno == EPIPE);
	CHECK_EQ(hear(fd, &reply), 1);
	close(fd);
	return reply.result;
}

static inline int32_t ask(const struct control_request *r) { return ask_bytes(r, sizeof *r); }

#endif
