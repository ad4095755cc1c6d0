/* SPDX-License-Identifier: MIT */
/*
 * spawn.c - births. A place that is empty is filled as soon as backoff allows, a few at a time, so
 * that messages are read in between. What can fail, fails before the child exists, but for watching
 * its pidfd: then the child is killed, and looked for by timer until it is gone (death.c).
 */
#include "spawn.h"
#include "cores.h"
#include "death.h"
#include "logging.h"
#include "pool.h"
#include "../os/fds.h"
#include "../os/sockets.h"

#include <sys/resource.h>
#include <sys/socket.h>

#define BIRTHS_A_TURN 8

static void __attribute__((noreturn)) child(struct supervisor *s, struct slot *slot, int channel_fd)
{
	struct worker_config config = {
		.options = s->options,
		.shared = s->config.shared,
		.slot = slot->number,
		.generation = slot->generation,
		.mark = slot_mark(slot),
		.channel_fd = channel_fd,
		.supervisor_pid = s->pid,
		.oom_score_adj = s->oom_mark < 0 ? -1001 : s->oom_mark,
		.core = slot->core_allowed,
		.init_memfd = s->init_data.memfd,
		.init_data_size = s->init_data.size,
		.init_version = s->init_data.version,
		.init_fds_count = s->init_data.fds_count,
		.stale = s->config.stale,
		.standard = s->config.standard,
	};

	memcpy(config.init_fds, s->init_data.fds, sizeof config.init_fds);
	/*
	 * Signals stay blocked until the roster is signed: no handler of the program runs before.
	 */
	for (size_t i = 0; i < s->options->keep_signals_count; i++)
		sigaction(s->options->keep_signals[i],
			&s->config.signals.actions[s->options->keep_signals[i]], NULL);
	setrlimit(RLIMIT_NOFILE, &s->nofile);
	s->config.worker_main(&config);
}

static void forget_former(struct slot *slot)
{
	struct desk *desk = slot_page(slot);

	slot->sequence++;
	slot->job = NULL;
	slot->jobs_done = 0;
	slot->ready_ns = 0;
	slot->facts.escaped = 0;
	slot->facts.kill_signal = 0;
	slot->facts.reason = NULL;
	slot->facts.condemned = slot->facts.protocol = slot->facts.stuck = slot->facts.retiring =
		slot->facts.unwatched = slot->facts.dead = false;
	slot->channel_ended = slot->paused = false;
	for (int i = 0; i < STANDARD_FILES; i++)
		atomic_store(&desk->standard[i], 0);
	atomic_store(&desk->called, 0);
	atomic_store(&desk->word, DESK_WORD(slot->sequence, DESK_FREE));
	atomic_store(&desk->memory, 0);
	atomic_store(&desk->gave_up, 0);
	memset(desk->name, 0, sizeof desk->name);
}

static void init_time_up(struct loop *loop, struct timer *timer, uint64_t now)
{
	struct slot *slot = container_of(timer, struct slot, timer);

	if ((slot->supervisor->options->flags & BROOD_DEBUGGING) &&
		process_traced_or_stopped(slot->pid)) {
		timer_set(loop, timer, now + NS_PER_S);
		return;
	}
	slot_kill(slot, SIGKILL, "it was not ready within init_ms");
	slot_end(slot, now + RETRY_MS * NS_PER_MS);
}

static void spawn_failed(struct supervisor *s, int error, uint64_t now)
{
	backoff_spawn_failed(&s->backoff, now);
	atomic_fetch_add_explicit(&s->board->spawn_failures, 1, memory_order_relaxed);
	plain_log(s, BROOD_WARNING, BROOD_EVENT_SPAWN_FAILED,
		"no worker could be made: %s; %u of %u are there; trying again%s", strerror(-error),
		pool_ready(s), s->options->workers,
		error == -EAGAIN ? " (look at pids.max, TasksMax and RLIMIT_NPROC)" : "");
}

static void born(struct slot *slot, int channel_fd)
{
	struct supervisor *s = slot->supervisor;
	uint64_t now = now_ns();
	int r = 0;

	slot->born_ns = now;
	slot_make_starting(slot);
	atomic_fetch_add_explicit(&s->board->spawned, 1, memory_order_relaxed);
	slot_set_timer(slot, init_time_up, time_after_ms(now, s->options->init_ms));
	if (slot->pidfd >= 0 &&
		(r = loop_add(&s->loop, &slot->death, slot->pidfd, EPOLLIN, slot->death.on)) < 0) {
		slot->facts.unwatched = true;
		slot_kill(slot, SIGKILL, "it could not be watched");
		slot_end(slot, now + RETRY_MS * NS_PER_MS);
		spawn_failed(s, r, now);
	}
	slot->channel.fd = -1;
	if (loop_add(&s->loop, &slot->channel, channel_fd, EPOLLIN, slot->channel.on) < 0) {
		slot->channel.fd = channel_fd; /* kept for worker_peer_resume */
		slot->paused = true;
		note(s, NOTE_RETRY);
	}
}

static int spawn_one(struct supervisor *s)
{
	struct slot *slot = container_of(slots_first(&s->slots, SLOT_EMPTY), struct slot, link);
	int pair[2], r, pidfd = -1;
	pid_t pid;

	r = sockets_pair(SOCK_SEQPACKET, pair);
	if (r < 0)
		return r;
	forget_former(slot);
	slot->generation++;
	slot->core_allowed = cores_allowed(s, now_ns());
	pid = process_spawn(&s->way, &pidfd);
	if (pid == 0)
		child(s, slot, pair[1]);
	close_fd(pair[1]);
	if (pid < 0) {
		slot->generation--;
		close_fd(pair[0]);
		return (int)pid;
	}
	slot->pid = pid;
	slot->pidfd = pidfd;
	born(slot, pair[0]);
	return 0;
}

static bool wanted(struct supervisor *s)
{
	if (s->slots.counts[SLOT_EMPTY] == 0 || s->guard.pid <= 0)
		return false; /* no guard, no worker: law 3 */
	if (s->halt.phase == HALT_NONE)
		return !s->engine.ended;
	return s->halt.phase == HALT_DRAIN && s->records.queued > 0;
}

void spawn_timer_fired(struct loop *loop, struct timer *timer, uint64_t now)
{
	struct supervisor *s = container_of(timer, struct supervisor, spawn_timer);

	(void)loop;
	for (int n = 0; n < BIRTHS_A_TURN && wanted(s) && backoff_next(&s->backoff) <= now; n++) {
		int r = spawn_one(s);

		if (r < 0) {
			spawn_failed(s, r, now);
			break;
		}
	}
	note(s, NOTE_BIRTH);
}

void spawn_due(struct supervisor *s)
{
	uint64_t next = backoff_next(&s->backoff);

	if (!wanted(s)) {
		timer_stop(&s->loop, &s->spawn_timer);
		next = 0;
	} else {
		timer_set(&s->loop, &s->spawn_timer, MAX(next, 1));
	}
	atomic_store_explicit(
		&s->board->next_spawn_ns, next > now_ns() ? next : 0, memory_order_relaxed);
}
