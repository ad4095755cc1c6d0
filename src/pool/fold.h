/* SPDX-License-Identifier: MIT */
/*
 * fold.h - log lines that repeat. Each key (a hash of level, event, pool, and of the text without
 * digits and without a job's tag) may pass `burst` lines in a window, or one line if the event is
 * of a crash loop; further lines are counted. fold_due() gives, one a call, the counts of windows
 * that have ended (with TIME_NEVER as `now`: of all). A fixed table: when it is full the oldest
 * window is ended early.
 */
#ifndef BROOD_POOL_FOLD_H
#define BROOD_POOL_FOLD_H

#include "../base/base.h"
#include "../wire/message.h"

#define FOLD_KEYS 32
struct fold_entry {
	uint64_t key, began;
	uint32_t passed, held;
	struct message_log last;
};
struct fold {
	uint32_t burst;
	uint64_t window_ns;
	struct fold_entry entries[FOLD_KEYS];
};
void fold_init(struct fold *f, uint32_t burst, uint64_t window_ns);
/*
 * Returns 1: print the line; 0: the line is held back. If an older window had to end for this line
 * (early, or because nobody asked fold_due() in time), *ret_has_summary is true, and *ret_summary
 * is to be printed first.
 */
int fold_line(struct fold *f, uint64_t now, const struct message_log *line,
	struct message_log *ret_summary, bool *ret_has_summary);
/*
 * True: a window has ended that held lines back, and *ret_summary is the line for it, with event
 * BROOD_EVENT_REPEATED: "(37 more like this in 10 s) worker 3 ...". Call again until false.
 */
bool fold_due(struct fold *f, uint64_t now, struct message_log *ret_summary);
/* When fold_due() has something next. TIME_NEVER: no line is held. */
uint64_t fold_next(const struct fold *f);

#endif
