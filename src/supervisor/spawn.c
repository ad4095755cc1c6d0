/* SPDX-License-Identifier: MIT */
/*
 * spawn.c - births. A place that is empty is filled as soon as backoff allows, a few at a time, so
 * that messages are read in between. What can fail, fails before the child exists, but for watching
 * its pidfd: then the child is killed, and looked for by timer until it is gone (death.c).
 */
#include "internal.h"
#include "slot.h"
#include "../os/fds.h"
#include "../os/sockets.h"

#include <sys/resource.h>
#include <sys/socket.h>

#define BIRTHS_A_TURN 8

/*
 * So many a minute, so that a crash loop does not fill the disk: past it, workers may make none
 * until the minute is over.
 */
static bool cores_allowed(struct supervisor *s, uint64_t now)
{
	if (s->options->flags & BROOD_NO_CORE)
		return false;
	if (now - s->cores.began >= 60 * NS_PER_S) {
		s->cores.began = now;
		s->cores.count = 0;
	}
	return s->cores.count < s->options->cores_per_minute;
}

/*
 * A limit of 1 byte allows no core file, and, unlike 0, stops a core for the handler behind a pipe
 * too.
 */
void cores_adjust(struct slot *slot, uint64_t now)
{
	struct supervisor *s = slot->supervisor;
	bool allowed = cores_allowed(s, now);
	struct rlimit limit = { allowed ? s->core.rlim_cur : MIN(s->core.rlim_max, (rlim_t)1),
		s->core.rlim_max };

	if (allowed != slot->core_allowed && prlimit(slot->pid, RLIMIT_CORE, &limit, NULL) == 0)
		slot->core_allowed = allowed;
}

/*
 * Those that have something to do; the others when they get it. A lease may last for hours. At most
 * twice a minute.
 */
static void adjust_all(struct supervisor *s, uint64_t now)
{
	static const enum slot_state states[] = { SLOT_BUSY, SLOT_LEASED };

	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		list_for_each_safe(l, tmp, &s->slots.lists[states[i]])
			cores_adjust(container_of(l, struct slot, link.link), now);
}

void cores_timer_fired(struct loop *loop, struct timer *timer, uint64_t now)
{
	(void)loop;
	adjust_all(container_of(timer, struct supervisor, cores.timer), now);
}

void cores_count(struct supervisor *s, uint64_t now)
{
	if (!cores_allowed(s, now))
		return;
	s->cores.count++;
	if (cores_allowed(s, now))
		return;
	timer_set(&s->loop, &s->cores.timer, s->cores.began + 60 * NS_PER_S);
	adjust_all(s, now);
}

static void __attribute__((noreturn)) child(struct supervisor *s, struct slot *slot, int channel_fd)
{
	struct worker_config config = {
		.options = s->options,
		.shared = s->config.shared,
		.slot = slot->number,
		.generation = slot->generation,
		.mark = strays_mark(slot),
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
	struct desk *desk = shared_desk(slot->supervisor->config.shared, slot->number);

	slot->sequence++;
	slot->job = NULL;
	slot->jobs_done = 0;
	slot->ready_ns = 0;
	slot->escaped = 0;
	slot->kill_signal = 0;
	slot->end_reason = NULL;
	slot->has_finished = slot->condemned = slot->protocol = slot->stuck = slot->retiring =
		slot->unwatched = slot->dead = false;
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
	worker_kill(slot, SIGKILL, "it was not ready within init_ms");
	worker_to_ending(slot, now + RETRY_MS * NS_PER_MS);
}

static void spawn_failed(struct supervisor *s, int error, uint64_t now)
{
	backoff_spawn_failed(&s->backoff, now);
	atomic_fetch_add_explicit(&s->board->spawn_failures, 1, memory_order_relaxed);
	plain_log(s, BROOD_WARNING, BROOD_EVENT_SPAWN_FAILED,
		"no worker could be made: %s; %u of %u are there; trying again%s", strerror(-error),
		supervisor_ready(s), s->options->workers,
		error == -EAGAIN ? " (look at pids.max, TasksMax and RLIMIT_NPROC)" : "");
}

static void born(struct slot *slot, int channel_fd)
{
	struct supervisor *s = slot->supervisor;
	uint64_t now = now_ns();
	int r = 0;

	slot->born_ns = now;
	slot_move(slot, SLOT_STARTING);
	atomic_fetch_add_explicit(&s->board->spawned, 1, memory_order_relaxed);
	slot->timer.on = init_time_up;
	timer_set(&s->loop, &slot->timer, time_after_ms(now, s->options->init_ms));
	if (slot->pidfd >= 0 &&
		(r = loop_add(&s->loop, &slot->death, slot->pidfd, EPOLLIN, death_readable)) < 0) {
		slot->unwatched = true;
		worker_kill(slot, SIGKILL, "it could not be watched");
		worker_to_ending(slot, now + RETRY_MS * NS_PER_MS);
		spawn_failed(s, r, now);
	}
	slot->channel.fd = -1;
	if (loop_add(&s->loop, &slot->channel, channel_fd, EPOLLIN, worker_readable) < 0) {
		slot->channel.fd = channel_fd; /* kept for worker_resume */
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

static void recovered(struct supervisor *s, const char *what)
{
	plain_log(s, BROOD_NOTICE, BROOD_EVENT_RECOVERED,
		"the pool has recovered: workers %s again", what);
	note(s, NOTE_POOL | NOTE_GAUGES);
}

void spawn_well(struct slot *slot, const char *what)
{
	struct supervisor *s = slot->supervisor;
	uint64_t before = backoff_next(&s->backoff);

	if (backoff_healthy(&s->backoff, slot->ready_ns))
		recovered(s, what);
	if (backoff_next(&s->backoff) != before)
		note(s, NOTE_BIRTH); /* nobody is to wait for a pause that is no more */
}
