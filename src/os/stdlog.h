/* SPDX-License-Identifier: MIT */
/*
 * stdlog.h - writes lines to stderr without ever blocking. Other processes share stderr's open
 * file, so the library must not set O_NONBLOCK on it. Instead it opens a pipe, FIFO or terminal
 * anew through /proc/self/fd/2, sends to a socket with MSG_DONTWAIT, and just writes to a file.
 *
 * If stderr leads to systemd's journal, entries go to the journal itself, past stderr.
 */
#ifndef BROOD_OS_STDLOG_H
#define BROOD_OS_STDLOG_H
#include "../base/base.h"
#include "journal.h"
struct stdlog {
	int fd;
	bool own, socket, terminal; /* own: opened anew, so that a write does not block */
	bool levels; /* the journal reads stderr: a line begins with its level, "<4>" */
	struct journal journal;
};
/* Called before the first fork, or in a signal handler. */
void stdlog_open(struct stdlog *l, const struct journal_stream *stream);
/* returns 0; -EAGAIN: the line was dropped */
int stdlog_write(struct stdlog *l, const char *line, size_t size);
/*
 * Writes the first of these bytes: at most PIPE_BUF, which a pipe takes whole or not at all, and
 * only whole lines if there is one. Returns their number; -EAGAIN; -errno.
 */
ssize_t stdlog_pass(struct stdlog *l, const char *bytes, size_t size);
void stdlog_close(struct stdlog *l);
#endif
