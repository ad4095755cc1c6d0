/* SPDX-License-Identifier: MIT */
#include "notify.h"
#include "sockets.h"
#include "../base/printable.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

_Static_assert(sizeof(((struct notify *)0)->path) == sizeof(((struct sockaddr_un *)0)->sun_path),
	"a path fits");

static int parse_number(const char *text, uint64_t *ret)
{
	char *end;
	unsigned long long value;

	if (!text || *text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0')
		return -EINVAL;
	*ret = value;
	return 0;
}

/* A longer watchdog than this (292 years) is none. */
#define WATCHDOG_US_MAX (UINT64_MAX / 2 / NS_PER_US)

static void odd(struct notify *n, const char *us, const char *why)
{
	char shown[32];

	snprintf(n->odd, sizeof n->odd, "WATCHDOG_USEC is \"%s\": %s",
		printable_copy(shown, sizeof shown, us), why);
}

/* True: WATCHDOG_PID names another process, which says so, or nothing that is a process. */
static bool for_another(struct notify *n)
{
	const char *whom = getenv("WATCHDOG_PID");
	uint64_t pid;
	char shown[32];

	if (!whom || (parse_number(whom, &pid) == 0 && pid == (uint64_t)getpid()))
		return false;
	snprintf(n->odd, sizeof n->odd,
		"WATCHDOG_PID is \"%s\", and this process is %d: the watchdog is not fed, for it "
		"watches another process; start the program by exec",
		printable_copy(shown, sizeof shown, whom), (int)getpid());
	return true;
}

/*
 * systemd names the watched process in WATCHDOG_PID. Without this variable, any process that reads
 * the time is meant.
 */
static void parse_watchdog(struct notify *n)
{
	const char *text = getenv("WATCHDOG_USEC");
	uint64_t us;

	if (!text || for_another(n))
		return;
	if (parse_number(text, &us) < 0 || us == 0 || us > WATCHDOG_US_MAX) {
		odd(n, text,
			"no time for a watchdog, so there is none; set WatchdogSec= in the unit");
		return;
	}
	if (us < NOTIFY_WATCHDOG_US_MIN)
		odd(n, text,
			"too short to be kept, so the watchdog is fed every 25 ms; set "
			"WatchdogSec= to some seconds in the unit");
	n->watchdog_us = us;
}

static int parse_path(const char *path, struct notify *n)
{
	size_t size;

	if (!path || *path == '\0')
		return 0;
	size = strlen(path);
	if ((path[0] != '/' && path[0] != '@') || size < 2 || size >= sizeof n->path)
		return -EINVAL;
	memcpy(n->path, path, size);
	if (path[0] == '@')
		n->path[0] = '\0';
	n->path_size = (unsigned)size;
	return 0;
}

int notify_from_environment(struct notify *ret)
{
	struct notify n = { .fd = -1 };
	int r = parse_path(getenv("NOTIFY_SOCKET"), &n);

	parse_watchdog(&n);
	if (r < 0)
		return r;
	*ret = n;
	return 0;
}

void notify_hide(void)
{
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

static int connect_to(const struct notify *n, int fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	/* An abstract name ends with its last byte, a path ends with a NUL. */
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n->path_size +
		(n->path[0] != '\0'));

	memcpy(address.sun_path, n->path, n->path_size);
	return connect(fd, (struct sockaddr *)&address, size) < 0 ? -errno : 0;
}

/*
 * A connected socket is writable only while the manager's queue has room. Without connect() poll()
 * would always say "writable".
 */
static int open_socket(struct notify *n)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = connect_to(n, fd);
	if (r < 0)
		return r;
	n->fd = fd;
	fd = -1;
	return 0;
}

static int send_once(struct notify *n, const char *text, size_t size, int fd)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)text, .iov_len = size };
	/* The first send makes the socket, so that only the process that sends has it. */
	ssize_t r = n->fd < 0 ? open_socket(n) : 0;

	if (r == 0)
		r = sockets_send(n->fd, &iov, 1, &fd, fd >= 0);
	return r < 0 ? (int)r : 0;
}

int notify_send_fd(struct notify *n, const char *text, size_t size, int fd)
{
	int r;

	if (n->path_size == 0)
		return 0;
	r = send_once(n, text, size, fd);
	if (r == -ECONNREFUSED || r == -ECONNRESET || r == -ENOTCONN || r == -EPIPE) {
		/* The manager has another socket of that name now, or none any more. */
		notify_close(n);
		r = send_once(n, text, size, fd);
	}
	return r;
}

int notify_send(struct notify *n, const char *text)
{
	return notify_send_fd(n, text, strlen(text), -1);
}

void notify_close(struct notify *n) { n->fd = close_fd(n->fd); }
