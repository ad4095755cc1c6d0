/* SPDX-License-Identifier: MIT */
/*
 * notifier.h - sends messages to the service manager: in order, and without ever waiting for it.
 * What cannot be sent now goes as soon as the manager's socket has room (EPOLLOUT), or when what
 * was short is there again (NOTE_RETRY). Without NOTIFY_SOCKET nothing happens.
 */
#ifndef BROOD_SUPERVISOR_NOTIFIER_H
#define BROOD_SUPERVISOR_NOTIFIER_H

#include "root.h"

/* True: there is a service manager to speak to. */
static inline bool notifier_is_heard(const struct supervisor *s)
{
	return s->config.notify.path_size > 0;
}
void notifier_send(struct supervisor *s, enum notice_kind kind, const char *text);
/* The fd goes along, and is closed here once it is sent or cannot be. */
void notifier_send_fd(struct supervisor *s, enum notice_kind kind, const char *text, int fd);
/* Sends what waits, as far as there is room. */
void notifier_flush(struct supervisor *s);

#endif
