/* SPDX-License-Identifier: MIT */
/*
 * request.c - the request of a job: over its socket, or in memory.
 *
 * What lies in memory is read without a system call, and without the two atomic operations that
 * holding off cancellation takes: nothing there is a cancellation point.
 */
#include "request.h"

#include "../base/base.h"
#include "../os/shm.h"
#include "bytes.h"
#include "library_call.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define FILE_BETTER (64u << 10)

static ssize_t read_memory(struct brood_job *job, void *data, size_t size)
{
	size_t n = MIN(size, job->request_size - job->request.read);

	if (n > 0)
		memcpy(data, job->request.bytes + job->request.read, n);
	job->request.read += n;
	return (ssize_t)n;
}

static ssize_t read_some(struct brood_job *job, void *data, size_t size)
{
	ssize_t n = bytes_receive(job->stream >= 0 ? job->stream : job->fd, data, size);

	job->request.read += n > 0 ? (size_t)n : 0;
	return n;
}

ssize_t brood_job_read(struct brood_job *job, void *data, size_t size) BROOD_NOEXCEPT
{
	if (size == 0)
		return 0;
	if (job->request.bytes)
		return read_memory(job, data, size);
	LIBRARY_CALL;
	return read_some(job, data, size);
}

static ssize_t read_all(struct brood_job *job, void *data, size_t size)
{
	size_t have = 0;
	ssize_t n;

	while (have < size) {
		n = read_some(job, (char *)data + have, size - have);
		if (n < 0)
			return n;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

ssize_t brood_job_read_all(struct brood_job *job, void *data, size_t size) BROOD_NOEXCEPT
{
	if (job->request.bytes)
		return read_memory(job, data, size);
	LIBRARY_CALL;
	return read_all(job, data, size);
}

/*
 * A file in memory gets pages that are written whole. Memory that is mapped must be zeroed first, a
 * page at a time, which on some machines is dearer than all copies together.
 */
static int gather_in_file(struct brood_job *job, int fd, size_t size, void **ret_memory)
{
	static char piece[64 << 10];
	void *memory;
	ssize_t n;
	int r;

	for (size_t at = 0; at < size; at += (size_t)n) {
		n = read_some(job, piece, MIN(sizeof piece, size - at));
		if (n <= 0)
			return n < 0 ? (int)n : -EPIPE;
		r = shm_memfd_append(fd, piece, (size_t)n, at);
		if (r < 0)
			return r;
	}
	memory = mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (memory == MAP_FAILED)
		return -ENOMEM;
	*ret_memory = memory;
	return 0;
}

static int gather_in_memory(struct brood_job *job, size_t size, void **ret_memory)
{
	/* shared: the library's memory, which worker_memory does not count */
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ssize_t n;

	if (memory == MAP_FAILED)
		return -ENOMEM;
	n = read_all(job, memory, size);
	if (n != (ssize_t)size) {
		munmap(memory, size);
		return n < 0 ? (int)n : -EPIPE;
	}
	*ret_memory = memory;
	return 0;
}

/* -1: none for that size. Asked before bytes are read: they come once. */
static int file_for(size_t size)
{
	struct rlimit limit;

	if (size <= FILE_BETTER || size > SIZE_MAX / 2 || getrlimit(RLIMIT_FSIZE, &limit) < 0 ||
		size > limit.rlim_cur)
		return -1;
	return shm_memfd_begin("brood-request");
}

/* All of it from the socket, into memory that is given back at the job's end. NULL: errno. */
static const unsigned char *gather(struct brood_job *job)
{
	LIBRARY_CALL;
	size_t size = job->request_size;
	_cleanup_close_ int fd = size > 0 ? file_for(size) : -1;
	void *memory = NULL;
	int r;

	if (size == 0)
		return (const unsigned char *)"";
	r = fd >= 0 ? gather_in_file(job, fd, size, &memory) : gather_in_memory(job, size, &memory);
	if (r < 0) {
		errno = -r;
		return NULL;
	}
	job->request.mapped = memory;
	job->request.mapped_size = size;
	return memory;
}

const void *brood_job_request(struct brood_job *job, size_t *ret_size) BROOD_NOEXCEPT
{
	if (job->request_size == BROOD_SIZE_UNKNOWN ||
		(job->request.read > 0 && !job->request.asked)) {
		errno = EINVAL;
		return NULL;
	}
	if (!job->request.bytes)
		job->request.bytes = gather(job);
	if (!job->request.bytes)
		return NULL;
	job->request.read = job->request_size;
	job->request.asked = true;
	if (ret_size)
		*ret_size = job->request_size;
	return job->request.bytes;
}

void request_unmap(struct brood_job *job)
{
	if (job->request.mapped)
		munmap(job->request.mapped, job->request.mapped_size);
	job->request.mapped = NULL;
	job->request.bytes = NULL;
}
