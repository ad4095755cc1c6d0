/* SPDX-License-Identifier: MIT */
/* manager_text.h - STATUS= for the service manager: at once, or by the pace of figures. */
#ifndef BROOD_SUPERVISOR_MANAGER_TEXT_H
#define BROOD_SUPERVISOR_MANAGER_TEXT_H

#include "notifier.h"

/* Sends the text of now. before: fields in front of STATUS=, each with a newline; or "". */
void manager_text_tell(struct supervisor *s, enum notice_kind kind, const char *before);
/*
 * Sends the last text of all: why the start or the end failed. Nothing replaces it. error: for
 * ERRNO=, unless the program has given one itself: then its own words stand in front of the reason.
 */
void manager_text_tell_failure(
	struct supervisor *s, const char *before, int error, const char *reason);
/* Figures may have changed. */
static inline void manager_text_touch(struct supervisor *s)
{
	if (notifier_is_heard(s) && !timer_running(&s->manager.tick) && !s->manager.failed)
		timer_set(&s->loop, &s->manager.tick,
			manager_pace_next(&s->manager.pace, s->manager.pace.phase, now_ns()));
}
timer_fn manager_text_tick;

#endif
