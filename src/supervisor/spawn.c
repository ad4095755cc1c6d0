/* SPDX-License-Identifier: MIT */
/*
 * spawn.c - births. An empty place is filled as soon as backoff allows, a few at a time, so that
 * messages are read in between. The pools have their births in turn, one each.
 *
 * What a birth makes, in this order, and whose it is:
 *   1. a pair of sockets: one end is the slot's channel until the death (death.c closes it), the
 *      other end is the worker's alone;
 *   2. a clean slot page and the next generation: the child finds both there;
 *   3. the process, with its pidfd in the same step. It is the supervisor's own child, and only
 *      death.c reaps it: until then nobody else gets its pid, or the number of its group. pid and
 *      pidfd are the slot's;
 *   4. the roster entry: the worker signs it before any code of the program runs, and cannot write
 *      it later. death.c clears it after the reap;
 *   5. the watch: the loop looks at pidfd and channel, and the slot is STARTING.
 * What can fail, fails before the process exists, but for the watch: then the child is killed, and
 * looked for by timer until it is gone (death.c).
 *
 * spawn_one() and child() are the boundary to a process that makes births for the supervisor. Such
 * a spawner would do step 3, with CLONE_PARENT, so that the worker is still the supervisor's child;
 * it would get slot, generation and the worker's end of the channel, and send back pid and pidfd.
 * All other steps, and all that is owned, stay where they are.
 */
#include "spawn.h"
#include "logging.h"
#include "pool.h"
#include "../os/proc.h"
#include "../os/sockets.h"

#include <sys/socket.h>

#define BIRTHS_A_TURN 8

static void __attribute__((noreturn))
child(struct pool *pool, struct slot *slot, int channel_fd, uint64_t retire_jobs)
{
	struct supervisor *s = pool->supervisor;
	struct worker_config config = {
		.options = pool->options,
		.pool = pool->setup,
		.shared = s->config.shared,
		.slot = slot->number,
		.generation = slot->generation,
		.mark = slot_mark(slot),
		.channel_fd = channel_fd,
		.supervisor_pid = s->pid,
		.oom_score_adj = s->oom_mark < 0 ? -1001 : s->oom_mark,
		.core = slot->core_allowed,
		.init_memfd = pool->init_data.memfd,
		.init_data_size = pool->init_data.size,
		.init_version = pool->init_data.version,
		.init_fds_count = pool->init_data.fds_count,
		.retire_jobs = retire_jobs,
		.retire_memory_kb = pool->renewals.limits.memory_kb,
		.stale = s->config.stale,
		.standard = s->config.standard,
	};

	memcpy(config.init_fds, pool->init_data.fds, sizeof config.init_fds);
	/*
	 * Signals stay blocked until the roster is signed: no handler of the program runs before.
	 */
	for (size_t i = 0; i < pool->options->keep_signals_count; i++)
		sigaction(pool->options->keep_signals[i],
			&s->config.signals.actions[pool->options->keep_signals[i]], NULL);
	setrlimit(RLIMIT_NOFILE, &s->nofile);
	s->config.worker_main(&config);
}

static void forget_former(struct slot *slot)
{
	struct slot_page *page = slot_page(slot);

	slot->sequence++;
	slot->job = NULL;
	slot->jobs_done = 0;
	slot->ready_ns = 0;
	slot->facts = (struct fate_facts){ 0 };
	slot->end = (struct slot_end){ 0 };
	slot->renewal.cause = RETIRE_NONE;
	slot->renewal.epoch = slot->pool->renewals.epoch;
	slot->renewal.init_version = slot->pool->init_data.version;
	slot->channel_ended = slot->paused = false;
	for (int i = 0; i < STANDARD_FILES; i++)
		atomic_store(&page->standard[i], 0);
	atomic_store(&page->called, 0);
	atomic_store(&page->attention, 0);
	atomic_store(&page->asleep, 0);
	atomic_store(&page->word, SLOT_PAGE_WORD(slot->sequence, SLOT_PAGE_FREE));
	atomic_store(&page->began_ns, 0);
	/* the former worker may have written `soft`, which must not end a job of the next one */
	atomic_store(&page->soft, 0);
	atomic_store(&page->soft_cause, 0);
	atomic_store(&page->noticed, 0);
	atomic_store(&page->memory, 0);
	atomic_store(&page->gave_up, 0);
	memset(page->name, 0, sizeof page->name);
}

