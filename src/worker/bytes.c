/* SPDX-License-Identifier: MIT */
/*
 * bytes.c - request and reply of a job: over its socket, or in memory.
 *
 * The socket is blocking, but nothing here relies on that: other processes hold the same open file
 * and may have made it non-blocking, so EAGAIN means poll() and once more. No call is a
 * cancellation point; SIGPIPE is never raised; the bound of every wait is the job's run time, which
 * the supervisor enforces.
 *
 * What lies in memory is read and written without a system call, and without the two atomic
 * operations that holding off cancellation takes: nothing there is a cancellation point.
 *
 * Trap: a child that the job forked shares the memory of a reply, but not the figures on it. It
 * gets -EPERM.
 */
#include "state.h"

#include "../base/base.h"
#include "../os/shm.h"

#include <errno.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define FILE_BETTER (64u << 10)

/* 0: try again; else the error to give back. */
static int wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	if (errno == EINTR)
		return 0;
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		return -errno;
	return poll(&p, 1, -1) < 0 && errno != EINTR ? -errno : 0;
}

/*
 * An engine that ends its side before it has read all: for a local stream that is an end like any
 * other.
 */
static bool reset_is_end(int fd)
{
	int domain = -1;
	socklen_t size = sizeof domain;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

static ssize_t read_socket(struct brood_job *job, void *data, size_t size)
{
	int fd = job->stream >= 0 ? job->stream : job->fd, r;
	ssize_t n;

	for (;;) {
		n = recv(fd, data, MIN(size, (size_t)SSIZE_MAX), 0);
		if (n >= 0)
			return n;
		if (errno == ECONNRESET)
			return reset_is_end(fd) ? 0 : -ECONNRESET;
		r = wait_for(fd, POLLIN);
		if (r < 0)
			return r;
	}
}

static ssize_t read_memory(struct brood_job *job, void *data, size_t size)
{
	size_t n = MIN(size, job->request_size - job->request_read);

	if (n > 0)
		memcpy(data, job->request + job->request_read, n);
	job->request_read += n;
	return (ssize_t)n;
}

static ssize_t read_some(struct brood_job *job, void *data, size_t size)
{
	ssize_t n = read_socket(job, data, size);

	job->request_read += n > 0 ? (size_t)n : 0;
	return n;
}

ssize_t brood_job_read(struct brood_job *job, void *data, size_t size) BROOD_NOEXCEPT
{
	if (size == 0)
		return 0;
	if (job->request)
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
	if (job->request)
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
	job->mapped = memory;
	job->mapped_size = size;
	return memory;
}

const void *brood_job_request(struct brood_job *job, size_t *ret_size) BROOD_NOEXCEPT
{
	if (job->request_size == BROOD_SIZE_UNKNOWN || (job->request_read > 0 && !job->asked)) {
		errno = EINVAL;
		return NULL;
	}
	if (!job->request)
		job->request = gather(job);
	if (!job->request)
		return NULL;
	job->request_read = job->request_size;
	job->asked = true;
	if (ret_size)
		*ret_size = job->request_size;
	return job->request;
}

void job_unmap_request(struct brood_job *job)
{
	if (job->mapped)
		munmap(job->mapped, job->mapped_size);
	job->mapped = NULL;
	job->request = NULL;
}

/* ---- the reply ---- */

ssize_t bytes_write(int fd, const void *data, size_t size)
{
	size_t sent = 0;
	ssize_t n;
	int r;

	while (sent < size) {
		n = send(fd, (const char *)data + sent, size - sent, MSG_NOSIGNAL);
		if (n >= 0) {
			sent += (size_t)n;
			continue;
		}
		if (errno == ECONNRESET)
			return -EPIPE;
		r = wait_for(fd, POLLOUT);
		if (r < 0)
			return r;
	}
	return (ssize_t)size;
}

static ssize_t write_memory(struct brood_job *job, const void *data, size_t size)
{
	return the_worker.forked ? -EPERM : reply_write(job, data, size);
}

ssize_t brood_job_write(struct brood_job *job, const void *data, size_t size) BROOD_NOEXCEPT
{
	if (job->bytes)
		return write_memory(job, data, size);
	LIBRARY_CALL;
	return bytes_write(job->fd, data, size);
}

static ssize_t reply_on_socket(struct brood_job *job, const void *data, size_t size)
{
	LIBRARY_CALL;
	ssize_t n = bytes_write(job->fd, data, size);

	if (n >= 0 && shutdown(job->fd, SHUT_WR) < 0)
		return errno == ENOTCONN ? -EPIPE : -errno;
	return n;
}

ssize_t brood_job_reply(struct brood_job *job, const void *data, size_t size) BROOD_NOEXCEPT
{
	ssize_t n;

	if (!job->bytes)
		return reply_on_socket(job, data, size);
	n = write_memory(job, data, size);
	job->reply.ended |= n >= 0;
	return n;
}
