/* SPDX-License-Identifier: MIT */
/*
 * guard_peer.c - the guard's birth, death and end. When the supervisor is killed, the guard kills
 * what jobs have started. So it is born before the first worker, and replaced when it dies.
 */
#include "guard_peer.h"
#include "cgroups.h"
#include "logging.h"

#define QUICK_NS (100 * NS_PER_MS)

static void respawn_later(struct supervisor *s, uint64_t now)
{
	timer_set(&s->loop, &s->guard.respawn, now + QUICK_NS);
}

static void death(struct source *source, uint32_t events)
{
	struct supervisor *s = container_of(source, struct supervisor, guard.death);

	(void)events;
	guard_peer_replace_if_ended(s);
	if (s->guard.pid > 0 && source->fd >= 0 && source->fd == s->guard.pidfd &&
		now_ns() - s->guard.born_ns >= QUICK_NS) {
		/*
		 * waitid() failed for now, or a debugger has the zombie. The pidfd stays readable
		 * and would wake the loop for ever: the loop drops it, and the retry timer looks
		 * again.
		 */
		loop_remove(&s->loop, source);
		note(s, NOTE_RETRY);
	}
}

/* Lets the loop watch the guard's end. If memory is short, the retry timer tries again. */
static void watch(struct supervisor *s)
{
	if (s->guard.pidfd >= 0 && s->guard.death.fd < 0 &&
		loop_add(&s->loop, &s->guard.death, s->guard.pidfd, EPOLLIN, death) < 0)
		note(s, NOTE_RETRY);
}

void guard_peer_spawn(struct supervisor *s)
{
	int leaves[BROOD_POOLS_MAX];
	struct guard_config config = { .shared = s->config.shared,
		.supervisor_pid = s->pid,
		.leaves = leaves,
		.leaves_count = cgroups_list(s, leaves) };
	int pidfd = -1;
	pid_t pid = process_spawn(&s->way, &pidfd);

	if (pid == 0)
		s->config.guard_main(&config);
	s->guard.born_ns = now_ns();
	if (pid < 0) {
		error_log(s, BROOD_WARNING, BROOD_EVENT_SPAWN_FAILED, -(int)pid,
			"the guard could not be made: %s; trying again", strerror(-(int)pid));
		respawn_later(s, s->guard.born_ns);
		return;
	}
	s->guard.pid = pid;
	s->guard.pidfd = pidfd;
	atomic_store(&s->stats_page->guard_pid, pid);
	note(s, NOTE_BIRTH); /* births have waited for the guard */
	watch(s);
}

void guard_peer_replace_if_ended(struct supervisor *s)
{
	int r;

	if (s->guard.pid <= 0)
		return;
	r = process_wait(s->guard.pid, false, NULL);
	if (r == 0) {
		watch(s);
		return;
	}
	if (r < 0 && r != -ECHILD) {
		note(s, NOTE_RETRY);
		return;
	}
	loop_remove(&s->loop, &s->guard.death);
	s->guard.pidfd = close_fd(s->guard.pidfd);
	process_log(s, BROOD_WARNING, BROOD_EVENT_GUARD_DIED, s->guard.pid,
		"the guard (pid %d) was ended; a new one takes its place", s->guard.pid);
	s->guard.pid = 0;
	atomic_store(&s->stats_page->guard_pid, 0);
	count_one(&s->stats_page->guard_deaths);
	if (now_ns() - s->guard.born_ns < QUICK_NS)
		respawn_later(s, now_ns());
	else
		guard_peer_spawn(s);
}

void guard_peer_respawn_fired(struct timer *timer, uint64_t now)
{
	struct supervisor *s = container_of(timer, struct supervisor, guard.respawn);

	(void)now;
	if (s->guard.pid <= 0 && !(s->engine.ended && s->halt.phase == HALT_DONE))
		guard_peer_spawn(s);
}

/* Ends the guard, last before the supervisor's own end: nothing is left to guard. */
void guard_peer_end(struct supervisor *s)
{
	const struct timespec ms = { .tv_nsec = (long)NS_PER_MS };
	pid_t pid = s->guard.pid;

	timer_stop(&s->loop, &s->guard.respawn);
	loop_remove(&s->loop, &s->guard.death);
	if (pid <= 0)
		return;
	process_signal(s->guard.pidfd, pid, SIGKILL);
	/*
	 * SIGKILL ends a sleeper in microseconds, if it gets a CPU. The supervisor has nothing else
	 * to do by now, so it may wait.
	 */
	for (int i = 0; i < 10000 && process_wait(pid, false, NULL) == 0; i++)
		nanosleep(&ms, NULL);
	s->guard.pidfd = close_fd(s->guard.pidfd);
	s->guard.pid = 0;
}
