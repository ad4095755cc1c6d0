/* SPDX-License-Identifier: MIT */
/*
 * reply_room.c - brood_job_reply_memory(): the job fills its reply where the library sends it from.
 * On a lease that is a piece of the lease's space, or a memory file, which goes to the engine when
 * the job has ended. A job with a socket gets memory of the library's, which is sent then.
 *
 * The memory file is sealed only when nobody has it mapped for writing: so it is unmapped at the
 * job's end, and children of the job do not have it.
 */
#include "reply_room.h"

#include "../os/shm.h"
#include "bytes.h"
#include "carried.h"
#include "library_call.h"
#include "payload.h"
#include "worker.h"

#include <sys/mman.h>
#include <sys/socket.h>

static int map(struct brood_job *job, int fd, size_t size)
{
	int flags = MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (memory == MAP_FAILED)
		return -ENOMEM;
	if (shm_not_in_children(memory, size) < 0) {
		munmap(memory, size);
		return -ENOMEM;
	}
	job->reply.room = memory;
	return 0;
}

static int make_file(struct brood_job *job, size_t size)
{
	int fd = shm_memfd("brood-reply", NULL, size, NULL), r;

	if (fd < 0)
		return fd;
	r = map(job, fd, size);
	if (r < 0) {
		close_fd(fd);
		return r;
	}
	job->reply.memfd = fd;
	job->reply.elsewhere = true;
	return 0;
}

static int make_room(struct brood_job *job, size_t size)
{
	struct job_reply *reply = &job->reply;
	int r;

	if (the_worker.forked && job->bytes)
		return -EPERM;
	if (reply->ended)
		return -EPIPE;
	if (reply->size > 0 || job->request_size == BROOD_SIZE_UNKNOWN || size == 0)
		return -EINVAL;
	/* a carried job gets its socket: its reply must not be sent before the job has filled it */
	if (job->bytes && !job->on_ring && (r = carried_make_socket(job)) < 0)
		return r;
	if (!job->bytes)
		return map(job, -1, size);
	reply->room = payload_room(job, size);
	return reply->room ? 0 : make_file(job, size);
}

void *brood_job_reply_memory(struct brood_job *job, size_t size) BROOD_NOEXCEPT
{
	LIBRARY_CALL;
	int r = make_room(job, size);

	if (r < 0) {
		errno = -r;
		return NULL;
	}
	job->reply.size = size;
	job->reply.ended = true;
	return job->reply.room;
}

void reply_room_end(struct brood_job *job)
{
	LIBRARY_CALL;
	struct job_reply *reply = &job->reply;
	void *memory = reply->room;

	reply->room = NULL;
	if (job->bytes && !reply->elsewhere)
		return;
	if (!job->bytes && bytes_send(job->fd, memory, reply->size) == 0)
		shutdown(job->fd, SHUT_WR);
	/* so that the engine meets no page that there is no memory for */
	else if (job->bytes)
		reply->error = shm_memfd_take(reply->memfd, reply->size);
	munmap(memory, reply->size);
}
