/* SPDX-License-Identifier: MIT */
/*
 * spawn.c - births. An empty place is filled as soon as backoff allows, a few at a time, so that
 * messages are read in between. The pools have their births in turn, one each.
 *
 * What a birth makes, in this order, and whose it is:
 *   1. a pair of sockets: one end is the slot's channel until the death (death.c closes it), the
 *      other end is the worker's alone; with stderr_lines a pipe, likewise (tails.c);
 *   2. a clean slot page and the next generation: the child finds both when it begins;
 *   3. the process. It is the supervisor's own child, and only death.c reaps it: until then nobody
 *      else gets its pid, or the number of its group. pid and pidfd are the slot's;
 *   4. the roster entry: the kernel or the worker signs it before any code of the program runs, and
 *      the worker cannot write it later. death.c clears it after the reap;
 *   5. the watch: the loop looks at pidfd and channel, and the slot is STARTING.
 * All steps that can fail come before the process exists, except the watch. If the watch fails, the
 * child is killed, and a timer looks until the child is gone (death.c).
 *
 * Usually the spawner does step 3 (spawner/spawner.c): a clone costs the more, the more files its
 * maker has open, and the supervisor has two for each worker. The supervisor sends SPAWN, the slot
 * is ORDERED, and the answer BORN leads to step 5. When the spawner dies, the roster says for each
 * ordered slot whether there is a worker (spawner_peer.c). While a slot is ORDERED, the worker's
 * own end of the channel stays open here, in the pidfd's place: so if no fd is free, the birth
 * fails before there is a process.
 *
 * The supervisor makes a worker itself, in one step with its pidfd, while there is no spawner, and
 * when the request cannot be sent (too many files in flight, say).
 */
#include "spawn.h"
#include "cgroups.h"
#include "logging.h"
#include "pool.h"
#include "tails.h"
#include "../os/pidset.h"
#include "../os/proc.h"
#include "../os/shm.h"
#include "../os/sockets.h"
#include "../wire/frame.h"

#include <sys/socket.h>

#define BIRTHS_A_TURN 8
#define ANSWER_MS     5000 /* a spawner that does not answer for so long is killed */
#define ORDERS_MAX    16   /* so few orders fit into the spawner's socket */

/* Clears the trace page, unless it is untouched: clearing would then take memory. */
static void forget_trace(const struct slot *slot)
{
	const struct shared *shared = slot->pool->supervisor->config.shared;

	if (slot->generation > 0)
		shm_clear(shared_trace_page(shared, slot->number), shared->trace_page_size);
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
	slot->born_ns = now_ns();
	for (int i = 0; i < STANDARD_FILES; i++)
		atomic_store(&page->standard[i], 0);
	atomic_store(&page->called, 0);
	atomic_store(&page->offspring, 0);
	atomic_store(&page->attention, 0);
	atomic_store(&page->asleep, 0);
	atomic_store(&page->word, SLOT_PAGE_WORD(slot->sequence, SLOT_PAGE_FREE));
	atomic_store(&page->began_ns, 0);
	/* the former worker may have written `soft`, which must not end a job of the next worker */
	atomic_store(&page->soft, 0);
	atomic_store(&page->soft_cause, 0);
	atomic_store(&page->noticed, 0);
	atomic_store(&page->memory, 0);
	atomic_store(&page->gave_up, 0);
	memset(page->name, 0, sizeof page->name);
	page->tag[0] = '\0';
	forget_trace(slot);
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
	logging_line(pool->supervisor,
		&(struct logging_about){ .level = BROOD_WARNING,
			.event = BROOD_EVENT_SPAWN_FAILED,
			.pool = pool,
			.error = -error },
		"no worker could be made: %s; %u of %u are there; trying again%s", strerror(-error),
		pool_ready(pool), pool->size.target,
		error == -EAGAIN ? " (look at pids.max, TasksMax and RLIMIT_NPROC)" : "");
}

