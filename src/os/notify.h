/* SPDX-License-Identifier: MIT */
/* notify.h - systemd's notification socket and watchdog, without libsystemd. */
#ifndef BROOD_OS_NOTIFY_H
#define BROOD_OS_NOTIFY_H
#include "../base/base.h"
/* path_size 0: there is no socket. */
struct notify {
	char path[108];
	unsigned path_size;
	int fd;
	uint64_t watchdog_us; /* 0: there is no watchdog */
	/* What is odd about the watchdog's variables, as a sentence; "": nothing. */
	char odd[192];
};
#define NOTIFY_WATCHDOG_US_MIN 50000u /* a shorter watchdog is fed at the pace of this one */
/*
 * Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. Returns 0, also without a socket; -EINVAL:
 * the socket's name is too long, or does not begin with / or @.
 */
int notify_from_environment(struct notify *ret);
/* Unsets these variables, so that no child believes that it is meant. */
void notify_hide(void);
/*
 * Sends to the socket and never blocks. Returns 0 (also without a socket); -EAGAIN: the manager's
 * queue is full, and n->fd is writable when it is not; or -errno. fd: goes along; -1: none.
 */
int notify_send_fd(struct notify *n, const char *text, size_t size, int fd);
int notify_send(struct notify *n, const char *text);
void notify_close(struct notify *n);
#endif
