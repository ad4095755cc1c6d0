/* SPDX-License-Identifier: MIT */
/*
 * log.c - see log.h. Each thread collects its lines in a buffer of its own, and writes the buffer
 * when it is full: at a million jobs a second there is no time for a system call a line. The
 * buffers are shared memory. So when the engine is killed, the judge still has the lines that were
 * not written yet.
 */
#include "log.h"
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LINE_MAX_SIZE 256

struct buffer {
	_Atomic uint32_t used;
	char text[16384 - sizeof(uint32_t)];
};

struct log {
	size_t size;
	int fd;
	_Atomic int error; /* of the first write that failed */
	unsigned count;
	/* The judge has the first one, thread 0 the second one, and so on. */
	_Alignas(4096) struct buffer buffer[];
};

static struct log *log_shared; /* NULL: there is no log */

int log_open(const char *path, unsigned threads)
{
	size_t size = sizeof(struct log) + (threads + 1) * sizeof(struct buffer);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
	struct log *log;

	if (fd < 0)
		return -errno;
	log = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE,
		-1, 0);
	if (log == MAP_FAILED) {
		close(fd);
		return -ENOMEM;
	}
	log->size = size;
	log->fd = fd;
	log->count = threads + 1;
	log_shared = log;
	return 0;
}

static void flush(struct buffer *b)
{
	size_t used = atomic_load(&b->used);
	const char *at = b->text;
	int none = 0;

	while (used) {
		ssize_t n = write(log_shared->fd, at, used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			atomic_compare_exchange_strong(&log_shared->error, &none, errno);
			break;
		}
		at += n;
		used -= (size_t)n;
	}
	atomic_store(&b->used, 0);
}

/* Returns where the next line goes: there is room for LINE_MAX_SIZE bytes. */
static char *room(struct buffer *b)
{
	if (atomic_load(&b->used) + LINE_MAX_SIZE > sizeof b->text)
		flush(b);
	return b->text + atomic_load(&b->used);
}

/* A line counts only when it is whole. `length` is without the line's end. */
static void keep(struct buffer *b, int length)
{
	uint32_t used = atomic_load(&b->used);

	if (length < 0)
		return;
	if (length > LINE_MAX_SIZE - 2)
		length = LINE_MAX_SIZE - 2;
	b->text[used + (uint32_t)length] = '\n';
	atomic_store(&b->used, used + (uint32_t)length + 1);
}

void log_job(unsigned thread, const struct load_job *job)
{
	char value[JOB_SPEC_VALUE_TEXT], *at;
	struct buffer *b;
	int n;

	if (!log_shared)
		return;
	b = &log_shared->buffer[1 + thread];
	at = room(b);
	n = snprintf(at, LINE_MAX_SIZE, "job %llu %s", (llu)job->number, kind_name(job->kind));
	job_spec_value_text(job->kind, job->arg.value, value);
	n += snprintf(at + n, LINE_MAX_SIZE - (size_t)n, "%s%s size=%zu", *value ? "=" : "", value,
		job->size);
	if (job->hint)
		n += snprintf(at + n, LINE_MAX_SIZE - (size_t)n, " key=%llu", (llu)job->hint);
	if (job->priority == BROOD_BACKGROUND)
		n += snprintf(at + n, LINE_MAX_SIZE - (size_t)n, " background");
	keep(b, n);
}

void log_event(const char *format, ...)
{
	struct buffer *b;
	va_list args;

	if (!log_shared)
		return;
	b = &log_shared->buffer[0];
	va_start(args, format);
	keep(b, vsnprintf(room(b), LINE_MAX_SIZE - 1, format, args));
	va_end(args);
}

void log_forget(void)
{
	struct log *log = log_shared;

	log_shared = NULL;
	if (log)
		munmap(log, log->size);
}

int log_close(void)
{
	struct log *log = log_shared;
	int error;

	if (!log)
		return 0;
	for (unsigned i = 0; i < log->count; i++)
		flush(&log->buffer[i]);
	error = atomic_load(&log->error);
	if (close(log->fd) < 0 && !error)
		error = errno;
	log_forget();
	return -error;
}