static void end_born(struct slot *slot, const char *reason, uint64_t now)
{
	slot_kill(slot, SIGKILL, reason);
	slot_end(slot, now + RETRY_MS * NS_PER_MS);
}

/* The worker has no pidfd, or the loop cannot watch it: kills the worker; the birth has failed. */
static void unwatched(struct slot *slot, int error, uint64_t now)
{
	slot->end.unwatched = true;
	end_born(slot, "it could not be watched", now);
	spawn_failed(slot->pool, error, now);
}

/* The worker's process exists: the slot is STARTING. pidfd -1: the worker has none. */
static void born(struct slot *slot, pid_t pid, int pidfd, int channel_fd)
{
	struct supervisor *s = slot->pool->supervisor;
	struct pool *pool = slot->pool;
	uint64_t now = now_ns();
	int r = 0;

	slot->pid = pid;
	pidset_add(pid);
	slot->pidfd = pidfd;
	slot->born_ns = now;
	slot_make_starting(slot);
	count_one(&pool->stats_page->spawned);
	slot_set_timer(slot, init_time_up, time_after_ms(now, pool->options->init_ms));
	if (s->halt.phase > HALT_DRAIN)
		end_born(slot, "the pool stops", now);
	if (pidfd >= 0)
		r = loop_add(&s->loop, &slot->death, pidfd, EPOLLIN, slot->death.on);
	if (r < 0)
		unwatched(slot, r, now);
	slot_open_channel(slot, channel_fd);
}

/* ---- births by the supervisor itself ---- */

static int make(struct slot *slot, const struct frame *f, int channel_fd)
{
	struct supervisor *s = slot->pool->supervisor;
	int pidfd = -1;
	pid_t pid = process_spawn_into(
		&s->way, message_spawn_leaf(&f->birth.spawn, f->fds), &pidfd);

	if (pid == 0)
		birth_worker(&s->birth, &f->birth.spawn, f->fds);
	if (pid > 0)
		born(slot, pid, pidfd, channel_fd);
	return MIN(pid, 0);
}

/* ---- births by the spawner ---- */

static void set_limit(struct supervisor *s)
{
	s->spawner.late = false;
	timer_set(&s->loop, &s->spawner.answer,
		s->spawner.orders ? now_ns() + ANSWER_MS * NS_PER_MS : TIME_NEVER);
}

/* On success both ends are the slot's; the worker's own one keeps a place for the pidfd. */
static int order(struct slot *slot, struct frame *f, const int pair[2])
{
	struct supervisor *s = slot->pool->supervisor;
	int r = s->spawner.channel.fd < 0 ? -ENOTCONN : frame_send(s->spawner.channel.fd, f);

	if (r < 0)
		return r;
	slot->channel.fd = pair[0]; /* not watched yet: the worker may never be born */
	slot->pidfd = pair[1];
	slot_make_ordered(slot);
	if (s->spawner.orders++ == 0)
		set_limit(s);
	return 0;
}

static void order_is_over(struct slot *slot)
{
	struct supervisor *s = slot->pool->supervisor;

	s->spawner.orders--;
	set_limit(s);
	note(s, NOTE_BIRTH);
}

pid_t spawn_process(const struct slot *slot)
{
	const struct roster *roster = slot->pool->supervisor->config.shared->roster;

	if (slot->link.state != SLOT_ORDERED)
		return slot->pid;
	return atomic_load_explicit(&roster->workers[slot->number].pid, memory_order_acquire);
}

void spawn_done(struct slot *slot, pid_t pid)
{
	int channel_fd = slot->channel.fd, pidfd;

	slot->pidfd = close_fd(slot->pidfd);
	pidfd = process_pidfd_open(pid);
	order_is_over(slot);
	slot->channel.fd = -1;
	born(slot, pid, MAX(pidfd, -1), channel_fd);
	if (pidfd < 0)
		unwatched(slot, pidfd, now_ns());
}

/*
 * Orders that were sent before the first of them failed do not count as failures of their own: one
 * pause after the first failure is enough for all of them.
 */
