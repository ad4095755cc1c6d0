/* SPDX-License-Identifier: MIT */
/* store.h - the supervisor's kept fds, and the service manager's store of copies: see store.c. */
#ifndef BROOD_SUPERVISOR_STORE_H
#define BROOD_SUPERVISOR_STORE_H

#include "root.h"
#include "../wire/frame.h"

/* The engine keeps a file under a name, or forgets the name. */
void store_hear(struct supervisor *s, struct frame *f);
/*
 * Tells the service manager what it has not heard yet. False: some is still to be told; NOTE_POOL
 * comes when it can be.
 */
bool store_flush(struct supervisor *s);

#endif
