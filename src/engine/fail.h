/* SPDX-License-Identifier: MIT */
/*
 * fail.h - the sentence behind an error number. Each function sets the text and returns the error.
 */
#ifndef BROOD_ENGINE_FAIL_H
#define BROOD_ENGINE_FAIL_H

#include <brood.h>
#include <errno.h>
#include <stdbool.h>

/* where a job's function must lie */
#define FAIL_NO_FUNCTION                                                                         \
	"the function must lie in the program or in a library that was loaded at brood_start() " \
	"and still is; code that was loaded or made later, or lies in anonymous memory (a JIT, " \
	"a trampoline), cannot be called"

int fail_with(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* the same for what the kernel said */
int fail_system(int error, const char *what);
/* -ENOTCONN */
int fail_gone(void);
/* -ESHUTDOWN */
int fail_stopped(void);
/* the errno of a call whose job ended like that; 0: done, failed. tag: the job's, or NULL */
int fail_verdict(const struct brood_verdict *v, const char *tag);

/* -EPERM, or -EINVAL when it is NULL */
int fail_not_engine(const struct brood *b);

/*
 * The kernel had no room now, or no memory, or no room for fds in flight: the same may succeed in a
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
