/* SPDX-License-Identifier: MIT */
/* report.c - see report.h. */
#include "report.h"

#include "../base/printable.h"
#include "job.h"
#include "library_call.h"
#include "worker.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>

#define FDS_WAIT_NS NS_PER_S /* how long a message waits until the kernel takes its fds */

AT_BIRTH static struct identity channel;
AT_BIRTH static bool suspect;

int report_open(void) { return identity_get(the_worker.config->channel_fd, &channel); }

void report_suspect(void) { suspect = true; }

/* Checks that the channel still is the library's, after a job that could have changed it. */
void report_check(void)
{
	if (suspect && !identity_is(the_worker.config->channel_fd, &channel))
		worker_give_up(WORKER_EXIT_CHANNEL);
	suspect = false;
}

/*
 * True: the kernel lacks memory or room for fds in flight. poll() with POLLOUT does not wait for
 * these. Lack of memory passes. ETOOMANYREFS may not: all fds in flight of one user count together,
 * and another process can hold its own there for ever. So a message waits for FDS_WAIT_NS and then
 * goes without its fds: if it waited on, the supervisor would kill this worker as stuck, though the
 * job is done.
 */
static bool is_short(int r) { return r == -ENOBUFS || r == -ENOMEM || r == -ETOOMANYREFS; }

int report_over(int fd, struct frame *f)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	uint64_t since = 0;
	int r;

	while ((r = frame_send(fd, f)) < 0) {
		if (r != -EAGAIN && !is_short(r))
			return r;
		if (r == -EAGAIN) {
			poll(&p, 1, -1);
			continue;
		}
		since = since ? since : now_ns();
		if (f->fds_count > 0 && now_ns() - since >= FDS_WAIT_NS)
			return r;
		poll(NULL, 0, 1);
	}
	return 0;
}

/*
 * Sends the message without its fds if the kernel does not take them, since the supervisor waits
 * for the message. Ends the worker if the channel fails.
 */
void report_send(struct frame *f)
{
	int r;

	report_check();
	r = report_over(the_worker.config->channel_fd, f);
	if (r < 0 && is_short(r)) {
		report_log(f->header.type == MESSAGE_FINISHED ? f->finished.id : 0, BROOD_WARNING,
			"the files that come with a job's reply are dropped: the kernel does not "
			"take them (error %d)",
			-r);
		f->fds_count = 0;
		r = report_over(the_worker.config->channel_fd, f);
	}
	if (r < 0)
		worker_give_up(WORKER_EXIT_CHANNEL);
}

/* A line about a job begins with the job's tag. Returns how many bytes that are. */
static size_t put_tag(char *text, const char *tag)
{
	char shown[BROOD_TAG_MAX];

	return tag[0] ? (size_t)sprintf(text, "[%s] ", printable_copy(shown, sizeof shown, tag))
		      : 0;
}

/*
 * A log line of the worker itself, sent as brood_job_log() sends a job's. The line is dropped if
 * the channel is full, or if a job may have put another file at the channel's number.
 */
void report_log(uint64_t job, enum brood_level level, const char *format, ...)
{
	struct frame f;
	va_list arguments;
	size_t at;

	if (suspect && !identity_is(the_worker.config->channel_fd, &channel))
		return;
	frame_begin(&f, MESSAGE_JOB_LOG);
	f.job_log.id = job;
	f.job_log.level = level;
	at = put_tag(f.job_log.text, job ? the_job.tag : "");
	va_start(arguments, format);
	vsnprintf(f.job_log.text + at, sizeof f.job_log.text - at, format, arguments);
	va_end(arguments);
	frame_send(the_worker.config->channel_fd, &f);
}

/* If CALLED cannot be sent, the mark in the slot page goes too: the next job says CALLED. */
bool report_called(void)
{
	struct slot_page *page = the_worker.page;
	const int fd = the_worker.config->channel_fd;
	struct frame f;

	if (atomic_load_explicit(&page->called, memory_order_relaxed))
		return true;
	if (suspect && !identity_is(fd, &channel))
		return false;
	atomic_store(&page->called, 1);
	if (frame_send(fd, frame_begin(&f, MESSAGE_CALLED)) == 0)
		return true;
	atomic_store(&page->called, 0);
	return false;
}

/* ---- messages that a job sends ---- */

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
	size_t at;
	int r;

	if (level < BROOD_ERR || level > BROOD_DEBUG)
		return -EINVAL;
	frame_begin(&f, MESSAGE_JOB_LOG);
	f.job_log.id = job->id;
	f.job_log.level = level;
	at = put_tag(f.job_log.text, job->tag);
	va_start(arguments, format);
	r = vsnprintf(f.job_log.text + at, sizeof f.job_log.text - at, format, arguments);
	va_end(arguments);
	if (r < 0)
		return -EINVAL;
	message_one_line(f.job_log.text);
	if (job->in_line)
		return log_inline(job, &f.job_log);
	if (!worker_is_self())
		return -EPERM; /* the caller is a child of the job: the channel is not its own */
	return frame_send(the_worker.config->channel_fd, &f) < 0 ? -EAGAIN : 0;
}