static void init_time_up(struct timer *timer, uint64_t now)
{
	struct slot *slot = container_of(timer, struct slot, timer);

	if ((slot->pool->options->flags & BROOD_DEBUGGING) && proc_traced_or_stopped(slot->pid)) {
		timer_set(&slot->pool->supervisor->loop, timer, now + NS_PER_S);
		return;
	}
	slot_kill(slot, SIGKILL, "it was not ready within init_ms");
	slot_end(slot, now + RETRY_MS * NS_PER_MS);
}

static void spawn_failed(struct pool *pool, int error, uint64_t now)
{
	backoff_spawn_failed(&pool->backoff, now);
	count_one(&pool->stats_page->spawn_failures);
	pool->renewals.cramped = true;
	note_pool(pool, NOTE_RENEW);
	pool_log(pool, BROOD_WARNING, BROOD_EVENT_SPAWN_FAILED,
		"no worker could be made: %s; %u of %u are there; trying again%s", strerror(-error),
		pool_ready(pool), pool->size.target,
		error == -EAGAIN ? " (look at pids.max, TasksMax and RLIMIT_NPROC)" : "");
}

static void born(struct slot *slot, int channel_fd)
{
	struct supervisor *s = slot->pool->supervisor;
	struct pool *pool = slot->pool;
	uint64_t now = now_ns();
	int r = 0;

	slot->born_ns = now;
	slot_make_starting(slot);
	count_one(&pool->stats_page->spawned);
	slot_set_timer(slot, init_time_up, time_after_ms(now, pool->options->init_ms));
	if (slot->pidfd >= 0 &&
		(r = loop_add(&s->loop, &slot->death, slot->pidfd, EPOLLIN, slot->death.on)) < 0) {
		slot->end.unwatched = true;
		slot_kill(slot, SIGKILL, "it could not be watched");
		slot_end(slot, now + RETRY_MS * NS_PER_MS);
		spawn_failed(pool, r, now);
	}
	slot_open_channel(slot, channel_fd);
}

static int spawn_one(struct pool *pool)
{
	struct slot *slot = container_of(slots_first(&pool->slots, SLOT_EMPTY), struct slot, link);
	int pair[2], r, pidfd = -1;
	struct retire_lot lot;
	pid_t pid;

	r = sockets_pair(SOCK_SEQPACKET, pair);
	if (r < 0)
		return r;
	forget_former(slot);
	slot->generation++;
	slot->core_allowed = pool_cores_allowed(pool, now_ns());
	lot = retire_draw(&pool->renewals.limits, &pool->renewals.random);
	slot->renewal.age_ns = lot.age_ns;
	pid = process_spawn(&pool->supervisor->way, &pidfd);
	if (pid == 0)
		child(pool, slot, pair[1], lot.jobs);
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

static bool wanted(struct pool *pool)
{
	struct supervisor *s = pool->supervisor;

	if (pool->slots.counts[SLOT_EMPTY] == 0 || s->guard.pid <= 0)
		return false; /* no worker is born without a guard: law 3 */
	if (s->halt.phase == HALT_NONE)
		return !s->engine.ended;
	return s->halt.phase == HALT_DRAIN && pool->records.queued > 0;
}

/* The first in turn that may have a birth now: a pool waits for one birth of each other. */
static struct pool *next_in_turn(struct supervisor *s, uint64_t now)
{
	for (uint32_t n = 0; n < s->pools_count; n++) {
		struct pool *pool = pool_in_turn(s, s->birth_turn, n);

		if (wanted(pool) && backoff_next(&pool->backoff) <= now) {
			s->birth_turn = turns_after(pool->setup->number);
			return pool;
		}
	}
	return NULL;
}

void spawn_timer_fired(struct timer *timer, uint64_t now)
{
	struct supervisor *s = container_of(timer, struct supervisor, spawn_timer);
	struct pool *pool;

	for (int n = 0; n < BIRTHS_A_TURN && (pool = next_in_turn(s, now)); n++) {
		int r = spawn_one(pool);

		if (r < 0)
			spawn_failed(pool, r, now);
	}
	note(s, NOTE_BIRTH);
}

void spawn_due(struct supervisor *s)
{
	uint64_t soonest = TIME_NEVER;

	for_each_pool(pool, s)
	{
		uint64_t next = wanted(pool) ? MAX(backoff_next(&pool->backoff), (uint64_t)1) : 0;

		if (next > 0)
			soonest = MIN(soonest, next);
		atomic_store_explicit(&pool->stats_page->next_spawn_ns, next > now_ns() ? next : 0,
			memory_order_relaxed);
	}
	timer_set(&s->loop, &s->spawn_timer, soonest);
}
