/* SPDX-License-Identifier: MIT */
/* control_peer.h - the control socket: who is let in, and what is read and answered there. */
#ifndef BROOD_SUPERVISOR_CONTROL_PEER_H
#define BROOD_SUPERVISOR_CONTROL_PEER_H

#include "root.h"

void control_peer_prepare(struct supervisor *s);
/* Begins to listen, if there is a control socket. */
void control_peer_start(struct supervisor *s);
/* Answers the connections for which what they wait for is over. */
void control_peer_step(struct supervisor *s);
/* Removes the socket. */
void control_peer_end(struct supervisor *s);

#endif
