/* SPDX-License-Identifier: MIT */
/* announce.h - what the program tells the supervisor, and the service manager through it. */
#ifndef BROOD_ENGINE_ANNOUNCE_H
#define BROOD_ENGINE_ANNOUNCE_H

#include "../wire/frame.h"

/*
 * Sends a message. If an older message of its kind still waits for room, this one replaces it.
 * Under brood.lock. Returns 0 or -errno, with a sentence; `what` is its beginning.
 */
int announce_newest(struct brood *b, struct frame *f, const char *what);

#endif
