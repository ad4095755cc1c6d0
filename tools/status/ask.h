/* SPDX-License-Identifier: MIT */
/* ask.h - asks a worker that runs where its code is: a signal goes there, and its page answers. */
#ifndef STATUS_ASK_H
#define STATUS_ASK_H

#include "look.h"

#include <brood.h>

enum ask_answer {
	ASK_FINE,
	ASK_NONE,   /* there is no such slot, or no worker in it */
	ASK_DENIED, /* the worker is another user's */
	ASK_NOTHING /* it runs nothing, or does not answer */
};
struct ask {
	struct status_worker worker;  /* as it was when it answered, or when it was not asked */
	char waits[PROCESS_WAIT_MAX]; /* what it waited on before the signal; "" : not known */
	uint64_t took_ns;             /* for so long the look kept the worker from its work */
	struct brood_report report;   /* its frames, and tid */
#define ASK_WHY_MAX 256
	char why[ASK_WHY_MAX]; /* not ASK_FINE: a sentence without its full stop */
};
enum ask_answer ask_worker(
	const struct look *look, uint32_t slot, double timeout_s, struct ask *ret);

#endif
