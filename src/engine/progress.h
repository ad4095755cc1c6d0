/* SPDX-License-Identifier: MIT */
/* progress.h - lists of progress messages. The lists have no lock of their own. */
#ifndef BROOD_ENGINE_PROGRESS_H
#define BROOD_ENGINE_PROGRESS_H

#include "../base/list.h"
#include "../wire/frame.h"
#include <brood.h>

struct list;
struct message_progress;

/* progress.c: lists of what jobs said; no lock of its own */
#define PROGRESS_MAX 256
struct progress {
	struct list link;
	brood_progress_fn *on;
	void *context;
	uint64_t id;
	uint32_t size;
	unsigned char data[BROOD_PROGRESS_MAX];
};

bool progress_add(
	struct list *to, brood_progress_fn *on, void *context, const struct message_progress *m);
/* how many */
uint32_t progress_move(struct list *from, struct list *to);
/* calls back, no lock held */
void progress_tell(struct list *from);
void progress_free(struct list *from);

#endif
