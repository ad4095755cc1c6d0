/* SPDX-License-Identifier: MIT */
/*
 * pressure_fd.c - see pressure_fd.h. The fd of a pressure file becomes readable (EPOLLPRI) at most
 * once a window, and only while there is pressure: a calm process is not woken.
 */
#define _GNU_SOURCE
#include "pressure_fd.h"
#include "cgroup.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define WRITE_MAX 256

static int value_of(char c)
{
	return c >= 'A' && c <= 'Z'    ? c - 'A'
		: c >= 'a' && c <= 'z' ? c - 'a' + 26
		: c >= '0' && c <= '9' ? c - '0' + 52
		: c == '+'             ? 62
		: c == '/'             ? 63
				       : -1;
}

/* Returns how many bytes the base64 text has, or -EINVAL. */
static ssize_t decode(const char *text, char *bytes, size_t max)
{
	unsigned bits = 0, have = 0;
	size_t n = 0;

	for (; *text && *text != '='; text++) {
		int value = value_of(*text);

		if (value < 0 || n == max)
			return -EINVAL;
		bits = bits << 6 | (unsigned)value;
		have += 6;
		if (have >= 8) {
			have -= 8;
			bytes[n++] = (char)(bits >> have);
		}
	}
	return (ssize_t)n;
}

static int connect_to(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
	if (connect(fd, (const struct sockaddr *)&to, sizeof to) < 0) {
		int error = -errno;

		close_fd(fd);
		return error;
	}
	return fd;
}

/* Opens a pressure file, a FIFO or a socket, as systemd may name. Returns the fd or -errno. */
static int open_any(const char *path, struct pressure_fd *p)
{
	struct stat stat_of;
	int fd;

	if (*path != '/')
		return -EINVAL;
	if (stat(path, &stat_of) < 0)
		return -errno;
	p->stream = !S_ISREG(stat_of.st_mode);
	p->events = p->stream ? EPOLLIN : EPOLLPRI;
	if (S_ISSOCK(stat_of.st_mode))
		return connect_to(path);
	if (p->stream && !S_ISFIFO(stat_of.st_mode))
		return -EINVAL;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

/* Takes what was opened (the fd or -errno), and writes to it. */
static void take(struct pressure_fd *p, int fd, const char *path, const char *bytes, size_t size)
{
	snprintf(p->path, sizeof p->path, "%.*s", (int)sizeof p->path - 1, path);
	p->fd = fd;
	p->error = MIN(fd, 0);
	if (fd >= 0 && size > 0 && TEMP_FAILURE_RETRY(write(fd, bytes, size)) < 0) {
		p->error = -errno;
		close_fd(fd);
	}
	if (p->error < 0)
		p->fd = -1;
}

void pressure_fd_from_environment(struct pressure_fd *ret)
{
	const char *path = getenv("MEMORY_PRESSURE_WATCH"), *text = getenv("MEMORY_PRESSURE_WRITE");
	struct pressure_fd p = { .fd = -1 };
	char bytes[WRITE_MAX];
	ssize_t n = text ? decode(text, bytes, sizeof bytes) : 0;

	if (path && *path && strcmp(path, "/dev/null") != 0) {
		if (n < 0) {
			p.error = -EINVAL;
			snprintf(p.path, sizeof p.path, "%s", "MEMORY_PRESSURE_WRITE");
		} else {
			take(&p, open_any(path, &p), path, bytes, (size_t)n);
		}
	}
	*ret = p;
}

static int open_own(int cgroup_fd)
{
	char folder[PATH_MAX], group[CGROUP_NAME];
	_cleanup_close_ int own = -1;
	int fd;

	if (cgroup_fd < 0 && cgroup_folder("", folder, sizeof folder, group) == 0)
		cgroup_fd = own = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (cgroup_fd < 0)
		return -ENOENT;
	fd = openat(cgroup_fd, "memory.pressure", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* The kernel wants the NUL at the end, too. */
void pressure_fd_from_kernel(uint32_t stall_ms, int cgroup_fd, struct pressure_fd *ret)
{
	struct pressure_fd p = { .fd = -1, .events = EPOLLPRI };
	char text[48];
	int n = snprintf(
		text, sizeof text, "some %u %u", stall_ms * 1000, PRESSURE_FD_WINDOW_MS * 1000);

	take(&p, open_own(cgroup_fd), "memory.pressure", text, (size_t)n + 1);
	if (p.fd < 0)
		take(&p, open_any("/proc/pressure/memory", &p), "/proc/pressure/memory", text,
			(size_t)n + 1);
	*ret = p;
}

bool pressure_fd_drain(const struct pressure_fd *p)
{
	char bytes[256];
	ssize_t n;

	while ((n = TEMP_FAILURE_RETRY(read(p->fd, bytes, sizeof bytes))) > 0)
		;
	return n < 0 && errno == EAGAIN;
}
