/* SPDX-License-Identifier: MIT */
/* unsent.h - frames that wait for room in the socket to the supervisor. All under brood.lock. */
#ifndef BROOD_ENGINE_UNSENT_H
#define BROOD_ENGINE_UNSENT_H

#include "../base/base.h"
#include "../wire/frame.h"

/* The pause before another try, if the kernel refused for another reason than a full socket. */
#define OUT_RETRY_MS 5
/* A frame that the socket did not take yet. */
struct out {
	struct list link;
	uint64_t job; /* the id of the job that a JOB is about; else 0 */
	uint8_t type;
	size_t fds_count;
	int fds[SOCKETS_FDS_MAX]; /* the library's own */
	size_t size;
	unsigned char bytes[]; /* header and message, as on the wire */
};

void unsent_drop(struct brood *b, struct out *out);
/*
 * Looks at the message that was queued last. If it makes an older message needless (init data, a
 * size, a reload, a status), the older one is dropped, and the new one takes its place. But a new
 * reload stays the last, behind the init data that it is about.
 */
void unsent_drop_older(struct brood *b);
/* Notes that the socket refused a frame, and why: so the engine knows when to try again. */
void unsent_wait(struct brood *b, int error);
/* True: frames wait in state OUT_LATER, and it is time to try again. */
bool unsent_due(const struct brood *b);
/*
 * Sets when the program's fd (brood_fd()) becomes readable for frames that wait: when the channel
 * has room, or when it is time to try again. Without such a frame: for neither.
 */
void unsent_watch(struct brood *b);
/*
 * Puts the frame into the list of those that wait. 1: done, and the list owns the frame's first
 * `owned` fds; -errno: the frame does not wait, and all its fds stay the caller's.
 */
int unsent_append(struct brood *b, struct frame *f, uint64_t job, size_t owned);

#endif
