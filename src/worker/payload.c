/* SPDX-License-Identifier: MIT */
/*
 * payload.c - the bytes of a job, its request and its reply: over its socket, or in memory. Memory
 * is the lease's space, a buffer of brood_request_new() (loans.c), memory for a whole reply
 * (reply_room.c), or, of a handed-off job, the messages (carried.c).
 *
 * A request in memory is read without a system call. Cancellation is not held off then, which would
 * take two atomic operations: to copy memory is no cancellation point.
 *
 * A reply in memory is one piece of the lease's space for replies. The piece can grow, for it is
 * the last one there (jobs run one at a time). A reply that gets too large for the space, or finds
 * no room because the engine has not yet taken older replies, goes elsewhere: over a socket, if a
 * thread of the engine waits for the job and reads the socket, since its buffers are warm memory
 * that is used again and again; else into a memfd, because the worker must not wait for an engine
 * in which nobody reads.
 *
 * The engine does not trust the memory of replies. A job that writes there by itself spoils the
 * replies of this worker and nothing else.
 *
 * Trap: a child that the job forked shares the memory of a reply, but has its own copy of where the
 * reply stands there. So the calls of such a child fail with -EPERM.
 */
#include "payload.h"

#include "../os/shm.h"
#include "bytes.h"
#include "carried.h"
#include "files.h"
#include "library_call.h"
#include "worker.h"
#include "worker_lease.h"

#include <sys/mman.h>
#include <sys/socket.h>

#define FILE_BETTER (64u << 10)
/* No cache line has two replies: one is read while the next is written. */
#define REPLY_ALIGN 64

/* ---- reading the request ---- */

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
 * Reads the request into a memory file, whose pages are written whole. Mapped memory would be
 * zeroed first, a page at a time, which on some machines costs more than all copies together.
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
	/* MAP_SHARED: the memory is the library's, and worker_memory does not count it. */
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

/*
 * Returns a memory file for the request; -1: none can be had, or none is worth it for this size.
 * Called before bytes are read, since the socket gives them only once.
 */
static int file_for(size_t size)
{
	struct rlimit limit;

	if (size <= FILE_BETTER || size > SIZE_MAX / 2 || getrlimit(RLIMIT_FSIZE, &limit) < 0 ||
		size > limit.rlim_cur)
		return -1;
	return shm_memfd_begin("brood-request");
}

/*
 * Reads the whole request from the socket into memory, which stays until the job's end. Returns
 * NULL and sets errno if that fails.
 */
