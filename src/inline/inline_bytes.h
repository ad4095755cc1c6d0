/* SPDX-License-Identifier: MIT */
/* inline_bytes.h - moves request and reply of a job that runs in this process. */
#ifndef BROOD_INLINE_BYTES_H
#define BROOD_INLINE_BYTES_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/uio.h>

struct inline_bytes {
	const struct iovec *request;
	size_t at, left; /* at: where the rest begins in the first piece that is left */
	char *reply;
	size_t room, received; /* received: counts also what found no room */
	bool grow;             /* the reply grows as needed, and the caller frees it */
	int fd;
	pthread_t thread;
};

/* Returns the fd for the job, or -errno. */
int inline_bytes_begin(struct inline_bytes *b);
/* The job has ended. taken: it keeps its fd, so the reply has no end of its own. */
void inline_bytes_end(struct inline_bytes *b, bool taken);
/* Starts a thread that takes none of the program's signals. 0 or -errno. */
int inline_bytes_thread(pthread_t *ret, void *(*main)(void *), void *arg);

#endif
