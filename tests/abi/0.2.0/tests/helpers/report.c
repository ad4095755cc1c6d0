/* report.c - see report.h. */
#define _GNU_SOURCE
#include "report.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define REPORT_VARIABLE "BROOD_TEST_REPORT"

static struct report *report;
static void (*on_failure)(void);
static pid_t on_failure_pid;

static struct report *report_map(int fd)
{
	void *memory = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

struct report *report_create(void)
{
	static int fd = -1;
	char path[64];

	if (report)
		munmap(report, sizeof *report);
	if (fd >= 0)
		close(fd);
	/* The fd stays open in the test alone: exec'd programs open it through /proc. */
	fd = memfd_create("report", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, sizeof *report) < 0 || !(report = report_map(fd))) {
		perror("report_create");
		abort();
	}
	snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), fd);
	setenv(REPORT_VARIABLE, path, 1);
	return report;
}

struct report *report_current(void)
{
	return report;
}

int report_attach(void)
{
	const char *path = getenv(REPORT_VARIABLE);
	int fd;

	if (!path)
		return -ENOENT;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	report = report_map(fd);
	close(fd);
	return report ? 0 : -ENOMEM;
}

void *case_shared(void)
{
	return report->shared;
}

void case_done(void)
{
	atomic_fetch_add(&report->done, 1);
}

/* One add reserves the place, so that lines of two processes never mix. What does not fit is dropped. */
static void report_line(const char *line, size_t length)
{
	unsigned at;

	if (!report) {
		fprintf(stderr, "%.*s", (int)length, line);
		return;
	}
	if (atomic_load(&report->used) + length >= REPORT_TEXT)
		return;
	at = atomic_fetch_add(&report->used, (unsigned)length);
	if (at + length < REPORT_TEXT)
		memcpy(report->text + at, line, length);
}

static void __attribute__((format(printf, 2, 0))) report_format(const char *prefix, const char *format, va_list args)
{
	char line[1024];
	size_t n = (size_t)snprintf(line, sizeof line, "%s", prefix);
	int m;

	if (n > sizeof line - 2)
		n = sizeof line - 2;
	m = vsnprintf(line + n, sizeof line - 1 - n, format, args);
	if (m > 0)
		n += (size_t)m;
	if (n > sizeof line - 2)
		n = sizeof line - 2;
	line[n++] = '\n';
	report_line(line, n);
}

void note(const char *format, ...)
{
	int saved = errno;
	va_list args;

	va_start(args, format);
	report_format("", format, args);
	va_end(args);
	errno = saved;
}

void report_on_failure(void (*leave)(void))
{
	on_failure = leave;
	on_failure_pid = getpid();
}

void report_failure(const char *file, int line, const char *format, ...)
{
	char prefix[256];
	va_list args;

	snprintf(prefix, sizeof prefix, "%s:%d: pid %d: ", file, line, (int)getpid());
	va_start(args, format);
	report_format(prefix, format, args);
	va_end(args);
	if (report)
		atomic_fetch_add(&report->failures, 1);
	if (on_failure && on_failure_pid == getpid())
		on_failure();
	_exit(99);
}
