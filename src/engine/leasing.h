/* SPDX-License-Identifier: MIT */
/*
 * leasing.h - a lease: made, asked for, ended, freed; and what the engine tells the supervisor
 * about it. All under the queue's lock.
 */
#ifndef BROOD_ENGINE_LEASING_H
#define BROOD_ENGINE_LEASING_H

#include <stdint.h>

struct lane;
struct lease;

void leasing_free(struct lease *lease);
int leasing_ask(struct lane *l, uint32_t limit_ms, uint32_t wait_ms);
/* asks the supervisor to take it back */
void leasing_end(struct lease *lease);
/* the same for all that were asked for and are not lent yet */
void leasing_unask(struct lane *l);
void leasing_look(struct lease *lease);
void leasing_kill(struct lease *lease, uint64_t sequence, uint32_t cause);
void leasing_drop(struct lease *lease);
/* its lane goes: LEASE_OVER will find nobody */
void leasing_abandon(struct lease *lease);
void leasing_out_of_use(struct lease *lease);
/* it sent nonsense: have it killed */
void leasing_distrust(struct lease *lease);
void leasing_lost(struct lease *lease);

#endif
