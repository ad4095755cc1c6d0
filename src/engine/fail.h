/* SPDX-License-Identifier: MIT */
/*
 * fail.h - the sentence behind an error number. Each function sets the text and returns the error.
 */
#ifndef BROOD_ENGINE_FAIL_H
#define BROOD_ENGINE_FAIL_H

#include <brood.h>
#include <errno.h>
#include <stdbool.h>

/* The part of a sentence that says where a job's function must lie. */
#define FAIL_NO_FUNCTION                                                                         \
	"the function must lie in the program or in a library that was loaded at brood_start() " \
	"and still is; code that was loaded or made later, or lies in anonymous memory (a JIT, " \
	"a trampoline), cannot be called"

int fail_with(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Like fail_with(), for an error that the kernel gave. */
int fail_system(int error, const char *what);
/* Returns -ENOTCONN: the supervisor is gone. */
int fail_gone(void);
/* Returns -ESHUTDOWN: brood_stop() was called. */
int fail_stopped(void);
/*
 * The errno of a call whose job ended with this verdict. 0: the job is done or failed. tag: the
 * job's, or NULL.
 */
int fail_verdict(const struct brood_verdict *v, const char *tag);

/* Returns -EPERM: this process is not the engine; or -EINVAL: b is NULL. */
int fail_not_engine(const struct brood *b);

/*
 * The kernel had no room, no memory, or too many fds in flight: the same call may succeed in a
 * moment. `error` is negative.
 */
static inline bool fail_is_later(int error)
{
	return error == -EAGAIN || error == -EINTR || error == -ENOMEM || error == -ENOBUFS ||
		error == -ETOOMANYREFS;
}

/* The other side has closed its end. `error` is negative. */
static inline bool fail_is_end(int error)
{
	return error == -EPIPE || error == -ECONNRESET || error == -ENOTCONN;
}

#endif
