/* SPDX-License-Identifier: MIT */
#include "shm.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

size_t shm_page(void) { return (size_t)sysconf(_SC_PAGESIZE); }

static size_t round_up(size_t size)
{
	size_t page = shm_page();

	return size > SIZE_MAX - page ? 0 : (size + page - 1) / page * page;
}

void *shm_anonymous(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/*
 * mremap() with an old size of 0 makes a second mapping of the same memory, and leaves the first.
 */
void *shm_keep_from_children(void *memory, size_t size)
{
	void *reader = mremap(memory, 0, size, MREMAP_MAYMOVE);

	if (reader == MAP_FAILED)
		return NULL;
	if (mprotect(reader, size, PROT_READ) < 0 || madvise(memory, size, MADV_DONTFORK) < 0) {
		munmap(reader, size);
		return NULL;
	}
	return reader;
}

void shm_clear(void *memory, size_t size)
{
	if (madvise(memory, size, MADV_REMOVE) < 0)
		memset(memory, 0, size);
}

int shm_not_in_children(void *memory, size_t size)
{
	return madvise(memory, size, MADV_DONTFORK) < 0 ? -errno : 0;
}

int shm_wipe_on_fork(void *page, size_t size)
{
	return madvise(page, size, MADV_WIPEONFORK) < 0 ? -errno : 0;
}

void *shm_stack(size_t size)
{
	size_t page = shm_page(), usable = round_up(size);
	char *low;

	if (usable == 0 || usable > SIZE_MAX - page)
		return NULL;
	low = mmap(NULL, usable + page, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (low == MAP_FAILED)
		return NULL;
	if (mprotect(low, page, PROT_NONE) < 0) {
		munmap(low, usable + page);
		return NULL;
	}
	return low + page;
}

int shm_memfd_begin(const char *name)
{
	/*
	 * vm.memfd_noexec (Linux 6.3) may refuse memory files that could hold code. Older kernels
	 * do not know this flag.
	 */
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd < 0 ? -errno : fd;
}

/* Uses pwrite(), so that the offset stays 0 for the process that gets the fd. */
static int fill(int fd, const char *data, size_t size, size_t at)
{
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		n = TEMP_FAILURE_RETRY(pwrite(fd, data + done, size - done, (off_t)(at + done)));
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

/*
 * A write beyond RLIMIT_FSIZE would raise SIGXFSZ, and the signals of this process may belong to
 * the program. So the size is checked first.
 */
static bool too_large(size_t size)
{
	struct rlimit limit;

#if SIZE_MAX > INT64_MAX
	if (size > INT64_MAX)
		return true;
#endif
	return getrlimit(RLIMIT_FSIZE, &limit) == 0 && size > limit.rlim_cur;
}

int shm_memfd_append(int fd, const void *data, size_t size, size_t at)
{
	return size > SIZE_MAX - at || too_large(at + size) ? -EFBIG : fill(fd, data, size, at);
}

/* A signal ends fallocate(), which then starts anew: so it gets one piece at a time. */
int shm_memfd_take(int fd, size_t size)
{
	const off_t piece = (off_t)4 << 20;

	for (off_t at = 0; at < (off_t)size; at += piece)
		if (TEMP_FAILURE_RETRY(fallocate(fd, 0, at, MIN((off_t)size - at, piece))) < 0)
			return errno == ENOSPC ? -ENOMEM : -errno;
	return 0;
}

int shm_memfd_seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0
		? -errno
		: 0;
}

int shm_memfd(const char *name, const void *data, size_t size, const int *seals)
{
	_cleanup_close_ int fd = -1;
	int r, result;

	if (too_large(size))
		return -EFBIG;
	fd = shm_memfd_begin(name);
	if (fd < 0)
		return fd;
	r = data ? fill(fd, data, size, 0) : ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
	if (r < 0)
		return r;
	if (seals && fcntl(fd, F_ADD_SEALS, *seals) < 0)
		return -errno;
	result = fd;
	fd = -1;
	return result;
}
