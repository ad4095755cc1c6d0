/* SPDX-License-Identifier: MIT */
#include "notify.h"

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

/*
 * systemd names the watched process in WATCHDOG_PID. Without this variable, any process that reads
 * the time is meant.
 */
static uint64_t watchdog(void)
{
	const char *for_whom = getenv("WATCHDOG_PID");
	uint64_t us, pid;

	if (parse_number(getenv("WATCHDOG_USEC"), &us) < 0)
		return 0;
	if (for_whom && (parse_number(for_whom, &pid) < 0 || pid != (uint64_t)getpid()))
		return 0;
	return us;
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

	n.watchdog_us = watchdog();
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

int notify_send(struct notify *n, const char *text)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t size;
	int r;

	if (n->path_size == 0)
		return 0;
	/* The first send makes the socket, so that only the process that sends has it. */
	if (n->fd < 0)
		n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (n->fd < 0)
		return -errno;
	memcpy(address.sun_path, n->path, n->path_size);
	/* An abstract name ends with its last byte, a path ends with a NUL. */
	size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n->path_size +
		(n->path[0] != '\0'));
	r = (int)TEMP_FAILURE_RETRY(sendto(n->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
		(struct sockaddr *)&address, size));
	return r < 0 ? -errno : 0;
}

void notify_close(struct notify *n) { n->fd = close_fd(n->fd); }
