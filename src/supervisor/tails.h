/* SPDX-License-Identifier: MIT */
/*
 * tails.h - what workers write on stderr, in pools with stderr_lines: passes it on, and keeps the
 * last of it for death reports. In other pools nothing happens.
 */
#ifndef BROOD_SUPERVISOR_TAILS_H
#define BROOD_SUPERVISOR_TAILS_H

#include "slot.h"

int tails_prepare(struct supervisor *s);
void tails_free(struct supervisor *s); /* frees memory alone */
/* Before a birth: *ret_stderr is the worker's end of a new pipe, the caller's; -1: no pipe. */
int tails_open(struct slot *slot, int *ret_stderr);
/* The worker has ended, or will never go on: takes what it has written still. */
void tails_drain(struct slot *slot);
void tails_close(struct slot *slot);
/* The lines for a report. */
void tails_put(const struct slot *slot, char text[BROOD_REPORT_STDERR]);
/* stderr takes bytes again. */
void tails_resume(struct supervisor *s);
timer_fn tails_again_fired;

#endif
