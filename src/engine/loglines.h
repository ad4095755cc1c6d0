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

/* The engine reads no log line any more. */
void loglines_end(struct brood *b);
/* True: it is worth polling log_fd. */
bool loglines_wanted(const struct brood *b);
/* Sets whether the epoll behind brood_fd() watches the log socket. */
void loglines_watch(struct brood *b, bool on);
/* Reads log lines. The lock is free while the callback runs. */
void loglines_read(struct brood *b, int limit);

#endif
