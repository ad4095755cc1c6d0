/* SPDX-License-Identifier: MIT */
/* flags.h - the flags of stdout and stderr, which a job may change for the engine, too. */
#ifndef BROOD_WORKER_FLAGS_H
#define BROOD_WORKER_FLAGS_H

#include "../os/fds.h"

#include <stdbool.h>

void flags_open_own(void); /* at birth */
/* somebody else has the same open files */
extern bool flags_shared;
/* Before a hook or a job runs. Async-signal-safe. */
void flags_note(void);
/* What the hook made of the files that are the worker's own stays. */
void flags_note_own(void);
/*
 * Puts the flags of stdout and stderr back. files: what stood at 0 to 2 when the worker was ready;
 * one that is another file now is left alone. NULL: none was replaced.
 */
void flags_put_back(const struct identity *files);

#endif
