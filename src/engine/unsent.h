/* SPDX-License-Identifier: MIT */
/* unsent.h - frames that wait for room in the socket to the supervisor. All under brood.lock. */
#ifndef BROOD_ENGINE_UNSENT_H
#define BROOD_ENGINE_UNSENT_H

#include "../base/base.h"
#include "../wire/frame.h"

/* how soon to try again what the kernel refused for another reason than a full socket */
#define OUT_RETRY_MS 5
/* A frame that the socket did not take yet. */
struct out {
	struct list link;
	uint64_t job; /* JOB: its id; else 0 */
	uint8_t type;
	size_t fds_count;
	int fds[SOCKETS_FDS_MAX]; /* ours */
	size_t size;
	unsigned char bytes[]; /* header and message, as on the wire */
};

void unsent_drop(struct brood *b, struct out *out);
/* init data and status: only the newest is worth sending. Looks at what was queued last */
void unsent_drop_older(struct brood *b);
/* the socket refused a frame: for this reason */
void unsent_wait(struct brood *b, int error);
/* OUT_LATER and the time has come */
bool unsent_due(const struct brood *b);
/* make the epoll watch for what is needed */
void unsent_watch(struct brood *b);
/* 1: it waits now, its first `owned` fds are the library's; -errno */
int unsent_append(struct brood *b, struct frame *f, uint64_t job, size_t owned);

#endif
