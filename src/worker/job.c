/* SPDX-License-Identifier: MIT */
/*
 * job.c - the public calls of a job that are about itself: who it is, its limits, its log and its
 * progress; and inline mode. Those for its bytes are in bytes.c, those for its fds in files.c.
 */
#include "state.h"

#include "../base/base.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <linux/sockios.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

uint64_t brood_job_id(const struct brood_job *job) BROOD_NOEXCEPT { return job->id; }
uint32_t brood_job_attempt(const struct brood_job *job) BROOD_NOEXCEPT { return job->attempt; }
size_t brood_job_request_size(const struct brood_job *job) BROOD_NOEXCEPT
{
	return job->request_size;
}

const void *brood_job_arg(const struct brood_job *job, size_t *ret_size) BROOD_NOEXCEPT
{
	if (ret_size)
		*ret_size = job->arg_size;
	return job->arg;
}

/* The job learns it here, and the verdict says so. */
static bool told(const struct brood_job *job)
{
	if (!worker_soft_came(job->sequence))
		return false;
	atomic_store_explicit(&the_worker.desk->noticed, job->sequence, memory_order_relaxed);
	return true;
}

int brood_job_cancelled(const struct brood_job *job) BROOD_NOEXCEPT { return told(job); }

/*
 * The fd is there for the handler first, then the flag is looked at: a soft step in between is told
 * by one of the two.
 */
int brood_job_cancel_fd(struct brood_job *job) BROOD_NOEXCEPT
{
	LIBRARY_CALL;
	int fd = atomic_load(&job->cancel_fd);
	uint64_t one = 1;

	if (fd >= 0)
		return fd;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	atomic_store(&job->cancel_fd, fd);
	if (worker_soft_came(job->sequence) && write(fd, &one, sizeof one) < 0)
		return fd; /* full: readable */
	return fd;
}

void job_close_cancel_fd(struct brood_job *job)
{
	int fd = atomic_exchange(&job->cancel_fd, -1);

	if (fd >= 0)
		close(fd);
}

uint32_t brood_job_time_left_ms(const struct brood_job *job) BROOD_NOEXCEPT
{
	SYSCALLS_OURS;
	uint64_t now, ms;

	if (told(job))
		return 0;
	if (job->soft_ns == TIME_NEVER)
		return BROOD_FOREVER;
	now = now_ns();
	if (now >= job->soft_ns)
		return 0;
	ms = (job->soft_ns - now + NS_PER_MS - 1) / NS_PER_MS;
	return ms < BROOD_FOREVER ? (uint32_t)ms : BROOD_FOREVER - 1;
}

/*
 * One line: no newline at its end, none within, no other control characters that would let a job
 * write lines of its own into somebody's log.
 */
static void one_line(char *text)
{
	size_t length = strlen(text);

	while (length > 0 && text[length - 1] == '\n')
		text[--length] = '\0';
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
}

static int log_inline(struct brood_job *job, const struct message_job_log *m)
{
	struct brood_log line = {
		.size = sizeof line,
		.level = (enum brood_level)m->level,
		.event = BROOD_EVENT_JOB_LOG,
		.pid = getpid(),
		.slot = UINT32_MAX,
		.job = job->id,
		.text = m->text,
	};

	if (job->in_line->log)
		job->in_line->log(job->in_line->log_context, &line);
	return 0;
}

int brood_job_log(
	struct brood_job *job, enum brood_level level, const char *format, ...) BROOD_NOEXCEPT
{
	LIBRARY_CALL;
	struct frame f;
	va_list arguments;
	int r;

	if (level < BROOD_ERR || level > BROOD_DEBUG)
		return -EINVAL;
	frame_begin(&f, MESSAGE_JOB_LOG);
	f.job_log.id = job->id;
	f.job_log.level = level;
	va_start(arguments, format);
	r = vsnprintf(f.job_log.text, sizeof f.job_log.text, format, arguments);
	va_end(arguments);
	if (r < 0)
		return -EINVAL;
	one_line(f.job_log.text);
	if (job->in_line)
		return log_inline(job, &f.job_log);
	if (!worker_is_self())
		return -EPERM; /* a child of the job: the channel is not its own */
	return frame_send(the_worker.config->channel_fd, &f) < 0 ? -EAGAIN : 0;
}

/*
 * Half of the link's buffer is for what must not be lost: an engine that does not look for a while
 * shall find replies there, however talkative a job is.
 */
static bool link_has_room(int fd)
{
	int out, room;
	socklen_t size = sizeof room;

	return ioctl(fd, SIOCOUTQ, &out) == 0 &&
		getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, &size) == 0 && out < room / 2;
}

/* Over the link, or to the supervisor, which hands it on. */
static int send_progress(const struct brood_job *job, struct frame *f)
{
	int link = the_worker.lease.link;

	if (!job->on_ring)
		return frame_send(the_worker.config->channel_fd, f) < 0 ? -EAGAIN : 0;
	return link_has_room(link) && frame_send(link, f) == 0 ? 0 : -EAGAIN;
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
		return -EPERM; /* as for the log */
	frame_begin(&f, MESSAGE_PROGRESS);
	f.progress.id = job->id;
	f.progress.sequence = job->sequence;
	f.progress.size = (uint32_t)size;
	if (size > 0)
		memcpy(f.progress.data, data, size);
	return send_progress(job, &f);
}

/* ---- inline mode ---- */

static void take_inline_fds(struct brood_job *job)
{
	const struct job_inline *in = job->in_line;

	for (size_t i = 0; i < in->fds_count && i < BROOD_JOB_FDS_MAX; i++) {
		job->extra[i] = in->fds[i];
		if (identity_get(in->fds[i], &job->extra_identity[i]) < 0)
			job->extra_identity[i] = (struct identity){ 0 };
		job->extra_count = (uint32_t)i + 1;
	}
}

static void give_inline_fds(struct brood_job *job)
{
	if (!job->in_line->ret_fds)
		return;
	for (uint32_t i = 0; i < job->back_count; i++)
		job->in_line->ret_fds[i] = job->back[i];
	*job->in_line->ret_fds_count = job->back_count;
	job->back_count = 0;
}

int worker_run_inline(brood_fn *fn, const struct job_inline *in_line, bool *ret_took_fd)
{
	struct brood_job job = {
		.id = in_line->id,
		.sequence = SEQUENCE_INLINE,
		.soft_ns = TIME_NEVER,
		.request_size = in_line->request_size,
		.fn = fn,
		.arg = in_line->arg,
		.arg_size = in_line->arg_size,
		.attempt = 1,
		.fd = in_line->fd,
		.stream = -1,
		.cancel_fd = -1,
		.in_line = in_line,
	};
	struct standard standard;
	int code;

	snprintf(job.name, sizeof job.name, "%s", in_line->name);
	take_inline_fds(&job);
	standard_look(&standard);
	code = fn(&job);
	standard.is_noted = true;
	for (int i = 0; i < STANDARD_FILES; i++)
		standard_put_back(&standard, i);
	job_close_cancel_fd(&job);
	job_close_extra(&job, true);
	job_unmap_request(&job);
	give_inline_fds(&job);
	job_close_back(&job);
	*ret_took_fd = job.taken;
	return code;
}
