/* SPDX-License-Identifier: MIT */
/*
 * report.h - the channel to the supervisor. It is blocking, and no other process has this end; but
 * a job may do anything to the fd. So the code here answers EAGAIN by poll(). If the fd is no
 * longer the channel, the worker ends by _exit(), and the job's verdict says so: a stranger's file
 * gets no message.
 */
#ifndef BROOD_WORKER_REPORT_H
#define BROOD_WORKER_REPORT_H

#include "../wire/frame.h"

/* Called at birth: notes which file the channel is. 0 or -errno. */
int report_open(void);
/* Code ran that may have put another file at the channel's number: look before the next message. */
void report_suspect(void);
/* Checks that the channel still is the library's, after a job that could have changed it. */
void report_check(void);
/* Sends or ends the process: never loses a message, never sends to a stranger. */
void report_send(struct frame *f);
/*
 * Sends over this socket, and waits for room. 0 or -errno: waiting does not help, or the kernel
 * does not take the frame's fds.
 */
int report_over(int fd, struct frame *f);
/* A log line of the worker itself, sent like a job's. If the channel is full, it is dropped. */
void report_log(uint64_t job, enum brood_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/*
 * Tells the supervisor (CALLED) that a job which made system calls is over, so that it looks for
 * strays. False: the message cannot be sent now; the next such job sends it.
 */
bool report_called(void);

#endif
