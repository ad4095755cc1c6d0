/* SPDX-License-Identifier: MIT */
#include "procfs.h"

#include <fcntl.h>
#include <sys/syscall.h>

/* What getdents64 writes. glibc's own struct has a name of fixed size. */
struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t size;
	uint8_t type;
	char name[];
};

static char *append(char *to, char *end, const char *text)
{
	while (*text && to < end)
		*to++ = *text++;
	*to = '\0';
	return to;
}

static char *append_number(char *to, char *end, unsigned number)
{
	char digits[12];
	size_t i = sizeof digits - 1;

	digits[i] = '\0';
	do
		digits[--i] = (char)('0' + number % 10);
	while (number /= 10);
	return append(to, end, digits + i);
}

char *procfs_path(char path[PROCFS_PATH], pid_t pid, const char *name)
{
	char *end = path + PROCFS_PATH - 1, *to = append(path, end, "/proc/");

	to = pid == 0 ? append(to, end, "self") : append_number(to, end, (unsigned)pid);
	to = append(to, end, "/");
	append(to, end, name);
	return path;
}

char *procfs_task_path(char path[PROCFS_PATH], pid_t tid, const char *name)
{
	char *end = path + PROCFS_PATH - 1, *to = append(path, end, "/proc/self/task/");

	to = append_number(to, end, (unsigned)tid);
	to = append(to, end, "/");
	append(to, end, name);
	return path;
}

ssize_t procfs_read(const char *path, char *text, size_t size)
{
	_cleanup_close_ int fd = -1;
	size_t done = 0;
	ssize_t n;

	do
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	while (done < size - 1) {
		n = read(fd, text + done, size - 1 - done);
		if (n < 0 && errno == EINTR)
			continue;
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
		return false; /* the answer is not kept: memory may have been short */
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

static int each_entry(
	const char *buffer, size_t size, int walk_fd, int (*each)(void *, int, int), void *context)
{
	for (size_t at = 0; at < size;) {
		const struct entry *e = (const struct entry *)(const void *)(buffer + at);
		int number = name_number(e->name);

		at += e->size;
		if (number >= 0 && each(context, number, walk_fd) != 0)
			return 1;
	}
	return 0;
}

int procfs_each(
	const char *path, int (*each)(void *context, int number, int walk_fd), void *context)
{
	_Alignas(struct entry) char buffer[4096];
	_cleanup_close_ int fd = -1;
	long n;

	do
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return -errno;
	for (;;) {
		n = syscall(SYS_getdents64, fd, buffer, sizeof buffer);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		if (each_entry(buffer, (size_t)n, fd, each, context))
			return 0;
	}
}
