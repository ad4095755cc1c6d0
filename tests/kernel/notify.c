/* SPDX-License-Identifier: MIT */
/* notify.c - systemd's notification socket, from the environment to the datagram. */
#include "kernel.h"
#include "os/fds.h"
#include "os/notify.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

TestSuite(kernel_notify, .timeout = 120);

static void expect_hidden(void)
{
	CHECK(!getenv("NOTIFY_SOCKET"));
	CHECK(!getenv("WATCHDOG_USEC"));
	CHECK(!getenv("WATCHDOG_PID"));
}

/* A manager's socket. The first byte of its name tells which kind it is. */
static int manager(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	size_t size = strlen(name);

	memcpy(address.sun_path, name, size);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	CHECK_GE(fd, 0);
	CHECK_EQ(bind(fd, (struct sockaddr *)&address,
			 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size +
				 (name[0] != '@'))),
		0);
	return fd;
}

static void check_name(const char *name)
{
	int fd = manager(name), before = fds_count(), sent = 0, r;
	struct notify n;
	char text[64];
	ssize_t size;

	setenv("NOTIFY_SOCKET", name, 1);
	CHECK_EQ(notify_from_environment(&n), 0);
	notify_hide();
	expect_hidden();
	/* nothing is opened if nothing is ever sent */
	CHECK_EQ(fds_count(), before);
	CHECK_EQ(notify_send(&n, "READY=1\nSTATUS=here"), 0);
	CHECK_EQ(fcntl(n.fd, F_GETFD), FD_CLOEXEC);
	size = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);
	CHECK_EQ(size, 19);
	text[size] = '\0';
	CHECK_STR(text, "READY=1\nSTATUS=here");
	while ((r = notify_send(&n, "WATCHDOG=1")) == 0)
		CHECK_LT(++sent, 1000000);
	/* a manager that does not read holds up nobody */
	CHECK_EQ(r, -EAGAIN);
	close(fd);
	CHECK_LT(notify_send(&n, "STOPPING=1"), 0);
	notify_close(&n);
	CHECK_EQ(n.fd, -1);
	CHECK_EQ(fds_count(), before - 1);
}

static void by_path(void)
{
	char name[64];

	snprintf(name, sizeof name, "/tmp/brood-notify-%d", (int)getpid());
	check_name(name);
	unlink(name);
}

static void abstract(void)
{
	char name[64];

	snprintf(name, sizeof name, "@brood-notify-%d", (int)getpid());
	check_name(name);
}
Test(kernel_notify, by_path) { case_run(by_path, 20000); }
Test(kernel_notify, abstract) { case_run(abstract, 20000); }

static void none(void)
{
	struct notify n = { .fd = 77, .watchdog_us = 5 };

	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	CHECK_EQ(notify_from_environment(&n), 0);
	CHECK_EQ(n.path_size, 0);
	CHECK_EQ(n.fd, -1);
	CHECK_EQ(n.watchdog_us, 0);
	CHECK_EQ(notify_send(&n, "READY=1"), 0);
	setenv("NOTIFY_SOCKET", "", 1);
	CHECK_EQ(notify_from_environment(&n), 0);
	CHECK_EQ(n.path_size, 0);
	notify_close(&n);
}
Test(kernel_notify, none) { case_run(none, 20000); }

static void bad(void)
{
	struct notify n = { .fd = 77 };
	static const char *const names[] = { "relative", "vsock:2:1234", "/", "@" };
	char name[300];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		setenv("NOTIFY_SOCKET", names[i], 1);
		setenv("WATCHDOG_USEC", "1000", 1);
		CHECK_EQ(notify_from_environment(&n), -EINVAL);
		CHECK_EQ(n.fd, 77);
		notify_hide();
		expect_hidden();
	}
	for (size_t size = 100; size < sizeof name; size++) {
		memset(name, 'x', size);
		name[0] = '/';
		name[size] = '\0';
		setenv("NOTIFY_SOCKET", name, 1);
		n.fd = 77;
		CHECK_EQ(notify_from_environment(&n), size < sizeof n.path ? 0 : -EINVAL);
	}
}
Test(kernel_notify, names_that_cannot_be) { case_run(bad, 20000); }

/* odd: whether a line is said about it. */
static uint64_t watchdog(const char *us, const char *pid, bool odd)
{
	struct notify n;

	setenv("WATCHDOG_USEC", us, 1);
	if (pid)
		setenv("WATCHDOG_PID", pid, 1);
	else
		unsetenv("WATCHDOG_PID");
	CHECK_EQ(notify_from_environment(&n), 0);
	notify_hide();
	expect_hidden();
	CHECK_EQ(*n.odd != '\0', odd);
	CHECK(!odd || (strstr(n.odd, us) || strstr(n.odd, pid)));
	return n.watchdog_us;
}

static void watchdogs(void)
{
	char own[16];

	snprintf(own, sizeof own, "%d", (int)getpid());
	unsetenv("NOTIFY_SOCKET");
	CHECK_EQ(watchdog("3000000", own, false), 3000000);
	CHECK_EQ(watchdog("3000000", NULL, false), 3000000);
	CHECK_EQ(watchdog("50000", own, false), 50000);
	CHECK_EQ(watchdog("3000000", "1", true), 0); /* for somebody else */
	CHECK_EQ(watchdog("3000000", "x", true), 0);
	CHECK_EQ(watchdog("", own, true), 0);
	CHECK_EQ(watchdog("-5", own, true), 0);
	CHECK_EQ(watchdog("5x", own, true), 0);
	CHECK_EQ(watchdog("0", own, true), 0);
	CHECK_EQ(watchdog("18446744073709551615", own, true), 0);
	CHECK_EQ(watchdog("18446744073709551616", own, true), 0);
	CHECK_EQ(watchdog("1", own, true), 1); /* fed, but not so often */
}
Test(kernel_notify, watchdog) { case_run(watchdogs, 20000); }
