/* SPDX-License-Identifier: MIT */
/*
 * last_words.h - what supervisor and engine write to stderr when a SIGABRT ends them: what each
 * slot does. A service manager whose watchdog has run out sends SIGABRT. Then the signal takes its
 * default action, a core file included, as the system is set up.
 */
#ifndef BROOD_WIRE_LAST_WORDS_H
#define BROOD_WIRE_LAST_WORDS_H

#include "shared.h"

/*
 * From now on this process has last words. If SIGABRT has another action than the default one, the
 * program's own, this action stays. who: "supervisor", "engine"; title: what a line begins with.
 * Both stay valid. A process that is forked from this one has none: it takes the default action.
 */
void last_words_prepare(const struct shared *shared, const char *who, const char *title);

#endif
