/* SPDX-License-Identifier: MIT */
/* progress.h - messages of running jobs, kept until a callback gets them. No lock of its own. */
#ifndef BROOD_ENGINE_PROGRESS_H
#define BROOD_ENGINE_PROGRESS_H

#include "../base/base.h"
#include "../wire/frame.h"

/* The messages of one job: a handle's (under brood.lock) or a queue's job's. */
struct progress {
	struct list list;
	uint32_t count;
};

void progress_init(struct progress *p);
/* Keeps a message under this id, for that callback. False: it was dropped. */
bool progress_add(struct progress *p, brood_progress_fn *on, void *context, uint64_t id,
	const struct message_progress *m);
void progress_move(struct progress *from, struct progress *to);
/* Calls the callback for each message. No lock is held. */
void progress_tell(struct progress *p);
void progress_free(struct progress *p);

#endif
