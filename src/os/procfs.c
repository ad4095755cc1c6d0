/* SPDX-License-Identifier: MIT */
#include "procfs.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>

/* What getdents64 writes. glibc's own struct has a name of fixed size. */
struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t size;
	uint8_t type;
	char name[];
};

char *procfs_path(char path[PROCFS_PATH], pid_t pid, const char *name)
{
	if (pid == 0)
		snprintf(path, PROCFS_PATH, "/proc/self/%s", name);
	else
		snprintf(path, PROCFS_PATH, "/proc/%d/%s", pid, name);
	return path;
}

char *procfs_task_path(char path[PROCFS_PATH], pid_t tid, const char *name)
{
	snprintf(path, PROCFS_PATH, "/proc/self/task/%d/%s", tid, name);
	return path;
}

ssize_t procfs_read(const char *path, char *text, size_t size)
{
	_cleanup_close_ int fd = -1;
	size_t done = 0;
	ssize_t n;

	fd = TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY));
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	while (done < size - 1) {
		n = TEMP_FAILURE_RETRY(read(fd, text + done, size - 1 - done));
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	text[done] = '\0';
	return (ssize_t)done;
}

const char *procfs_number(const char *text, unsigned long long *ret_value)
{
	unsigned long long value = 0;

	while (*text == ' ' || *text == '\t' || *text == '-')
		text++;
	while (*text >= '0' && *text <= '9')
		value = value * 10 + (unsigned)(*text++ - '0');
	*ret_value = value;
	return text;
}

bool procfs_has_our_pids(void)
{
	/* asked: the pid that asked; after a fork the child asks again */
	static pid_t asked, answer;
	unsigned long long pid;
	char link[16] = "";

	if (asked == getpid())
		return answer == asked;
	if (readlink("/proc/self", link, sizeof link - 1) < 0)
		return false; /* the answer is not kept: memory may only have been short */
	procfs_number(link, &pid);
	answer = (pid_t)pid;
	asked = getpid();
	return answer == asked;
}

/* Returns -1 for a name that is no number. */
static int name_number(const char *name)
{
	unsigned long long value;

	if (*name < '0' || *name > '9')
		return -1;
	return *procfs_number(name, &value) == '\0' && value <= INT32_MAX ? (int)value : -1;
}

/* True: `each` has ended the walk. skip: this number is left out. */
static bool each_entry(
	const char *buffer, size_t size, int skip, int (*each)(void *, int), void *context)
{
	for (size_t at = 0; at < size;) {
		const struct entry *e = (const struct entry *)(const void *)(buffer + at);
		int number = name_number(e->name);

		at += e->size;
		if (number >= 0 && number != skip && each(context, number) != 0)
			return true;
	}
	return false;
}

static int walk(const char *path, bool of_fds, int (*each)(void *, int), void *context)
{
	_Alignas(struct entry) char buffer[4096];
	_cleanup_close_ int fd = -1;
	long n;

	fd = TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (fd < 0)
		return -errno;
	for (;;) {
		n = TEMP_FAILURE_RETRY(syscall(SYS_getdents64, fd, buffer, sizeof buffer));
		if (n <= 0)
			return n < 0 ? -errno : 0;
		if (each_entry(buffer, (size_t)n, of_fds ? fd : -1, each, context))
			return 0;
	}
}

int procfs_each(const char *path, int (*each)(void *context, int number), void *context)
{
	return walk(path, false, each, context);
}

int procfs_each_fd(int (*each)(void *context, int fd), void *context)
{
	return walk("/proc/self/fd", true, each, context);
}

int procfs_each_line(const char *path, int (*each)(void *context, const char *line), void *context)
{
	_cleanup_close_ int fd = TEMP_FAILURE_RETRY(open(path, O_RDONLY | O_CLOEXEC));
	char line[PROCFS_LINE], buffer[1024];
	size_t length = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = TEMP_FAILURE_RETRY(read(fd, buffer, sizeof buffer))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (buffer[i] != '\n') {
				line[length] = buffer[i];
				length += length < sizeof line - 1;
				continue;
			}
			line[length] = '\0';
			length = 0;
			if (each(context, line) != 0)
				return 0;
		}
	}
	return n < 0 ? -errno : 0;
}
