/* SPDX-License-Identifier: MIT */
/* inline_bytes.h - moves request and reply of a job that runs in this process. */
#ifndef BROOD_INLINE_BYTES_H
#define BROOD_INLINE_BYTES_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/uio.h>

struct inline_bytes {
	const struct iovec *request;
	size_t at, left; /* at: in the first piece that is left */
	char *reply;
	size_t room, received; /* received: also what found no room */
	bool grow;             /* the reply gets as much memory as it needs: the caller's to free */
	int fd;
	pthread_t thread;
};

/* The fd for the job, or -errno. */
int inline_bytes_begin(struct inline_bytes *b);
/* The job has ended. taken: it keeps its fd, so the reply has no end of its own. */
void inline_bytes_end(struct inline_bytes *b, bool taken);
/* a thread that takes no signal of the program's. 0 or -errno */
int inline_bytes_thread(pthread_t *ret, void *(*main)(void *), void *arg);

#endif
