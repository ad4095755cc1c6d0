/* SPDX-License-Identifier: MIT */
#include "fds.h"
#include "procfs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define FIRST 3 /* the first number that may be closed: 0-2 never are */

struct keep {
	int fds[FDS_KEEP_MAX];
	size_t count;
};

/* Sorts, and drops duplicates and 0-2. qsort() is not used, because it may allocate. */
static int keep_sorted(struct keep *k, const int *fds, size_t count)
{
	k->count = 0;
	for (size_t i = 0; i < count; i++) {
		size_t at = k->count;

		if (fds[i] < FIRST)
			continue;
		while (at > 0 && k->fds[at - 1] > fds[i])
			at--;
		if (at > 0 && k->fds[at - 1] == fds[i])
			continue;
		if (k->count == FDS_KEEP_MAX)
			return -E2BIG;
		memmove(k->fds + at + 1, k->fds + at, (k->count - at) * sizeof k->fds[0]);
		k->fds[at] = fds[i];
		k->count++;
	}
	return 0;
}

static int by_number(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static bool keep_has(const struct keep *k, int fd)
{
	return bsearch(&fd, k->fds, k->count, sizeof fd, by_number) != NULL;
}

static int close_range_one(unsigned first, unsigned last)
{
#ifdef SYS_close_range
	return syscall(SYS_close_range, first, last, 0) < 0 ? -errno : 0;
#else
	(void)first, (void)last;
	return -ENOSYS;
#endif
}

void fds_close_pair(int a, int b)
{
	int low = MIN(a, b), high = MAX(a, b);

	if (low >= 0 && high == low + 1 && close_range_one((unsigned)low, (unsigned)high) == 0)
		return;
	close_fd(a);
	close_fd(b);
}

static int close_by_range(const struct keep *k)
{
	unsigned next = FIRST;
	int r;

	for (size_t i = 0; i < k->count; i++) {
		unsigned fd = (unsigned)k->fds[i];

		if (fd > next) {
			r = close_range_one(next, fd - 1);
			if (r < 0)
				return r;
		}
		next = fd + 1;
	}
	return close_range_one(next, ~0u);
}

static int close_listed(void *context, int fd)
{
	if (fd >= FIRST && !keep_has(context, fd))
		close(fd);
	return 0;
}

/*
 * Closes up to the soft limit. A file that was opened before the limit was lowered may stay open
 * above it, but without /proc there is no better bound.
 */
static void close_by_limit(const struct keep *k)
{
	struct rlimit limit = { 1024, 1024 };
	rlim_t end;

	getrlimit(RLIMIT_NOFILE, &limit);
	end = limit.rlim_max > 1048576 ? 1048576 : limit.rlim_max;
	for (int fd = FIRST; (rlim_t)fd < end; fd++)
		if (!keep_has(k, fd))
			close(fd);
}

int fds_close_all_but(const int *keep, size_t keep_count)
{
	struct keep k;
	int r = keep_sorted(&k, keep, keep_count);

	if (r < 0)
		return r;
	if (close_by_range(&k) == 0)
		return 0;
	if (procfs_each_fd(close_listed, &k) < 0)
		close_by_limit(&k);
	return 0;
}

static int count_one(void *context, int fd)
{
	(void)fd;
	++*(int *)context;
	return 0;
}

int fds_count(void)
{
	struct stat st;
	int count = 0, r;

	if (stat("/proc/self/fd", &st) < 0)
		return -errno;
	if (st.st_size > 0)
		return (int)st.st_size;
	r = procfs_each_fd(count_one, &count);
	return r < 0 ? r : count;
}

int fds_cloexec(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags < 0)
		return -errno;
	if (((flags & FD_CLOEXEC) != 0) == on)
		return 0;
	return fcntl(fd, F_SETFD, on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC) < 0 ? -errno : 0;
}

int fds_dup_above(int fd, int min)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, min);

	return copy < 0 ? -errno : copy;
}

int fds_null_onto(int fd, int flags)
{
	_cleanup_close_ int null = -1;
	int r;

	null = TEMP_FAILURE_RETRY(open("/dev/null", flags | O_CLOEXEC | O_NOCTTY));
	if (null < 0)
		return -errno;
	if (null == fd) {
		null = -1;
		return fds_cloexec(fd, false);
	}
	do
		r = dup2(null, fd);
	while (r < 0 && (errno == EINTR || errno == EBUSY));
	return r < 0 ? -errno : 0;
}

int fds_fill_standard(void)
{
	int r;

	for (int fd = 0; fd < FIRST; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		r = fds_null_onto(fd, fd == 0 ? O_RDONLY : O_WRONLY);
		if (r < 0)
			return r;
	}
	return 0;
}

int fds_raise_limit(size_t need, size_t *ret_hard)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	if (limit.rlim_cur >= need)
		return 0;
	if (limit.rlim_max < need) {
		*ret_hard = (size_t)limit.rlim_max;
		return -EMFILE;
	}
	limit.rlim_cur = need;
	return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

bool fds_is_anonymous(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == 0;
}

bool fds_poke(int fd)
{
	const uint64_t one = 1;

	if (!fds_is_anonymous(fd))
		return false;
	(void)TEMP_FAILURE_RETRY(write(fd, &one, sizeof one));
	return true;
}

bool fds_unpoke(int fd)
{
	uint64_t count;

	if (!fds_is_anonymous(fd))
		return false;
	(void)TEMP_FAILURE_RETRY(read(fd, &count, sizeof count));
	return true;
}

int fds_above_standard(int fd)
{
	int moved;

	if (fd < 0 || fd > 2)
		return fd;
	moved = fds_dup_above(fd, 3);
	close_fd(fd);
	return moved;
}
