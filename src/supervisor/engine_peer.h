/* SPDX-License-Identifier: MIT */
/* engine_peer.h - reads the engine's messages, and acts when the engine ends. */
#ifndef BROOD_SUPERVISOR_ENGINE_PEER_H
#define BROOD_SUPERVISOR_ENGINE_PEER_H

#include "root.h"

source_fn engine_peer_readable, engine_peer_death;
timer_fn engine_peer_eof_fired;
/* Does all that the engine's end asks for, if the engine has ended. */
void engine_peer_stop_if_ended(struct supervisor *s);
/* Reads the engine's messages again, after a resource was short. */
void engine_peer_resume(struct supervisor *s);

#endif
