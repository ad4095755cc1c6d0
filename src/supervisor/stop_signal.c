/* SPDX-License-Identifier: MIT */
/*
 * stop_signal.c - a stop signal. The first one is passed on to the engine: after stop_delay_ms if
 * it is a SIGTERM and the program wants to serve on for so long, else after a moment
 * (twice.h). A second one, at least a second later, ends that delay; without a delay, or after
 * it, a second one kills the engine. engine_stop_ms bounds how long the engine may take.
 */
#include "stop_signal.h"
#include "logging.h"
#include "manager.h"
#include "twice.h"

/* A second stop signal counts as such only if it comes this long after the first one. */
#define FORCE_AFTER_NS NS_PER_S

static void force_engine(struct supervisor *s, const char *why)
{
	if (s->engine.ended || s->engine.kill_sent)
		return;
	s->engine.kill_sent = true;
	process_log(s, BROOD_WARNING, BROOD_EVENT_STOP_FORCED, s->engine.pid,
		"the engine (pid %d) is killed: %s", s->engine.pid, why);
	process_signal(s->engine.pidfd, s->engine.pid, SIGKILL);
}

void stop_signal_force_fired(struct timer *timer, uint64_t now)
{
	(void)now;
	force_engine(container_of(timer, struct supervisor, engine.stop_timer),
		"it did not end within engine_stop_ms of the stop signal");
}

/* An engine that stops already, or has the signal from its sender, gets nothing more. */
static bool engine_knows(const struct supervisor *s, int sig)
{
	return s->engine.draining || s->engine.exiting || s->engine.channel_ended ||
		s->halt.phase != HALT_NONE ||
		twice_heard(s, sig, s->engine.stop_from, s->engine.first_stop_ns);
}

static void pass(struct supervisor *s)
{
	int sig = s->engine.stop_signal;

	s->engine.stop_signal = 0;
	timer_stop(&s->loop, &s->engine.signal_timer);
	timer_set(&s->loop, &s->engine.stop_timer,
		time_after_ms(now_ns(), s->options->engine_stop_ms));
	manager_tell_stopping(s);
	if (!engine_knows(s, sig))
		process_signal(s->engine.pidfd, s->engine.pid, sig);
}

void stop_signal_pass_fired(struct timer *timer, uint64_t now)
{
	struct supervisor *s = container_of(timer, struct supervisor, engine.signal_timer);

	if (s->manager.leaving)
		s->engine.first_stop_ns = now; /* the next signal, a second later, forces the end */
	pass(s);
}

static void first_came(struct supervisor *s, int sig, bool engine_has_it, uint64_t now)
{
	uint32_t delay_ms = sig == SIGTERM && !engine_has_it ? s->options->stop_delay_ms : 0;
	uint64_t pause_ns = MAX(delay_ms * NS_PER_MS, TWICE_HOLD_NS);

	s->engine.first_stop_ns = now;
	if (delay_ms > 0)
		manager_tell_leaving(s);
	else
		manager_tell_stopping(s);
	s->engine.stop_signal = engine_has_it ? 0 : sig;
	if (engine_has_it)
		timer_set(&s->loop, &s->engine.stop_timer,
			time_after_ms(now, s->options->engine_stop_ms));
	else
		timer_set(&s->loop, &s->engine.signal_timer, now + pause_ns);
}

void stop_signal_came(struct supervisor *s, int sig, pid_t from, bool engine_has_it)
{
	uint64_t now = now_ns();

	if (s->engine.ended)
		return;
	if (!s->engine.first_stop_ns) {
		s->engine.stop_from = from;
		first_came(s, sig, engine_has_it, now);
	} else if (now - s->engine.first_stop_ns < FORCE_AFTER_NS) {
		return; /* whoever signals many processes may reach this one twice */
	} else if (s->engine.stop_signal) {
		stop_signal_pass_fired(&s->engine.signal_timer, now);
	} else {
		force_engine(s, "a second stop signal came");
	}
}

void stop_signal_for_failure(struct supervisor *s)
{
	if (s->engine.ended)
		return;
	if (!s->engine.first_stop_ns)
		s->engine.first_stop_ns = now_ns();
	s->engine.stop_signal = SIGTERM;
	s->engine.stop_from = -1;
	pass(s);
}
