/* SPDX-License-Identifier: MIT */
/* self.c - see self.h. */
#include "self.h"

#include "../base/base.h"
#include "fds.h"
#include "proc.h"
#include "procfs.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>

/* A new file gets the lowest free number, so a leak shows up below this one. */
#define NUMBERS 1024
#define MOMENTS 50 /* moments of 0.1 ms each: longer than a thread takes to leave the kernel */

static struct {
	int fd; /* the open file /proc/self/stat */
	struct identity identity;
	bool kept, tasks_hidden, files_hidden;
} self;

static int open_by_path(void)
{
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

void self_keep(void)
{
	self.fd = open_by_path();
	self.kept = self.fd >= 0 && identity_get(self.fd, &self.identity) == 0;
}

static bool still_kept(void) { return self.kept && identity_is(self.fd, &self.identity); }

/* Closes a kept file that can still be opened by its path when it is needed. */
static void settle_file(void)
{
	_cleanup_close_ int fd = open_by_path();

	if (fd >= 0 && still_kept())
		close_fd(self.fd);
	self.kept = fd < 0 && still_kept();
}

static int nothing(void *context, int number)
{
	(void)context;
	(void)number;
	return 1;
}

unsigned self_settle(void)
{
	int threads;

	settle_file();
	self.tasks_hidden = procfs_each("/proc/self/task", nothing, NULL) < 0;
	self.files_hidden = fds_count() < 0;
	threads = self_threads(1);
	return (threads < 0 || (threads > 1 && self.tasks_hidden && !self.kept) ? SELF_BLIND_THREADS
										: 0) |
		(self_files() < 0 ? SELF_BLIND_FILES : 0);
}

static int read_kept(struct proc_stat *ret)
{
	char text[1024];
	ssize_t n;

	if (!self.kept)
		return -ENOENT;
	if (!still_kept())
		return -EBADF;
	n = pread(self.fd, text, sizeof text - 1, 0);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return proc_parse_stat(text, ret) == 0 ? 0 : -EBADF;
}

/* Counts the threads that are not gone yet. Without any file, 2 stands for "more than one". */
static int count_hidden(void)
{
	struct proc_stat stat;
	int r;

	if (unshare(CLONE_THREAD) == 0)
		return 1;
	if (errno == EINVAL && !self.kept)
		return 2;
	r = read_kept(&stat);
	return r < 0 ? r : stat.threads;
}

int self_threads(int expected)
{
	const struct timespec moment = { .tv_nsec = 100000 };
	int count;

	if (!self.tasks_hidden)
		return proc_thread_count();
	count = count_hidden();
	for (int i = 0; count > expected && i < MOMENTS; i++) {
		nanosleep(&moment, NULL);
		count = count_hidden();
	}
	return count;
}

static int count_by_poll(void)
{
	static struct pollfd numbers[NUMBERS];
	struct rlimit limit;
	int count = 0;
	nfds_t n;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	n = (nfds_t)MIN(limit.rlim_cur, (rlim_t)NUMBERS);
	for (nfds_t i = 0; i < n; i++)
		numbers[i] = (struct pollfd){ .fd = (int)i };
	if (poll(numbers, n, 0) < 0)
		return -errno;
	for (nfds_t i = 0; i < n; i++)
		count += !(numbers[i].revents & POLLNVAL);
	return count;
}

int self_files(void) { return self.files_hidden ? count_by_poll() : fds_count(); }
