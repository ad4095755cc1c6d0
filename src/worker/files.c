/* SPDX-License-Identifier: MIT */
/*
 * files.c - the fds of a job: its socket, extra ones, and those that go back with the reply. And
 * the flags of stdout and stderr, as a job found them (os/standard.h).
 *
 * Trap: at the job's end the library may close an fd only if it still is the file that came: a job
 * may have closed it, and have opened another file that got its number. (A job that made no calls
 * but tame ones cannot have: pool/tame.h.) So the library notes which file each fd is before the
 * job's first call that is not tame: when that call is trapped, or else before the job begins.
 *
 * Where the files at 1 and 2 are shared with the engine, the note of their flags also stands in the
 * slot's page: when the worker dies, the supervisor puts them back.
 */
#include "files.h"

#include "library_call.h"
#include "worker.h"

#include <fcntl.h>
#include <sys/socket.h>

size_t brood_job_extra_fds(const struct brood_job *job) BROOD_NOEXCEPT { return job->extra.count; }

int brood_job_extra_fd(struct brood_job *job, size_t index) BROOD_NOEXCEPT
{
	return index < job->extra.count ? job->extra.fds[index] : -EINVAL;
}

int brood_job_take_extra_fd(struct brood_job *job, size_t index) BROOD_NOEXCEPT
{
	if (index >= job->extra.count)
		return -EINVAL;
	job->extra.taken |= UINT32_C(1) << index;
	syscalls_note();
	return job->extra.fds[index];
}

/* Duplicates all fds. If one fails, the duplicates made before are closed. */
static int copy_all(const int *fds, size_t count, int *copies)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		copies[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (copies[i] >= 0)
			continue;
		/* EINVAL: no number from 3 on is below the limit on open files */
		r = errno == EINVAL ? -EMFILE : -errno;
		while (i > 0)
			close_fd(copies[--i]);
	}
	return r;
}

/* In inline mode the fds are collected where the caller wants them. */
int brood_job_reply_fds(struct brood_job *job, const int *fds, size_t count) BROOD_NOEXCEPT
{
	LIBRARY_CALL;
	uint32_t have = job->back_count;
	int r;

	if ((count > 0 && !fds) || job->request_size == BROOD_SIZE_UNKNOWN ||
		(job->in_line && !job->in_line->ret_fds))
		return -EINVAL;
	if (count > BROOD_JOB_FDS_MAX - have)
		return -E2BIG;
	r = copy_all(fds, count, job->back + have);
	if (r < 0)
		return r;
	job->back_count = have + (uint32_t)count;
	return 0;
}

/* ---- the flags of stdout and stderr ---- */

AT_BIRTH static struct standard standard;
AT_BIRTH bool files_shared;

static _Atomic uint32_t *note_of(int file) { return &the_worker.page->standard[file]; }

void files_open_own(void)
{
	struct standard *s = &standard;

	*s = the_worker.config->standard;
	standard_open_own(s);
	files_shared = standard_is_shared(s);
}

bool files_own(int fd) { return fd >= STDOUT_FILENO && standard.own[fd - STDOUT_FILENO]; }

void files_note_own(void) { standard_note_own(&standard); }

/* Async-signal-safe, for the trap of a job's first system call calls this. */
void files_note_flags(void)
{
	struct standard *s = &standard;

	if (!files_shared || s->is_noted)
		return;
	standard_note(s);
	for (int i = 0; i < STANDARD_FILES; i++)
		if (!s->own[i] && s->start[i] >= 0 && s->noted[i] >= 0)
			atomic_store_explicit(note_of(i),
				SLOT_PAGE_STANDARD | (uint32_t)s->noted[i], memory_order_relaxed);
}

/*
 * A job may have put another file at the number of stdout or stderr. Then the worker cannot reach
 * the file that was there: its note stays in the slot page, and the supervisor puts the flags back
 * once the worker is dead.
 */
void files_put_back_flags(const struct identity *files)
{
	struct standard *s = &standard;

	for (int i = 0; i < STANDARD_FILES; i++) {
		int fd = STDOUT_FILENO + i;

		if (files && !identity_is(fd, &files[fd]))
			continue;
		standard_put_back(s, i);
		if (s->is_noted)
			atomic_store_explicit(note_of(i), 0, memory_order_relaxed);
	}
	s->is_noted = false;
}

/* ---- the worker's side of a job's fds ---- */

static void note_identity(int fd, struct identity *ret)
{
	if (identity_get(fd, ret) < 0)
		*ret = (struct identity){ 0 };
}

void files_note(void)
{
	struct brood_job *job = &the_job;
	int saved = errno;

	if (job->fd >= 0)
		note_identity(job->fd, &job->identity);
	for (uint32_t i = 0; i < job->extra.count; i++)
		note_identity(job->extra.fds[i], &job->extra.identities[i]);
	files_note_flags();
	errno = saved;
}

/*
 * brood.h promises a job a blocking socket. The engine, or an earlier attempt of the job, may have
 * made it non-blocking.
 */
static void make_blocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0 && flags & O_NONBLOCK)
		fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

void files_take_socket(struct brood_job *job, int fd, bool own_pair)
{
	job->fd = fd;
	job->taken = false;
	if (fd >= 0 && (!own_pair || job->attempt > 1))
		make_blocking(fd);
}

void files_make_socket(struct brood_job *job, int fd)
{
	files_take_socket(job, fd, true);
	note_identity(fd, &job->identity);
}

void files_take_extra(struct brood_job *job, struct frame *f, size_t first)
{
	job->extra.count = job->extra.taken = 0;
	for (size_t i = first; i < f->fds_count && job->extra.count < BROOD_JOB_FDS_MAX; i++)
		job->extra.fds[job->extra.count++] = frame_take_fd(f, i);
}

/*
 * Drops what the job left unread, before close(): with unread bytes close() would tear a TCP reply
 * down (RST), and tell a local reader ECONNRESET instead of the end. The socket was shut down for
 * reading, so a local peer can send no more. A TCP peer can: so there is a bound.
 */
static void drain(int fd)
{
	char waste[16384];

	for (int i = 0; i < 64 && recv(fd, waste, sizeof waste, MSG_DONTWAIT) > 0; i++)
		;
}

static void finish_socket(struct brood_job *job, bool suspect)
{
	int fd = job->fd;

	job->fd = -1;
	if (fd < 0 || job->taken || (suspect && !identity_is(fd, &job->identity)))
		return;
	shutdown(fd, SHUT_RDWR);
	drain(fd);
	close(fd);
}

void files_take_stream(struct brood_job *job, int fd)
{
	job->stream = fd;
	note_identity(fd, &job->stream_identity);
}

/* Without shutdown(): the engine counts the bytes that came, and does not wait for an end. */
static void close_stream(struct brood_job *job)
{
	int fd = job->stream;

	job->stream = -1;
	if (fd >= 0 && identity_is(fd, &job->stream_identity))
		close(fd);
}

void files_close_extra(struct brood_job *job, bool suspect)
{
	for (uint32_t i = 0; i < job->extra.count; i++)
		if (!(job->extra.taken & UINT32_C(1) << i) &&
			(!suspect || identity_is(job->extra.fds[i], &job->extra.identities[i])))
			close(job->extra.fds[i]);
	job->extra.count = 0;
}

void files_close_back(struct brood_job *job)
{
	for (uint32_t i = 0; i < job->back_count; i++)
		close_fd(job->back[i]);
	job->back_count = 0;
}

void files_release(struct brood_job *job, bool suspect)
{
	finish_socket(job, suspect);
	close_stream(job);
	files_close_extra(job, suspect);
}
