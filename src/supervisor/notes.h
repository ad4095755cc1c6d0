/* SPDX-License-Identifier: MIT */
/* notes.h - does what follows from the notes (root.h). */
#ifndef BROOD_SUPERVISOR_NOTES_H
#define BROOD_SUPERVISOR_NOTES_H

#include "root.h"

/* Called before the loop sleeps. */
void notes_settle(struct loop *loop);
timer_fn notes_retry_fired;

#endif
