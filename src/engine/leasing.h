/* SPDX-License-Identifier: MIT */
/*
 * leasing.h - a lease: made, asked for, ended, freed; and what the engine tells the supervisor
 * about it. All under the queue's lock.
 */
#ifndef BROOD_ENGINE_LEASING_H
#define BROOD_ENGINE_LEASING_H

#include <stdint.h>

struct queue;
struct lease;

/* its memory, fds and lease page go */
void leasing_free(struct lease *lease);
/* one more for this queue. 0 or -errno; -ENOSPC: no lease page is free */
int leasing_ask(struct queue *l, uint32_t limit_ms, uint32_t wait_ms);
/* asks the supervisor to take it back */
void leasing_end(struct lease *lease);
/* the same for all that were asked for and are not granted yet */
void leasing_unask(struct queue *l);
/* a job ends sooner than the supervisor looks next */
void leasing_look(struct lease *lease);
/* its worker shall die: for a cancel of that job, or for nonsense */
void leasing_kill(struct lease *lease, uint64_t sequence, uint32_t cause);
/* what was not said for lack of memory */
void leasing_say_again(struct queue *l);
/* freed before its LEASE_OVER, which will find nobody */
void leasing_drop(struct lease *lease);
/* its queue goes: LEASE_OVER will find nobody */
void leasing_abandon(struct lease *lease);
/* no job goes there any more: off the idle ones, and counted off */
void leasing_out_of_use(struct lease *lease);
/* it sent nonsense: have it killed */
void leasing_distrust(struct lease *lease);
/* the supervisor is gone */
void leasing_lost(struct lease *lease);

#endif
