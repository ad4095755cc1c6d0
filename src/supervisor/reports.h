/* SPDX-License-Identifier: MIT */
/* reports.h - death reports: what is known of a worker's end is kept for the engine, and logged. */
#ifndef BROOD_SUPERVISOR_REPORTS_H
#define BROOD_SUPERVISOR_REPORTS_H

#include "slot.h"

/* The job is slow: asks its worker where its code is. The answer takes a moment. */
void reports_sample(struct slot *slot, uint64_t sequence);
bool reports_answered(const struct slot *slot, uint64_t sequence);
void reports_add_slow(struct slot *slot);
/* Called before a kill for time: notes what the worker waits in. Reads /proc, without blocking. */
void reports_look(struct slot *slot);
/* Makes a report: the worker has ended as `e` says; NULL: it was killed and does not end. */
void reports_add(struct slot *slot, const struct process_exit *e);
/* Logs reports that are complete, and starts a resolver for those that lack names. */
void reports_step(struct supervisor *s);

#endif