void spawn_undone(struct slot *slot, int error)
{
	struct pool *pool = slot->pool;
	uint64_t now = now_ns();

	order_is_over(slot);
	slot->pidfd = close_fd(slot->pidfd);
	slot_close_channel(slot);
	tails_close(slot);
	slot->generation--;
	slot_make_empty(slot);
	if (error && backoff_next(&pool->backoff) <= now)
		spawn_failed(pool, error, now);
}

/* ---- which births there are, and when ---- */

/* What a worker gets at its birth, and the supervisor closes after it. -1: there is none. */
struct dowry {
	int leaf_fd, stderr_fd, channel_fd;
};

static void ask_for(
	struct slot *slot, uint64_t retire_jobs, const struct dowry *dowry, struct frame *f)
{
	const struct init_data *data = &slot->pool->init_data;

	frame_begin(f, MESSAGE_SPAWN)->birth.spawn = (struct message_spawn){
		.init_data_size = data->size,
		.retire_jobs = retire_jobs,
		.pool = slot->pool->setup->number,
		.slot = slot->number,
		.generation = slot->generation,
		.mark = slot_mark(slot),
		.core = slot->core_allowed,
		.init_version = data->version,
		.init_fds_count = data->fds_count,
		.leaf = dowry->leaf_fd >= 0,
		.stderr_pipe = dowry->stderr_fd >= 0,
	};
	if (dowry->leaf_fd >= 0)
		f->fds[f->fds_count++] = dowry->leaf_fd;
	if (dowry->stderr_fd >= 0)
		f->fds[f->fds_count++] = dowry->stderr_fd;
	f->fds[f->fds_count++] = dowry->channel_fd;
	if (data->size > 0)
		f->fds[f->fds_count++] = data->memfd;
	for (uint32_t i = 0; i < data->fds_count; i++)
		f->fds[f->fds_count++] = data->fds[i];
}

static int spawn_one(struct pool *pool)
{
	struct slot *slot = container_of(slots_first(&pool->slots, SLOT_EMPTY), struct slot, link);
	struct dowry dowry = { .leaf_fd = -1, .stderr_fd = -1 };
	struct retire_lot lot;
	struct frame f;
	int pair[2], r;
	bool ordered = false;

	r = sockets_pair(SOCK_SEQPACKET, pair);
	if (r < 0)
		return r;
	forget_former(slot);
	slot->generation++;
	slot->core_allowed = pool_cores_allowed(pool, now_ns());
	lot = retire_draw(&pool->renewals.limits, &pool->renewals.random);
	slot->renewal.age_ns = lot.age_ns;
	dowry.channel_fd = pair[1];
	r = tails_open(slot, &dowry.stderr_fd);
	if (r == 0)
		r = cgroups_for_birth(slot, &dowry.leaf_fd);
	if (r == 0) {
		ask_for(slot, lot.jobs, &dowry, &f);
		r = order(slot, &f, pair);
		ordered = r == 0;
		if (r < 0)
			r = make(slot, &f, pair[0]);
		cgroups_birth_done(slot, dowry.leaf_fd);
	}
	close_fd(dowry.stderr_fd);
	if (ordered)
		return 0;
	close_fd(pair[1]);
	if (r < 0) {
		slot->generation--;
		tails_close(slot);
		close_fd(pair[0]);
	}
	return r;
}

static bool wanted(struct pool *pool)
{
	struct supervisor *s = pool->supervisor;

	if (pool->slots.counts[SLOT_EMPTY] == 0 || s->guard.pid <= 0)
		return false; /* no worker is born without a guard: law 3 */
	if (s->spawner.orders >= ORDERS_MAX && s->spawner.channel.fd >= 0)
		return false;
	if (s->halt.phase == HALT_NONE)
		return !s->engine.ended;
	return s->halt.phase == HALT_DRAIN && pool->records.queued > 0;
}

/* The next pool in turn that may have a birth: a pool waits for one birth of each other pool. */
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
