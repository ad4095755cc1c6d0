/* SPDX-License-Identifier: MIT */
/*
 * stdlog.h - writes lines to stderr without ever blocking. Other processes share stderr's open
 * file, so the library must not set O_NONBLOCK on it. Instead it opens a pipe, FIFO or terminal
 * anew through /proc/self/fd/2, sends to a socket with MSG_DONTWAIT, and just writes to a file.
 */
#ifndef BROOD_OS_STDLOG_H
#define BROOD_OS_STDLOG_H
#include "../base/base.h"
struct stdlog {
	int fd;
	bool own, socket;
};
/* called before the first fork */
void stdlog_open(struct stdlog *l);
/* returns 0; -EAGAIN: the line was dropped */
int stdlog_write(struct stdlog *l, const char *line, size_t size);
void stdlog_close(struct stdlog *l);
#endif
