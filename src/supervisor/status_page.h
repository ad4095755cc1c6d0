/* SPDX-License-Identifier: MIT */
/*
 * status_page.h - what the supervisor says on the status page (brood-status.h): of itself, its
 * pools and slots, of verdicts by handoff, and of deaths.
 */
#ifndef BROOD_SUPERVISOR_STATUS_PAGE_H
#define BROOD_SUPERVISOR_STATUS_PAGE_H

#include "slot.h"

/* Once, before there are workers. */
void status_page_start(struct supervisor *s);
/* Whatever has happened: writes the records that are not true any more. */
void status_page_look(struct supervisor *s);
/* The job has its verdict; its slot, if there is one, has the times of the attempt. */
void status_page_verdict(const struct job *job);
/* A worker has ended. Once it is reaped, and before its job has its verdict. */
void status_page_death(struct slot *slot, const struct process_exit *e);
/* The job of a worker that has ended has its verdict. */
void status_page_death_judged(const struct slot *slot);
/* A worker is ready: perhaps the replacement of one that has died. */
void status_page_ready(struct slot *slot);

#endif
