/* SPDX-License-Identifier: MIT */
/*
 * status_page.h - what the supervisor writes on the status page (brood-status.h): about itself, its
 * pools and slots, verdicts by handoff, and deaths.
 */
#ifndef BROOD_SUPERVISOR_STATUS_PAGE_H
#define BROOD_SUPERVISOR_STATUS_PAGE_H

#include "slot.h"

/* Called once, before there are workers. */
void status_page_start(struct supervisor *s);
/* Writes all records that have changed since the last call. */
void status_page_look(struct supervisor *s);
/* Counts a job's verdict and, if the job still has its slot, the times of its attempt. */
void status_page_verdict(const struct job *job);
/*
 * The worker does not end: the page keeps showing the job that it had. Called before that job has
 * its verdict.
 */
void status_page_undead(const struct slot *slot);
/* Counts a worker's death. Called once the worker is reaped, before its job has its verdict. */
void status_page_death(struct slot *slot, const struct process_exit *e);
/* Notes how long after the worker's death its job has its verdict. */
void status_page_death_judged(const struct slot *slot);
/* A worker is ready. If it replaces one that died: notes how long that took. */
void status_page_ready(struct slot *slot);

#endif
