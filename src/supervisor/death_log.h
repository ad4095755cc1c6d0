/* SPDX-License-Identifier: MIT */
/* death_log.h - puts into words how a worker ended. */
#ifndef BROOD_SUPERVISOR_DEATH_LOG_H
#define BROOD_SUPERVISOR_DEATH_LOG_H

#include "slot.h"

/* True: the library's own code ended the worker, and the exit code is the library's. */
bool death_log_gave_up(const struct slot *slot, const struct process_exit *e);
/* How the worker ended, such as "by SIGSEGV". The words lie in `text`, or in a constant. */
const char *death_log_how(
	const struct slot *slot, const struct process_exit *e, char *text, size_t size);
void death_log_say(struct slot *slot, const struct process_exit *e, bool planned);

#endif
