/* SPDX-License-Identifier: MIT */
/*
 * base.h - what every floor uses: small arithmetic, lists, times, scoped cleanup. No system call
 * but the vdso clock.
 *
 * Errors everywhere in src/: negative errno is for the caller's caller, 0 is success, positive is a
 * documented answer. ret_ parameters come last and are untouched on failure. An fd that is not set
 * is -1. Destructors take NULL and half-built objects and return NULL.
 */
#ifndef BROOD_BASE_H
#define BROOD_BASE_H

#include "birth_page.h"

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

/*
 * A ring of intrusive links. A link that is in no list points to itself; list_remove() of such a
 * link is fine.
 */
struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_empty(const struct list *l) { return l->next == l; }

/* Inserts l behind `after`; as the first if `after` is the head. */
static inline void list_insert(struct list *l, struct list *after)
{
	l->prev = after;
	l->next = after->next;
	after->next->prev = l;
	after->next = l;
}
static inline void list_append(struct list *l, struct list *head) { list_insert(l, head->prev); }
static inline void list_remove(struct list *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	list_init(l);
}
static inline struct list *list_first(struct list *head)
{
	return list_empty(head) ? NULL : head->next;
}

#define list_for_each_safe(pos, tmp, head)                                     \
	for (struct list *pos = (head)->next, *tmp = pos->next; pos != (head); \
		pos = tmp, tmp = pos->next)

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

/* The time `ns` after `start`; TIME_NEVER if it is too late to be told. */
static inline uint64_t time_after_ns(uint64_t start, uint64_t ns)
{
	return ns > TIME_NEVER - start ? TIME_NEVER : start + ns;
}

/* The time `ms` after `start`; TIME_NEVER for ms UINT32_MAX (BROOD_FOREVER). */
static inline uint64_t time_after_ms(uint64_t start, uint32_t ms)
{
	return ms == UINT32_MAX ? TIME_NEVER : time_after_ns(start, (uint64_t)ms * NS_PER_MS);
}

/*
 * The time-out for poll() and epoll_wait() until `when`. It is rounded up, so that a timer never
 * comes early; -1: never.
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

/* Writes only what has changed: in a process that was just born, a write copies a page. */
static inline void errno_put_back(int saved)
{
	if (errno != saved)
		errno = saved;
}

static inline int close_fd(int fd) /* keeps errno; always returns -1, for fd = close_fd(fd) */
{
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno_put_back(saved);
	return -1;
}
static inline void close_fdp(int *fd) { *fd = close_fd(*fd); }
#define _cleanup_close_ __attribute__((cleanup(close_fdp)))

#define _unused_ __attribute__((unused))

#endif
