/* SPDX-License-Identifier: MIT */
/* out.h - sends frames to the supervisor. All under brood.lock. */
#ifndef BROOD_ENGINE_OUT_H
#define BROOD_ENGINE_OUT_H

#include "../wire/frame.h"

/*
 * To be called after a failed send: sees whether the supervisor is gone, sets the error text, and
 * returns the errno for the caller.
 */
int out_failed(struct brood *b, int error, const char *what);
/* Sends as many waiting frames as the socket takes. */
void out_flush(struct brood *b);
/*
 * 0: sent, the fds are still the caller's. 1: queued, the first `owned` fds are the library's, the
 * others were duplicated. -errno: the frame is neither sent nor queued.
 */
int out_send(struct brood *b, struct frame *f, uint64_t job, size_t owned);

#endif
