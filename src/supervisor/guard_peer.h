/* SPDX-License-Identifier: MIT */
/* guard_peer.h - watches the guard, and replaces it when it dies. */
#ifndef BROOD_SUPERVISOR_GUARD_PEER_H
#define BROOD_SUPERVISOR_GUARD_PEER_H

#include "root.h"

void guard_peer_spawn(struct supervisor *s);
timer_fn guard_peer_respawn_fired;
void guard_peer_replace_if_ended(struct supervisor *s);
/* Ends the guard: the last thing before the supervisor's own end, when nothing is left to guard. */
void guard_peer_end(struct supervisor *s);

#endif
