/* SPDX-License-Identifier: MIT */
/* spawner_peer.h - watches the spawner, reads its answers, and replaces it when it dies. */
#ifndef BROOD_SUPERVISOR_SPAWNER_PEER_H
#define BROOD_SUPERVISOR_SPAWNER_PEER_H

#include "root.h"

/* Called after the guard's birth, which shows whether fork() alone works: then no spawner. */
void spawner_peer_spawn(struct supervisor *s);
timer_fn spawner_peer_respawn_fired, spawner_peer_silent_fired;
void spawner_peer_replace_if_ended(struct supervisor *s);
/* No more births are due: the spawner is killed, and not replaced. Its end sets NOTE_STOP. */
void spawner_peer_end(struct supervisor *s);

#endif
