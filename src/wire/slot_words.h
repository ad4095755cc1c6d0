/* SPDX-License-Identifier: MIT */
/*
 * slot_words.h - what a slot does, in words, for a signal handler: no system call, no memory, no
 * function of stdio.
 */
#ifndef BROOD_WIRE_SLOT_WORDS_H
#define BROOD_WIRE_SLOT_WORDS_H

#include "status_view.h"

#define SLOT_WORDS_MAX 320 /* room for one line */

/* A text that grows, and is cut where `size` ends. It has no NUL. */
struct slot_words {
	char *text;
	size_t size, used;
};
void slot_words_text(struct slot_words *w, const char *text);
void slot_words_number(struct slot_words *w, uint64_t number);

/* True: the slot has a job, or a process in a state that passes: it gets a line of its own. */
bool slot_words_wanted(const struct status_worker *slot);
/* "worker 3 (pid 77): job 12 upper [GET /] on lease, for 1250 ms" */
void slot_words(struct slot_words *w, const struct status_worker *slot, uint64_t now);
/* "worker 4 to 63: idle": slots in a row that do the same, and nothing of note. */
void slot_words_row(struct slot_words *w, uint32_t first, uint32_t last, uint32_t state);

#endif