static const unsigned char *gather(struct brood_job *job)
{
	LIBRARY_CALL;
	size_t size = job->request_size;
	/*
	 * Not in inline mode, where several threads would share the one buffer of gather_in_file().
	 */
	_cleanup_close_ int fd = size > 0 && !job->in_line ? file_for(size) : -1;
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

void payload_unmap(struct brood_job *job)
{
	if (job->request.mapped)
		munmap(job->request.mapped, job->request.mapped_size);
	job->request.mapped = NULL;
	job->request.bytes = NULL;
}

/* ---- writing the reply ---- */

/*
 * Gives back the space of replies that the engine has collected. Called only when room is short:
 * the engine writes `collected` at each collect, so a read misses the cache.
 */
static void give_back(struct worker_lease *l)
{
	uint64_t collected = atomic_load_explicit(&l->down->collected, memory_order_acquire), end;

	if (collected > l->last || l->last - collected >= RING_DEPTH)
		return;
	end = l->ends[collected % RING_DEPTH];
	if (end > l->space.tail && end <= l->space.head)
		l->space.tail = end;
}

/* Moves the reply to another part of the space, where `need` bytes fit. False: there is none. */
static bool move(struct worker_lease *l, struct job_reply *r, uint32_t need)
{
	uint64_t end;
	int64_t at = ring_space_take(&l->space, need, REPLY_ALIGN, &end);

	if (at < 0)
		return false;
	if (r->size > 0)
		memmove(l->up->bytes + at, l->up->bytes + r->start % RING_UP_BYTES, r->size);
	r->start = end - need;
	return true;
}

/* Makes room for `more` bytes behind those that the reply has. */
static bool make_room(struct worker_lease *l, struct job_reply *r, uint32_t more)
{
	uint32_t need = (uint32_t)r->size + more;

	if (r->size == 0) {
		if (l->space.head - l->space.tail >= RING_UP_BYTES / 8)
			give_back(l);
		/*
		 * If no reply waits in the space, this one begins at the front, whose pages are in
		 * the cache.
		 */
		if (l->space.head == l->space.tail)
			l->space.head = l->space.tail = (l->space.head + RING_UP_BYTES - 1) &
				~(uint64_t)(RING_UP_BYTES - 1);
		r->start = (l->space.head + REPLY_ALIGN - 1) & ~(uint64_t)(REPLY_ALIGN - 1);
	}
	if (r->start % RING_UP_BYTES + need > RING_UP_BYTES ||
		r->start + need - l->space.tail > RING_UP_BYTES)
		return move(l, r, need);
	l->space.head = r->start + need;
	return true;
}

/*
 * Writes how much of the reply there is, for the engine to find if the worker dies. The figure is
 * true after each store: a worker that dies between two of them had written less.
 */
static void say_so_far(struct worker_lease *l, const struct brood_job *job, size_t size)
{
	struct ring_done *d = &l->up->dones[job->sequence % RING_DEPTH];

	d->reply_size = 0;
	atomic_signal_fence(memory_order_seq_cst);
	d->sequence = job->sequence;
	d->flags = 0;
	d->reply_at = (uint32_t)(job->reply.start % RING_UP_BYTES);
	atomic_signal_fence(memory_order_seq_cst);
	d->reply_size = size;
}

/*
 * Gets the job a socket that the engine reads: that of the request, or a new one. False: the job
 * has closed that socket or the side socket. Then no new one is made: it might get the number of
 * the side socket, and nobody would read there.
 */
static bool open_stream(struct worker_lease *l, struct brood_job *job)
{
	struct frame f;
	int fds[2];
	bool sent;

	if (job->stream >= 0)
		return identity_is(job->stream, &job->stream_identity);
	if (!identity_is(l->side, &l->side_identity))
		return false;
	if (sockets_pair(SOCK_STREAM, fds) < 0)
		return false;
	frame_begin(&f, MESSAGE_BACK);
	f.side.sequence = job->sequence;
	f.side.extra = 0;
	f.side.flags = SIDE_STREAM;
	f.fds[f.fds_count++] = fds[0];
	sent = worker_lease_say(l, &f);
	close_fd(fds[0]);
	if (sent)
		files_take_stream(job, fds[1]);
	else
		close_fd(fds[1]);
	return sent;
}

static int spill_to_stream(struct worker_lease *l, struct brood_job *job)
{
	struct job_reply *r = &job->reply;
	ssize_t n = 0;

	if (r->size > 0)
		n = bytes_send(job->stream, l->up->bytes + r->start % RING_UP_BYTES, r->size);
	if (n < 0)
		return (int)n;
	if (r->size > 0)
		l->space.head = r->start;
	r->streams = true;
	return 0;
}

/*
 * Moves the reply from the space to a memory file. The engine need not be told: it leaves the piece
 * alone until the job's completion is there.
 */
static int spill_to_memfd(struct worker_lease *l, struct job_reply *r)
{
	int fd = shm_memfd_begin("brood-reply"), e;

	if (fd < 0)
		return fd;
	e = r->size > 0 ? shm_memfd_append(fd, l->up->bytes + r->start % RING_UP_BYTES, r->size, 0)
			: 0;
	if (e < 0) {
		close_fd(fd);
		return e;
	}
	if (r->size > 0)
		l->space.head = r->start;
	r->memfd = fd;
	return 0;
}

static int spill(struct worker_lease *l, struct brood_job *job)
{
	if (job->engine_waits && open_stream(l, job))
		return spill_to_stream(l, job);
	return spill_to_memfd(l, &job->reply);
}

static int append_elsewhere(
	struct worker_lease *l, struct brood_job *job, const void *data, size_t size)
{
	LIBRARY_CALL;
	struct job_reply *r = &job->reply;
	int e = r->elsewhere ? 0 : spill(l, job);
	ssize_t n;

	r->elsewhere = true;
	if (e < 0)
		return e;
	if (!r->streams)
		return shm_memfd_append(r->memfd, data, size, r->size);
	n = bytes_send(job->stream, data, size);
	return n < 0 ? (int)n : 0;
}

static int append(struct worker_lease *l, struct brood_job *job, const void *data, size_t size)
{
	struct job_reply *r = &job->reply;

	if (!r->elsewhere && size <= RING_INLINE_MAX && r->size + size <= RING_INLINE_MAX &&
		make_room(l, r, (uint32_t)size)) {
		memcpy(l->up->bytes + (r->start % RING_UP_BYTES + r->size), data, size);
		return 0;
	}
	return append_elsewhere(l, job, data, size);
}

static int make_way(struct brood_job *job, size_t size)
{
	return job->bytes && !job->on_ring ? carried_make_way(job, size) : 0;
}

static ssize_t write_piece(struct brood_job *job, const void *data, size_t size)
{
	struct job_reply *r = &job->reply;

	if (r->ended)
		return -EPIPE;
	if (r->error < 0)
		return r->error;
	if (size == 0)
		return 0;
	if (!job->on_ring) {
		carried_write(job, data, size);
		return (ssize_t)size;
	}
	r->error = append(&the_lease, job, data, size);
	/* bytes that are lost count, too: the verdict tells how many the reply had */
	r->size += size;
	if (r->error < 0)
		return r->error;
	say_so_far(&the_lease, job, r->elsewhere ? 0 : r->size);
	return (ssize_t)size;
}

static void say_back(struct worker_lease *l, const struct brood_job *job, struct ring_done *done)
{
	const struct job_reply *r = &job->reply;
	struct frame f;

	frame_begin(&f, MESSAGE_BACK);
	f.side.sequence = job->sequence;
	f.side.extra = job->back_count;
	if (r->memfd >= 0) {
		f.side.flags = SIDE_MEMFD;
		f.fds[f.fds_count++] = r->memfd;
	}
	for (uint32_t i = 0; i < job->back_count; i++)
		f.fds[f.fds_count++] = job->back[i];
	if (!worker_lease_say(l, &f)) {
		done->flags |= DONE_NO_ROOM;
		return;
	}
	done->flags |= DONE_BACK | (r->memfd >= 0 ? DONE_MEMFD : 0);
	done->extra = job->back_count;
}

void payload_finish(struct brood_job *job, struct ring_done *done)
{
	struct job_reply *r = &job->reply;

	if (r->memfd >= 0 && r->error == 0)
		r->error = shm_memfd_seal(r->memfd);
	if (r->error < 0) {
		done->flags |= DONE_NO_ROOM;
		r->memfd = close_fd(r->memfd);
	} else if (r->streams) {
		done->flags |= DONE_STREAM;
	}
	if (r->memfd >= 0 || job->back_count > 0)
		say_back(&the_lease, job, done);
	r->memfd = close_fd(r->memfd);
	files_close_back(job);
}

static ssize_t write_memory(struct brood_job *job, const void *data, size_t size)
{
	return the_worker.forked ? -EPERM : write_piece(job, data, size);
}

void *payload_room(struct brood_job *job, size_t size)
{
	if (size > RING_INLINE_MAX || !make_room(&the_lease, &job->reply, (uint32_t)size))
		return NULL;
	return memset(the_lease.up->bytes + job->reply.start % RING_UP_BYTES, 0, size);
}

ssize_t brood_job_write(struct brood_job *job, const void *data, size_t size) BROOD_NOEXCEPT
{
	int r = make_way(job, size);

	if (r < 0)
		return r;
	if (job->bytes)
		return write_memory(job, data, size);
	if (job->reply.room)
		return -EPIPE;
	LIBRARY_CALL;
	return bytes_send(job->fd, data, size);
}

static ssize_t reply_on_socket(struct brood_job *job, const void *data, size_t size)
{
	LIBRARY_CALL;
	ssize_t n = bytes_send(job->fd, data, size);

	if (n >= 0 && shutdown(job->fd, SHUT_WR) < 0)
		return errno == ENOTCONN ? -EPIPE : -errno;
	return n;
}

ssize_t brood_job_reply(struct brood_job *job, const void *data, size_t size) BROOD_NOEXCEPT
{
	ssize_t n = make_way(job, size);

	if (n < 0)
		return n;
	if (!job->bytes)
		return job->reply.room ? -EPIPE : reply_on_socket(job, data, size);
	n = write_memory(job, data, size);
	job->reply.ended |= n >= 0;
	return n;
}
