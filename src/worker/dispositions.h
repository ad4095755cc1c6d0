/* SPDX-License-Identifier: MIT */
/* dispositions.h - what signals mean in a worker. */
#ifndef BROOD_WORKER_DISPOSITIONS_H
#define BROOD_WORKER_DISPOSITIONS_H

#include <brood.h>
#include <signal.h>
#include <stdbool.h>

/*
 * Called at birth, while all signals are blocked. Returns 0 or -errno. options NULL: called in the
 * spawner, for workers of any options; its other signals have their defaults already.
 */
int dispositions_prepare(const struct brood_options *options);
/*
 * Called in a worker after dispositions_prepare() here or in the spawner: sets the rest that the
 * options ask for, and unblocks the signals.
 */
int dispositions_open(const struct brood_options *options);
/*
 * prepare_watch: called in the spawner, after all else; inherit: in a worker made by that spawner
 * in which no hook ran. Together they watch jobs for system calls.
 */
void dispositions_prepare_watch(const struct brood_options *options);
void dispositions_inherit(void);
/* To be called after worker_init. */
void dispositions_ready(const struct brood_options *options);

/* True: this is no handler, or one that this file has set. */
bool dispositions_are_ours(const struct sigaction *action);

#endif
