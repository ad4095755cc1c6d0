/* SPDX-License-Identifier: MIT */
/* kept.h - what tests of kept fds share: a played service manager, and files to keep. */
#ifndef BROOD_TESTS_KEPT_H
#define BROOD_TESTS_KEPT_H

#include "../helpers/pool.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- the service manager ---- */

static inline int listen_as_manager(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char name[64];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(name, sizeof name, "@brood-kept-%d", (int)getpid());
	memcpy(address.sun_path, name, strlen(name));
	address.sun_path[0] = '\0';
	CHECK_EQ(bind(fd, (struct sockaddr *)&address,
			 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
		0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

/* What the supervisor tells of the pool's state, at times that these tests do not choose. */
static inline bool is_about_the_pool(const char *text)
{
	return strncmp(text, "STATUS=", 7) == 0 || strncmp(text, "EXTEND_TIMEOUT_USEC=", 20) == 0;
}

static const char *hear_any(int manager, int *ret_fd)
{
	static char text[1024];
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { text, sizeof text - 1 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control };
	struct pollfd p = { .fd = manager, .events = POLLIN };
	ssize_t n;

	CHECK_EQ(poll(&p, 1, test_scaled(10000)), 1);
	n = recvmsg(manager, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	CHECK_GT(n, 0);
	text[n] = '\0';
	*ret_fd = -1;
	if (CMSG_FIRSTHDR(&m))
		memcpy(ret_fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof *ret_fd);
	return text;
}

/* Waits for one message that is not about the pool. *ret_fd: the fd that came along; -1: none. */
static const char *hear(int manager, int *ret_fd)
{
	const char *text;

	do
		text = hear_any(manager, ret_fd);
	while (is_about_the_pool(text));
	return text;
}

static inline bool says_nothing(int manager)
{
	char text[32];
	ssize_t n;

	while ((n = recv(manager, text, sizeof text - 1, MSG_DONTWAIT | MSG_PEEK)) > 0) {
		text[n] = '\0';
		if (!is_about_the_pool(text))
			return false;
		(void)recv(manager, text, sizeof text, MSG_DONTWAIT);
	}
	return true;
}

static inline bool same_file(int a, int b)
{
	struct stat x, y;

	CHECK_EQ(fstat(a, &x), 0);
	CHECK_EQ(fstat(b, &y), 0);
	return x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static inline void hear_stored(int manager, const char *name, int file)
{
	char words[300];
	int fd;

	snprintf(words, sizeof words, "FDSTOREREMOVE=1\nFDNAME=%s", name);
	CHECK_STR(hear(manager, &fd), words);
	CHECK_EQ(fd, -1);
	snprintf(words, sizeof words, "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
	CHECK_STR(hear(manager, &fd), words);
	CHECK_GE(fd, 0);
	CHECK(same_file(fd, file));
	close(fd);
}

static inline void hear_removed(int manager, const char *name)
{
	char words[300];
	int fd;

	snprintf(words, sizeof words, "FDSTOREREMOVE=1\nFDNAME=%s", name);
	CHECK_STR(hear(manager, &fd), words);
	CHECK_EQ(fd, -1);
}

/* When READY=1 comes, all has come that the engine kept before. */
static inline void hear_ready(struct brood *brood, int manager)
{
	int fd;

	CHECK_EQ(brood_notify_ready(brood), 0);
	CHECK_CONTAINS(hear(manager, &fd), "READY=1");
	CHECK_EQ(fd, -1);
}

static inline int memory_file(const char *text)
{
	int fd = memfd_create("state", MFD_CLOEXEC);

	CHECK_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

static inline int listener(void)
{
	struct sockaddr_un any = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK_EQ(bind(fd, (struct sockaddr *)&any, sizeof any.sun_family), 0);
	CHECK_EQ(listen(fd, 8), 0);
	return fd;
}

/* The one file that is kept under a name; the caller's. */
static inline int kept(struct brood *brood, const char *name)
{
	int fd = -1;

	CHECK_EQ(brood_kept(brood, name, &fd, 1), 1);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	return fd;
}

static inline struct brood *start(void)
{
	struct brood_options options = { .workers = 2, .log = note_log };

	return pool_start(&options);
}

static char warning[400];
static inline void note_warning(void *context, const struct brood_log *log)
{
	if (log->event == BROOD_EVENT_RESOURCE)
		snprintf(warning, sizeof warning, "%s", log->text);
	note_log(context, log);
}

static inline bool warned(struct brood *brood)
{
	brood_dispatch(brood);
	return *warning;
}

/* The files are passed as the service manager does it: from fd 3 on. */
static inline void pass(const int *files, int count, const char *names, pid_t pid)
{
	char text[32];

	for (int i = 0; i < count; i++)
		CHECK_EQ(dup2(files[i], 3 + i), 3 + i);
	snprintf(text, sizeof text, "%d", (int)pid);
	setenv("LISTEN_PID", text, 1);
	snprintf(text, sizeof text, "%d", count);
	setenv("LISTEN_FDS", text, 1);
	if (names)
		setenv("LISTEN_FDNAMES", names, 1);
	else
		unsetenv("LISTEN_FDNAMES");
	unsetenv("LISTEN_PIDFDID");
}

/* So that 3 and the numbers behind it are free for pass(). */
static inline int up(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, 40);

	close(fd);
	return high;
}

static inline int own_env(const char *name)
{
	const char *text = getenv(name);

	return text ? atoi(text) : -1;
}

#endif
