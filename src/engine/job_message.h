/* SPDX-License-Identifier: MIT */
/* job_message.h - gives a job to the supervisor (the handoff), or takes it back. */
#ifndef BROOD_ENGINE_JOB_MESSAGE_H
#define BROOD_ENGINE_JOB_MESSAGE_H

#include "given.h"

struct brood;
struct brood_handle;
struct given;
struct record;

/* no lock, a hint: -EAGAIN when every record is out */
int job_message_full(struct brood *b);
/* counts it when it is a refusal; returns error */
int job_message_refused(struct brood *b, int error);
/* a new handle of that job */
void job_message_handle(struct brood_handle *handle, struct brood *b, const struct given *given);
/*
 * Under the lock. 0: sent, given->fd is still the caller's to close; 1: queued, the fd is the
 * library's; -errno: not accepted. handle may be NULL.
 */
int job_message_send(struct brood *b, const struct given *given, struct brood_handle *handle);
/* under the lock */
int job_message_cancel(struct brood *b, struct record *record);

#endif
