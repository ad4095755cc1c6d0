/* SPDX-License-Identifier: MIT */
/*
 * relay.h - passes on to stderr what workers wrote, and never waits for stderr. Nothing is lost
 * while workers live: they wait. What dead workers have left may be lost when it is much.
 */
#ifndef BROOD_SUPERVISOR_RELAY_H
#define BROOD_SUPERVISOR_RELAY_H

#include "root.h"

/* As much as a pipe of usual size holds. */
#define RELAY_CHUNK ((size_t)64 << 10)

int relay_prepare(struct supervisor *s);
void relay_write(struct supervisor *s, const char *bytes, size_t size);
/* True: bytes wait until stderr takes them. The pipes of living workers are not read meanwhile. */
static inline bool relay_waits(const struct supervisor *s) { return s->tails.relay.size > 0; }
/* At the end: what waits has a last chance. */
void relay_end(struct supervisor *s);
timer_fn relay_again_fired;

#endif
