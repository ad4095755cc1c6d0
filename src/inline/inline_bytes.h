/* SPDX-License-Identifier: MIT */
/* inline_bytes.h - moves request and reply of a job that runs in this process. */
#ifndef BROOD_INLINE_BYTES_H
#define BROOD_INLINE_BYTES_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/uio.h>

struct inline_bytes {
	const struct iovec *request;
	size_t at, left; /* at: bytes of *request that are sent; left: bytes to send, in all */
	char *reply;
	size_t room, received; /* received: counts also what found no room */
	bool grow;             /* the reply grows as needed, and the caller frees it */
	int fd;
	pthread_t thread;
};

/* Starts the thread that moves the bytes. Returns the job's end of the socket pair, or -errno. */
int inline_bytes_begin(struct inline_bytes *b);
/*
 * The job has ended. taken: the job has kept its fd, and nobody closes that fd, so the reply would
 * never come to its end: the engine's side is shut down instead.
 */
void inline_bytes_end(struct inline_bytes *b, bool taken);
/* Starts a thread that takes none of the program's signals. 0 or -errno. */
int inline_bytes_thread(pthread_t *ret, void *(*main)(void *), void *arg);

#endif
