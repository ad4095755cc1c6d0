/* SPDX-License-Identifier: MIT */
/*
 * wishes.h - an operator outside of the program wants a job to end (brood-ctl cancel), and the
 * supervisor does not have the job: it waits in a queue, or in a ring behind another job. The
 * reader of the channel, which holds brood.lock, asks each queue that may have the job. A queue
 * looks when its own thread does (inbox_look.c), ends the job, and the supervisor is told.
 */
#ifndef BROOD_ENGINE_WISHES_H
#define BROOD_ENGINE_WISHES_H

#include "wish_state.h"

struct brood;
struct inbox;

/* Under brood.lock. A queue that is made, or freed, is asked, or is asked no more. */
void wishes_join(struct brood *b, struct inbox *inbox);
void wishes_part(struct brood *b, struct inbox *inbox);
/* Under brood.lock: the supervisor asks for the end of this job. */
void wishes_hear(struct brood *b, uint64_t id);
/*
 * Under brood.lock: a queue has looked for the wish of that number. Returns the message that the
 * supervisor is to hear about the job *ret_id, or 0: other queues have yet to look.
 */
enum message_type wishes_looked(struct brood *b, uint32_t number, bool found, uint64_t *ret_id);

#endif
