/* SPDX-License-Identifier: MIT */
/*
 * loglines.h - reads the supervisor's log lines and calls the program's callback. All under
 * brood.lock.
 */
#ifndef BROOD_ENGINE_LOGLINES_H
#define BROOD_ENGINE_LOGLINES_H

#include <stdbool.h>

struct brood;

#define LOG_ROUND 32 /* lines a round, so that a flood of them does not keep a caller */

/* no log line is read any more */
void loglines_end(struct brood *b);
/* worth polling log_fd */
bool loglines_wanted(const struct brood *b);
/* the epoll behind brood_fd() watches the log socket, or not */
void loglines_watch(struct brood *b, bool on);
/* lets go of the lock for the callback */
void loglines_read(struct brood *b, int limit);

#endif
