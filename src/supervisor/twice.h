/* SPDX-License-Identifier: MIT */
/*
 * twice.h - signals that reach the engine twice: from their sender, and passed on by the
 * supervisor. A service manager that signals all processes of a service (KillMode=control-group,
 * systemctl kill) begins with the main process, which is the supervisor. So a signal that is to be
 * passed on waits for a moment. If the guard, which nobody has a reason to signal, got the same
 * signal from the same sender, then all processes of the service did.
 */
#ifndef BROOD_SUPERVISOR_TWICE_H
#define BROOD_SUPERVISOR_TWICE_H

#include "root.h"

#include <sys/signalfd.h>

#define TWICE_HOLD_NS (50 * NS_PER_MS)

/* True: the guard got the signal from that process, too, at about this time. */
bool twice_heard(const struct supervisor *s, int sig, pid_t from, uint64_t at);
/* A signal for the engine came: it is passed on, or waits. */
void twice_came(struct supervisor *s, const struct signalfd_siginfo *info);
timer_fn twice_fired;

#endif
