/* SPDX-License-Identifier: MIT */
/*
 * operator.h - does what a request of the control socket wants. Who may ask, and how the bytes of
 * request and reply travel, is the matter of control_peer.h.
 */
#ifndef BROOD_SUPERVISOR_OPERATOR_H
#define BROOD_SUPERVISOR_OPERATOR_H

#include "root.h"

/* Writes result and sentence of a reply. */
void operator_say(struct control_reply *reply, int32_t result, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/*
 * Does what the request wants. Returns true: *reply says how it went. False: the reply comes later,
 * when operator_look() is true, or at *ret_until, by operator_late().
 */
bool operator_act(struct supervisor *s, struct control_connection *c,
	const struct control_request *request, struct control_reply *reply, uint64_t *ret_until);
/* True: what the connection waits for is over, and *reply says how. */
bool operator_look(
	struct supervisor *s, const struct control_connection *c, struct control_reply *reply);
/* The engine has answered about a job that an operator wants to end. */
void operator_hear(struct supervisor *s, uint64_t job, bool done);
/* The time is up: *reply says what is still to come. */
void operator_late(
	struct supervisor *s, const struct control_connection *c, struct control_reply *reply);

#endif
