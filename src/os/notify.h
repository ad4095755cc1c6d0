/* SPDX-License-Identifier: MIT */
/* notify.h - systemd's notification socket and watchdog, without libsystemd. */
#ifndef BROOD_OS_NOTIFY_H
#define BROOD_OS_NOTIFY_H
#include <stdint.h>
/* path_size 0: no socket */
struct notify {
	char path[108];
	unsigned path_size;
	int fd;
	uint64_t watchdog_us;
};
/*
 * reads and unsets NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID; 0 also when there is none; -EINVAL:
 * too long or not / or @
 */
int notify_from_environment(struct notify *ret);
/* never blocks: 0 (also without a socket), -EAGAIN, -errno */
int notify_send(struct notify *n, const char *text);
void notify_close(struct notify *n);
#endif
