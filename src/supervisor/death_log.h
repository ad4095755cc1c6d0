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
/* Logs the worker's end. False: the end was as planned, so there is no line. */
bool death_log_say(struct slot *slot, const struct process_exit *e, bool planned);
/*
 * Returns the id of the job that the worker ran, or 0. Fills in the job's function and tag as far
 * as they are known, else "".
 */
uint64_t death_log_job(const struct slot *slot, char name[BROOD_NAME_MAX], char tag[BROOD_TAG_MAX]);

#endif
