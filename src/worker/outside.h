/* SPDX-License-Identifier: MIT */
/*
 * outside.h - signals that somebody outside sends to all processes of the service. See outside.c.
 */
#ifndef BROOD_WORKER_OUTSIDE_H
#define BROOD_WORKER_OUTSIDE_H

#include <brood.h>
#include <stdbool.h>

/* Sets the handlers, except for signals of options.keep_signals. Signals are still blocked. */
void outside_prepare(const struct brood_options *options);
/* In a child that a job forked: gives it the default dispositions. Async-signal-safe. */
void outside_forget(void);

#endif
