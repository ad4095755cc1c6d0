/* SPDX-License-Identifier: MIT */
/*
 * report.h - the channel to the supervisor. It is blocking, and ours alone; but a job can do to it
 * what it likes. So: EAGAIN means poll(), and an fd that is no longer the channel means _exit (the
 * job's fault, and its verdict), never a message to a stranger.
 */
#ifndef BROOD_WORKER_REPORT_H
#define BROOD_WORKER_REPORT_H

#include "../wire/frame.h"

/* Called at birth: notes which file the channel is. 0 or -errno. */
int report_open(void);
/* A job may have changed that: look before anything is sent. */
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
/* A line of the worker's own, through the jobs' way to the log. Dropped rather than waited for. */
void report_log(uint64_t job, enum brood_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A job that made system calls is over. Dropped if it cannot be sent: then the next job says so. */
void report_called(void);

#endif
