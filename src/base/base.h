/* SPDX-License-Identifier: MIT */
/*
 * base.h - what every floor uses: scoped cleanup, small arithmetic, times. No system call but the
 * vdso clock.
 *
 * Errors everywhere in src/: negative errno is for the caller's caller, 0 is success, positive is a
 * documented answer. ret_ parameters come last and are untouched on failure. An fd that is not set
 * is -1. Destructors take NULL and half-built objects and return NULL.
 */
#ifndef BROOD_BASE_H
#define BROOD_BASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(a)                   (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)                       ((a) < (b) ? (a) : (b))
#define MAX(a, b)                       ((a) > (b) ? (a) : (b))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define NS_PER_US  UINT64_C(1000)
#define NS_PER_MS  UINT64_C(1000000)
#define NS_PER_S   UINT64_C(1000000000)
#define TIME_NEVER UINT64_MAX

static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* `ns` after `start`; what cannot be told is never. */
static inline uint64_t time_after_ns(uint64_t start, uint64_t ns)
{
	return ns > TIME_NEVER - start ? TIME_NEVER : start + ns;
}

/* `ms` after `start`; UINT32_MAX (BROOD_FOREVER) is never. */
static inline uint64_t time_after_ms(uint64_t start, uint32_t ms)
{
	return ms == UINT32_MAX ? TIME_NEVER : time_after_ns(start, (uint64_t)ms * NS_PER_MS);
}

/*
 * What poll() and epoll_wait() want for "until `when`": rounded up, so that a timer never comes
 * early; -1 for never.
 */
static inline int time_poll_ms(uint64_t now, uint64_t when)
{
	uint64_t ms;

	if (when == TIME_NEVER)
		return -1;
	if (when <= now)
		return 0;
	ms = (when - now - 1) / NS_PER_MS + 1;
	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

static inline int close_fd(int fd) /* keeps errno; always returns -1: fd = close_fd(fd) */
{
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
	return -1;
}
static inline void close_fdp(int *fd) { *fd = close_fd(*fd); }
#define _cleanup_close_ __attribute__((cleanup(close_fdp)))

#define _unused_ __attribute__((unused))

#endif
