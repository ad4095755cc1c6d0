/* SPDX-License-Identifier: MIT */
/*
 * signal_source.c - reads signals from a signalfd. The supervisor has no handler: signals are
 * blocked before the first fork, so that none is lost, and the children get back the signal state
 * of the caller of brood_start(). TSTP, TTIN, TTOU and CONT keep their effect: the shell watches
 * this process for Ctrl-Z.
 */
#include "signal_source.h"
#include "death.h"
#include "engine_peer.h"
#include "guard_peer.h"
#include "stop_signal.h"
#include "strays.h"
#include "twice.h"

#include <sys/signalfd.h>

/*
 * Of the handlers that workers keep, the supervisor keeps only those of faults (a sanitizer's
 * report). No other handler of the program runs here. An ignored SIGCHLD would let the kernel reap
 * children that are the supervisor's to reap.
 */
static void default_all(const struct brood_options *o)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT };
	int keep[ARRAY_SIZE(faults)];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		if (signals_listed(o->keep_signals, o->keep_signals_count, faults[i]))
			keep[n++] = faults[i];
	signals_default_all(keep, n);
}

int signal_source_prepare(struct supervisor *s)
{
	static const int passed[] = { SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH, SIGQUIT };
	static const int job_control[] = { SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT };
	sigset_t set, open;

	sigemptyset(&s->pass);
	for (size_t i = 0; i < ARRAY_SIZE(passed); i++)
		sigaddset(&s->pass, passed[i]);
	for (size_t i = 0; i < s->options->pass_signals_count; i++)
		sigaddset(&s->pass, s->options->pass_signals[i]);
	set = s->pass;
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	s->signal_fd = signals_fd(&set);
	if (s->signal_fd < 0)
		return s->signal_fd;
	signals_block_all(NULL);
	default_all(s->options);
	sigemptyset(&open);
	for (size_t i = 0; i < ARRAY_SIZE(job_control); i++)
		sigaddset(&open, job_control[i]);
	sigprocmask(SIG_UNBLOCK, &open, NULL);
	return 0;
}

/* Without pidfds (an old emulator) only SIGCHLD tells of deaths: then every child is looked at. */
static void on_child(struct supervisor *s)
{
	if (s->engine.pidfd < 0)
		engine_peer_stop_if_ended(s);
	if (s->guard.pid > 0 && s->guard.pidfd < 0)
		guard_peer_replace_if_ended(s);
	if (s->way == PROCESS_FORK)
		for_each_pool(pool, s) for_each_slot(
			slot, pool) if (slot->pid > 0 && slot->pidfd < 0) death_bury_if_ended(slot);
	strays_reap(s);
	note(s, NOTE_STOP);
}

/*
 * True: the engine has the signal already. A key of the terminal (Ctrl-C) goes to the whole
 * foreground group, and the engine is in it unless it has left.
 */
static bool engine_has_it(const struct supervisor *s, const struct signalfd_siginfo *info)
{
	return info->ssi_code == SI_KERNEL && getpgid(s->engine.pid) == getpgrp();
}

static void handle(struct supervisor *s, const struct signalfd_siginfo *info)
{
	int sig = (int)info->ssi_signo;

	if (sig == SIGCHLD)
		on_child(s);
	else if (sig == SIGTERM || sig == SIGINT)
		stop_signal_came(s, sig, (pid_t)info->ssi_pid, engine_has_it(s, info));
	else if (sigismember(&s->pass, sig) && !engine_has_it(s, info))
		twice_came(s, info);
}

void signal_source_readable(struct source *source, uint32_t events)
{
	struct supervisor *s = container_of(source, struct supervisor, signals);
	struct signalfd_siginfo info;

	(void)events;
	while (source->fd >= 0 && signals_read(source->fd, &info) > 0)
		handle(s, &info);
}
