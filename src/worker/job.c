/*
 * job.c - the public calls of a job: its socket, its limits, its log.
 *
 * The socket is blocking, but nothing here relies on that: other processes hold the same open file and may have made it non-blocking, so EAGAIN means poll() and once more.
 * No call is a cancellation point; SIGPIPE is never raised; the bound of every wait is the job's run time, which the supervisor enforces.
 *
 * Trap: at the job's end the fd is ours to shut down only if it still is the file that came: a job may have closed it, and have opened something else that got its number.
 */
#include "state.h"

#include "../base/base.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Holds cancellation off for the rest of the scope. */
static inline int cancellation_off(void)
{
	int old;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	return old;
}
static inline void cancellation_back(int *old)
{
	int now;

	pthread_setcancelstate(*old, &now);
}
#define NO_CANCELLATION int cancellation_ __attribute__((cleanup(cancellation_back), unused)) = cancellation_off()

uint64_t brood_job_id(const struct brood_job *job) BROOD_NOEXCEPT { return job->id; }
uint32_t brood_job_attempt(const struct brood_job *job) BROOD_NOEXCEPT { return job->attempt; }
size_t brood_job_request_size(const struct brood_job *job) BROOD_NOEXCEPT { return job->request_size; }
int brood_job_fd(struct brood_job *job) BROOD_NOEXCEPT { return job->fd; }

const void *brood_job_arg(const struct brood_job *job, size_t *ret_size) BROOD_NOEXCEPT
{
	if (ret_size)
		*ret_size = job->arg_size;
	return job->arg;
}

int brood_job_take_fd(struct brood_job *job) BROOD_NOEXCEPT
{
	job->taken = true;
	return job->fd;
}

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

/* An engine that ends its side before it has read all: for a local stream that is an end like any other. */
static bool reset_is_end(int fd)
{
	int domain = -1;
	socklen_t size = sizeof domain;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

static ssize_t read_some(struct brood_job *job, void *data, size_t size)
{
	ssize_t n;
	int r;

	for (;;) {
		n = recv(job->fd, data, MIN(size, (size_t)SSIZE_MAX), 0);
		if (n >= 0)
			return n;
		if (errno == ECONNRESET)
			return reset_is_end(job->fd) ? 0 : -ECONNRESET;
		r = wait_for(job->fd, POLLIN);
		if (r < 0)
			return r;
	}
}

ssize_t brood_job_read(struct brood_job *job, void *data, size_t size) BROOD_NOEXCEPT
{
	NO_CANCELLATION;

	return size == 0 ? 0 : read_some(job, data, size);
}

ssize_t brood_job_read_all(struct brood_job *job, void *data, size_t size) BROOD_NOEXCEPT
{
	NO_CANCELLATION;
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

static ssize_t write_all(struct brood_job *job, const void *data, size_t size)
{
	size_t sent = 0;
	ssize_t n;
	int r;

	while (sent < size) {
		n = send(job->fd, (const char *)data + sent, size - sent, MSG_NOSIGNAL);
		if (n >= 0) {
			sent += (size_t)n;
			continue;
		}
		if (errno == ECONNRESET)
			return -EPIPE;
		r = wait_for(job->fd, POLLOUT);
		if (r < 0)
			return r;
	}
	return (ssize_t)size;
}

ssize_t brood_job_write(struct brood_job *job, const void *data, size_t size) BROOD_NOEXCEPT
{
	NO_CANCELLATION;

	return write_all(job, data, size);
}

ssize_t brood_job_reply(struct brood_job *job, const void *data, size_t size) BROOD_NOEXCEPT
{
	NO_CANCELLATION;
	ssize_t n = write_all(job, data, size);

	if (n >= 0 && shutdown(job->fd, SHUT_WR) < 0)
		return errno == ENOTCONN ? -EPIPE : -errno;
	return n;
}

int brood_job_cancelled(const struct brood_job *job) BROOD_NOEXCEPT
{
	return worker_soft_came(job->sequence);
}

/* The fd is there for the handler first, then the flag is looked at: a soft step in between is told by one of the two. */
int brood_job_cancel_fd(struct brood_job *job) BROOD_NOEXCEPT
{
	int fd = atomic_load(&job->cancel_fd);
	uint64_t one = 1;

	if (fd >= 0)
		return fd;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	atomic_store(&job->cancel_fd, fd);
	if (worker_soft_came(job->sequence)) {
		NO_CANCELLATION;

		if (write(fd, &one, sizeof one) < 0)
			return fd;             /* full: readable */
	}
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
	uint64_t now, ms;

	if (worker_soft_came(job->sequence))
		return 0;
	if (job->soft_ns == TIME_NEVER)
		return BROOD_FOREVER;
	now = now_ns();
	if (now >= job->soft_ns)
		return 0;
	ms = (job->soft_ns - now + NS_PER_MS - 1) / NS_PER_MS;
	return ms < BROOD_FOREVER ? (uint32_t)ms : BROOD_FOREVER - 1;
}

/* One line: no newline at its end, none within, no other control characters that would let a job write lines of its own into somebody's log. */
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
		.size = sizeof line, .level = (enum brood_level)m->level, .event = BROOD_EVENT_JOB_LOG, .pid = getpid(), .slot = UINT32_MAX,
		.job = job->id, .text = m->text,
	};

	if (job->in_line->log)
		job->in_line->log(job->in_line->log_context, &line);
	return 0;
}

int brood_job_log(struct brood_job *job, enum brood_level level, const char *format, ...) BROOD_NOEXCEPT
{
	NO_CANCELLATION;
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
		return -EPERM;                 /* a child of the job: the channel is not its own */
	return frame_send(the_worker.config->channel_fd, &f) < 0 ? -EAGAIN : 0;
}

/* After SHUT_RD a local peer can send no more, so what is queued has an end; a TCP peer can, so there is a bound. Unread bytes at close() would tear a TCP reply down (RST) and tell a local reader
 * ECONNRESET instead of the end. */
static void drain(int fd)
{
	char waste[16384];

	for (int i = 0; i < 64 && recv(fd, waste, sizeof waste, MSG_DONTWAIT) > 0; i++)
		;
}

void job_finish_fd(struct brood_job *job)
{
	int fd = job->fd;

	job->fd = -1;
	if (fd < 0 || job->taken || !identity_is(fd, &job->identity))
		return;
	shutdown(fd, SHUT_RDWR);
	drain(fd);
	close(fd);
}

int worker_run_inline(brood_fn *fn, const struct job_inline *in_line, bool *ret_took_fd)
{
	struct brood_job job = {
		.id = in_line->id, .sequence = SEQUENCE_INLINE, .soft_ns = TIME_NEVER, .request_size = in_line->request_size, .fn = fn,
		.arg = in_line->arg, .arg_size = in_line->arg_size, .attempt = 1, .fd = in_line->fd, .cancel_fd = -1, .in_line = in_line,
	};
	int code;

	snprintf(job.name, sizeof job.name, "%s", in_line->name);
	code = fn(&job);
	job_close_cancel_fd(&job);
	*ret_took_fd = job.taken;
	return code;
}
