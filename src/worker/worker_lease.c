/* SPDX-License-Identifier: MIT */
/* worker_lease.c - see worker_lease.h. */
#include "worker_lease.h"

#include "hygiene.h"
#include "job.h"
#include "library_call.h"
#include "report.h"
#include "trace.h"
#include "worker.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

struct worker_lease the_lease;

/*
 * Maps the file, which is sealed, so that it cannot shrink under this worker. Closes the fd. NULL:
 * the file is not sealed or too small, or there is no memory.
 */
static void *map(int fd, size_t size, int protection)
{
	_cleanup_close_ int owned = fd;
	struct stat st;
	void *memory;
	int seals = fcntl(owned, F_GET_SEALS);

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(owned, &st) < 0 || st.st_size < 0 ||
		(uint64_t)st.st_size < size)
		return NULL;
	memory = mmap(NULL, size, protection, MAP_SHARED, owned, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

bool worker_lease_take(struct worker_lease *l, struct frame *f)
{
	bool whole = f->fds_count == LEASE_FDS;

	memset(l, 0, sizeof *l);
	l->id = f->grant.id;
	l->pinned = f->grant.flags & LEASE_PINNED;
	l->last = l->told = f->grant.sequence;
	l->word = atomic_load(&the_worker.page->word);
	l->space.size = RING_UP_BYTES;
	if (!whole)
		return false;
	l->side = frame_take_fd(f, LEASE_FD_SIDE);
	l->done_fd = frame_take_fd(f, LEASE_FD_DONE);
	l->down = map(frame_take_fd(f, LEASE_FD_DOWN), sizeof *l->down, PROT_READ);
	l->up = map(frame_take_fd(f, LEASE_FD_UP), sizeof *l->up, PROT_READ | PROT_WRITE);
	l->queue = map(frame_take_fd(f, LEASE_FD_QUEUE), sizeof *l->queue, PROT_READ);
	return l->down && l->up && l->queue && identity_get(l->side, &l->side_identity) == 0 &&
		identity_get(l->done_fd, &l->done_identity) == 0;
}

bool worker_lease_still_ours(const struct worker_lease *l)
{
	return (!l->suspect_side || identity_is(l->side, &l->side_identity)) &&
		(!l->suspect_done || identity_is(l->done_fd, &l->done_identity));
}

void worker_lease_give_back(struct worker_lease *l)
{
	munmap((void *)(uintptr_t)l->down, sizeof *l->down);
	munmap(l->up, sizeof *l->up);
	munmap((void *)(uintptr_t)l->queue, sizeof *l->queue);
	close(l->side);
	close(l->done_fd);
	hygiene_fds(-2);
}

void worker_lease_suspect(void) { the_lease.suspect_side = the_lease.suspect_done = true; }

/* ---- telling the engine ---- */

void worker_lease_check_side(struct worker_lease *l)
{
	if (l->suspect_side && !identity_is(l->side, &l->side_identity))
		worker_give_up(WORKER_EXIT_CHANNEL);
	l->suspect_side = false;
}

bool worker_lease_say(struct worker_lease *l, struct frame *f)
{
	int r;

	worker_lease_check_side(l);
	r = report_over(l->side, f);
	l->gone |= r == -EPIPE || r == -ECONNRESET || r == -ENOTCONN;
	return r == 0;
}

/*
 * True: there is room for progress. Progress may fill half of the side socket's buffer; the other
 * half is for replies, which must not be lost. So a job that tells a lot while the engine does not
 * read leaves room for them.
 */
static bool side_has_room(int fd)
{
	int out, room;
	socklen_t size = sizeof room;

	return ioctl(fd, SIOCOUTQ, &out) == 0 &&
		getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, &size) == 0 && out < room / 2;
}

/*
 * Sends progress: of a job on lease over the side socket, of a handed-off job to the supervisor,
 * which hands it on.
 */
static int send_progress(const struct brood_job *job, struct frame *f)
{
	int side = the_lease.side;

	if (!job->on_ring)
		return frame_send(the_worker.config->channel_fd, f) < 0 ? -EAGAIN : 0;
	return side_has_room(side) && frame_send(side, f) == 0 ? 0 : -EAGAIN;
}

int brood_job_progress(struct brood_job *job, const void *data, size_t size) BROOD_NOEXCEPT
{
	LIBRARY_CALL;
	struct frame f;

	if (size > BROOD_PROGRESS_MAX)
		return -EMSGSIZE;
	if (size > 0 && !data)
		return -EINVAL;
	if (job->in_line) {
		if (job->in_line->progress)
			job->in_line->progress(job->in_line->progress_context, data, size);
		return 0;
	}
	if (!worker_is_self())
		return -EPERM; /* refused as brood_job_log() refuses it */
	frame_begin(&f, MESSAGE_PROGRESS);
	f.progress.id = job->id;
	f.progress.sequence = job->sequence;
	f.progress.size = (uint32_t)size;
	if (size > 0)
		memcpy(f.progress.data, data, size);
	trace_progress(job->sequence, data, size);
	return send_progress(job, &f);
}
