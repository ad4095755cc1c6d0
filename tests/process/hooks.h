/* SPDX-License-Identifier: MIT */
/*
 * hooks.h - holds a thread of the engine where it takes a lock, and looks at what it sends. A test
 * makes a moment with it that a busy machine makes once in a million times. For one source file of
 * a program: the library, which is linked into it, calls these functions and not those of libc.
 */
#ifndef BROOD_TESTS_HOOKS_H
#define BROOD_TESTS_HOOKS_H

#include "../../src/wire/frame.h"
#include "../helpers/proc.h"
#include "../helpers/report.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
	_Atomic pthread_t thread; /* is held at its next lock, if `when` says so */
	bool (*_Atomic when)(void);
	atomic_int held, open;
	/* before a message of the library's is sent. 0, or -errno, with which sending fails */
	int (*_Atomic sending)(enum message_type type);
} hooks;

static void hook_hold(void)
{
	bool (*when)(void) = atomic_load(&hooks.when);

	if (!when || !pthread_equal(pthread_self(), atomic_load(&hooks.thread)) || !when())
		return;
	atomic_store(&hooks.when, NULL);
	atomic_store(&hooks.held, 1);
	CHECK(WAIT_UNTIL(atomic_load(&hooks.open), 20000));
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	static int (*_Atomic real)(pthread_mutex_t *);
	int (*lock)(pthread_mutex_t *) = atomic_load(&real);

	if (!lock) {
		lock = (int (*)(pthread_mutex_t *))(uintptr_t)dlsym(
			RTLD_NEXT, "pthread_mutex_lock");
		atomic_store(&real, lock);
	}
	hook_hold();
	return lock(mutex);
}

int pthread_mutex_trylock(pthread_mutex_t *mutex)
{
	static int (*_Atomic real)(pthread_mutex_t *);
	int (*lock)(pthread_mutex_t *) = atomic_load(&real);

	if (!lock) {
		lock = (int (*)(pthread_mutex_t *))(uintptr_t)dlsym(
			RTLD_NEXT, "pthread_mutex_trylock");
		atomic_store(&real, lock);
	}
	hook_hold();
	return lock(mutex);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	int (*sending)(enum message_type) = atomic_load(&hooks.sending);
	const struct frame_header *h = m->msg_iovlen > 0 ? m->msg_iov[0].iov_base : NULL;
	int r = 0;

	if (sending && h && m->msg_iov[0].iov_len >= sizeof *h && h->magic == FRAME_MAGIC)
		r = sending((enum message_type)h->type);
	if (r == 0)
		return syscall(SYS_sendmsg, fd, m, flags);
	errno = -r;
	return -1;
}

/* This thread stops before the next lock that it takes while `when` holds. */
static inline void hook_stop(pthread_t thread, bool (*when)(void))
{
	atomic_store(&hooks.held, 0);
	atomic_store(&hooks.open, 0);
	atomic_store(&hooks.thread, thread);
	atomic_store(&hooks.when, when);
}

static inline void hook_wait(void) { CHECK(WAIT_UNTIL(atomic_load(&hooks.held), 10000)); }
static inline void hook_go_on(void) { atomic_store(&hooks.open, 1); }

#endif
