/* SPDX-License-Identifier: MIT */
#include "twice.h"
#include "logging.h"
#include "notifier.h"

#define SLACK_NS (200 * NS_PER_MS) /* the guard may be the first that gets the signal */

bool twice_heard(const struct supervisor *s, int sig, pid_t from, uint64_t at)
{
	const struct roster_heard *heard = &s->config.shared->roster->heard[sig];
	uint64_t when = atomic_load_explicit(&heard->ns, memory_order_acquire);

	return when > 0 && when + SLACK_NS >= at && when <= at + NS_PER_S &&
		atomic_load_explicit(&heard->from, memory_order_relaxed) == from;
}

static void pass_on(struct supervisor *s, int sig, pid_t from)
{
	char name[16];

	if (s->engine.ended)
		return;
	process_log(s, BROOD_INFO, BROOD_EVENT_SIGNAL, from,
		"%s from pid %d is passed on to the engine", signals_name(sig, name), from);
	process_signal(s->engine.pidfd, s->engine.pid, sig);
}

void twice_came(struct supervisor *s, const struct signalfd_siginfo *info)
{
	uint64_t now = now_ns();

	/* Without a service manager nobody signals all processes: nothing has to wait. */
	if (!notifier_is_heard(s)) {
		pass_on(s, (int)info->ssi_signo, (pid_t)info->ssi_pid);
		return;
	}
	if (s->held.at[info->ssi_signo].since_ns > 0)
		return; /* as the kernel does: a signal that waits is not queued again */
	s->held.at[info->ssi_signo].since_ns = now;
	s->held.at[info->ssi_signo].from = (pid_t)info->ssi_pid;
	if (!timer_running(&s->held.timer))
		timer_set(&s->loop, &s->held.timer, now + TWICE_HOLD_NS);
}

void twice_fired(struct timer *timer, uint64_t now)
{
	struct supervisor *s = container_of(timer, struct supervisor, held.timer);
	uint64_t next = TIME_NEVER;

	for (int sig = 1; sig < ROSTER_SIGNALS; sig++) {
		uint64_t since = s->held.at[sig].since_ns;

		if (since > 0 && now < since + TWICE_HOLD_NS)
			next = MIN(next, since + TWICE_HOLD_NS);
		if (since == 0 || now < since + TWICE_HOLD_NS)
			continue;
		s->held.at[sig].since_ns = 0;
		if (!twice_heard(s, sig, s->held.at[sig].from, since))
			pass_on(s, sig, s->held.at[sig].from);
	}
	timer_set(&s->loop, &s->held.timer, next);
}
