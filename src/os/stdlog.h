/* SPDX-License-Identifier: MIT */
/*
 * stdlog.h - lines to stderr that never block the writer, although stderr's open file is shared
 * with others (so O_NONBLOCK must not be set on it): a pipe, FIFO or terminal is opened anew
 * through /proc/self/fd/2, a socket gets MSG_DONTWAIT, a file is just written to.
 */
#ifndef BROOD_OS_STDLOG_H
#define BROOD_OS_STDLOG_H
#include <stdbool.h>
#include <stddef.h>
struct stdlog {
	int fd;
	bool own, socket;
};
void stdlog_open(struct stdlog *l);                                /* before the first fork */
int stdlog_write(struct stdlog *l, const char *line, size_t size); /* 0; -EAGAIN: dropped */
void stdlog_close(struct stdlog *l);
#endif
