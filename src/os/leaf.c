/* SPDX-License-Identifier: MIT */
/* leaf.c - see leaf.h. */
#define _GNU_SOURCE
#include "leaf.h"
#include "procfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define FOLDER (O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static int open_folder(int parent_fd, const char *name)
{
	int fd = openat(parent_fd, name, O_PATH | FOLDER);

	return fd < 0 ? -errno : fd;
}

int leaf_make(int parent_fd, const char *name)
{
	return mkdirat(parent_fd, name, 0755) < 0 ? -errno : open_folder(parent_fd, name);
}

int leaf_open(int parent_fd, const char *name)
{
	int fd = leaf_make(parent_fd, name);

	return fd == -EEXIST ? open_folder(parent_fd, name) : fd;
}

int leaf_write(int leaf_fd, const char *file, const char *text)
{
	_cleanup_close_ int fd = openat(leaf_fd, file, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return TEMP_FAILURE_RETRY(write(fd, text, strlen(text))) < 0 ? -errno : 0;
}

ssize_t leaf_read(int leaf_fd, const char *file, char *text, size_t size)
{
	_cleanup_close_ int fd = openat(leaf_fd, file, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = TEMP_FAILURE_RETRY(read(fd, text, size - 1));
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return n;
}

int leaf_join(int leaf_fd) { return leaf_write(leaf_fd, "cgroup.procs", "0"); }
int leaf_kill(int leaf_fd) { return leaf_write(leaf_fd, "cgroup.kill", "1"); }

int leaf_value(int leaf_fd, const char *file, const char *key, uint64_t *ret_value)
{
	const size_t size = strlen(key);
	unsigned long long value;
	char text[512];
	ssize_t n = leaf_read(leaf_fd, file, text, sizeof text);

	if (n < 0)
		return (int)n;
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, size) != 0 || line[size] != ' ')
			continue;
		procfs_number(line + size, &value);
		*ret_value = value;
		return 0;
	}
	return -ENODATA;
}

bool leaf_is_populated(int leaf_fd)
{
	uint64_t value = 0;

	return leaf_value(leaf_fd, "cgroup.events", "populated", &value) == 0 && value != 0;
}

/* A pid of 0 is a process that this PID namespace does not have: it is counted, too. */
int leaf_pids(int leaf_fd, pid_t *pids, size_t max)
{
	_cleanup_close_ int fd = openat(leaf_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	unsigned value = 0;
	size_t count = 0;
	char text[4096];
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = TEMP_FAILURE_RETRY(read(fd, text, sizeof text))) > 0)
		for (ssize_t i = 0; i < n && count < max; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				value = value * 10 + (unsigned)(text[i] - '0');
				continue;
			}
			pids[count++] = (pid_t)value;
			value = 0;
		}
	return n < 0 ? -errno : (int)count;
}

/* What getdents64 writes. */
struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t size;
	uint8_t type;
	char name[];
};

int leaf_each(
	int parent_fd, void (*each)(void *context, int parent_fd, const char *name), void *context)
{
	_cleanup_close_ int fd = openat(parent_fd, ".", O_RDONLY | FOLDER);
	_Alignas(struct entry) char buffer[2048];
	long n;

	if (fd < 0)
		return -errno;
	while ((n = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0)
		for (long at = 0; at < n;) {
			const struct entry *e = (const struct entry *)(buffer + at);

			if (e->type == DT_DIR && e->name[0] != '.')
				each(context, parent_fd, e->name);
			at += e->size;
		}
	return n < 0 ? -errno : 0;
}

static void remove_one(void *unused, int parent_fd, const char *name)
{
	(void)unused;
	(void)unlinkat(parent_fd, name, AT_REMOVEDIR);
}

int leaf_remove(int parent_fd, const char *name)
{
	int fd;

	if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != EBUSY && errno != ENOTEMPTY)
		return -errno;
	fd = openat(parent_fd, name, O_RDONLY | FOLDER);
	if (fd < 0)
		return -errno;
	leaf_each(fd, remove_one, NULL);
	close_fd(fd);
	return unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -errno;
}
