/* SPDX-License-Identifier: MIT */
/*
 * supervisor.c - the original process.
 *
 * It owns the pools: which workers are born, which worker runs what, and which one is killed. It
 * gives the verdict of each job that is handed off; the engine gives those of jobs on lease
 * (engine/queue_jobs.c). It runs no job code, waits only in epoll_wait(), believes nothing that a
 * worker says, and allocates nothing after supervisor_prepare(): job records, slots, timers and
 * buffers are there from the start.
 *
 * A handed-off job on its way: JOB arrives from the engine and takes the record that its id names;
 * the record waits in the queue; the warmest idle worker gets RUN with the fds; FINISHED, or the
 * worker's death, or the ladder (deadline, cancel, stop) decides the verdict; the record is free
 * again when the engine's socket took it.
 *
 * When a resource is short (EAGAIN, ENOMEM, EMFILE, ETOOMANYREFS ...), nothing is given up: the
 * job, message or birth stays as it was, and one timer tries all of them again (NOTE_RETRY).
 *
 * A trap: all of this may be called while a batch of events is dispatched, and a later event of the
 * batch may be about the same slot or record. So nobody frees a slot or a record: only their states
 * change. And a source is removed from the loop before its fd is closed.
 */
#include "supervisor.h"
#include "cgroups.h"
#include "control_peer.h"
#include "copies.h"
#include "death.h"
#include "engine_peer.h"
#include "guard_peer.h"
#include "lease_share.h"
#include "logging.h"
#include "feed.h"
#include "manager.h"
#include "manager_text.h"
#include "memory_pressure.h"
#include "notes.h"
#include "relay.h"
#include "tails.h"
#include "pool.h"
#include "reload.h"
#include "renew.h"
#include "resolver.h"
#include "signal_source.h"
#include "size.h"
#include "spawn.h"
#include "spawner_peer.h"
#include "status_page.h"
#include "start_fails.h"
#include "stop.h"
#include "stop_signal.h"
#include "strays.h"
#include "twice.h"
#include "undead.h"
#include "worker_peer.h"
#include "../wire/job_room.h"
#include "../wire/last_words.h"
#include "../os/fds.h"
#include "../os/proc.h"
#include "../os/pids.h"
#include "../os/mark.h"
#include "../os/title.h"

#include <stdlib.h>
#include <sys/resource.h>

/*
 * Sets the handlers of the slot's sources and timers. Handlers call downwards in many files, and
 * the loop knows none of these files: so the topmost file sets the handlers.
 */
static void slot_prepare(struct pool *pool, struct slot *slot, uint32_t place)
{
	slot->pool = pool;
	slot->number = pool->setup->first_slot + place;
	slot->pidfd = -1;
	source_init(&slot->death);
	source_init(&slot->channel);
	slot->death.on = death_readable;
	slot->channel.on = death_channel_readable;
	timer_init(&slot->timer, NULL);
	timer_init(&slot->healthy_timer, worker_peer_healthy_fired);
	timer_init(&slot->eof_timer, NULL);
	timer_init(&slot->end_timer, death_end_fired);
	timer_init(&slot->undead_timer, undead_time_up);
	timer_init(&slot->renewal.age, renew_age_fired);
	list_init(&slot->lease.list);
	list_init(&slot->status.touched);
	list_init(&slot->renewal.leased);
	list_init(&slot->strays.called);
	list_init(&slot->strays.cgroup.left);
	slots_add(&pool->slots, &slot->link, place < pool->size.target ? SLOT_EMPTY : SLOT_SPARE);
}

/*
 * The first pool owns the memory of all records, and the pools share it: so an id names its record
 * whatever pool it is for.
 */
static int prepare_records(struct pool *pool)
{
	const struct supervisor *s = pool->supervisor;

	if (pool == s->pools)
		return records_init(&pool->records, s->config.records, sizeof(struct job));
	records_share(&pool->records, &s->pools[0].records);
	return 0;
}

static int pool_prepare(struct supervisor *s, struct pool *pool, const struct pool_setup *setup)
{
	const struct brood_options *o = &setup->options;
	uint32_t place = 0;
	int r;

	pool->supervisor = s;
	pool->setup = setup;
	pool->options = o;
	pool->cgroup.fd = -1;
	pool->stats_page = shared_stats_page(s->config.shared, setup->number);
	sizing_init(&pool->size, setup->own.scaling == BROOD_FIXED, setup->own.workers_min,
		o->workers, setup->own.spare, setup->own.idle_ms);
	atomic_store(&pool->stats_page->workers, pool->size.target);
	reload_prepare(pool);
	slots_init(&pool->slots);
	list_init(&pool->leases.granted);
	list_init(&pool->leases.recalled);
	list_init(&pool->leases.untold);
	copies_prepare(pool);
	renew_prepare(pool);
	timer_init(&pool->leases.timer, lease_share_fired);
	timer_init(&pool->size_timer, size_timer_fired);
	timer_init(&pool->cores.timer, pool_cores_fired);
	backoff_init(&pool->backoff, o->backoff_min_ms, o->backoff_max_ms, o->start_limit,
		now_ns() ^ (uint64_t)getpid());
	r = prepare_records(pool);
	if (r < 0)
		return r;
	pool->places = setup->places;
	pool->slot_array = calloc(pool->places, sizeof *pool->slot_array);
	if (!pool->slot_array)
		return -ENOMEM;
	for_each_slot(slot, pool) slot_prepare(pool, slot, place++);
	return 0;
}

static int pools_prepare(struct supervisor *s)
{
	const struct pool_setups *setups = &s->config.pools;

	s->pools = calloc(setups->count, sizeof *s->pools);
	if (!s->pools)
		return -ENOMEM;
	for_each_setup(setup, setups)
	{
		int r = pool_prepare(s, &s->pools[s->pools_count++], setup);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Counts all timers: the loop gets room for each, so that setting a timer never fails. */
static size_t timers_count(struct supervisor *s)
{
	size_t count = 27 + CONTROL_CONNECTIONS + s->config.records;

	for_each_pool(pool, s) count += 6 * (size_t)pool->places + 4;
	return count;
}

static void timers_prepare(struct supervisor *s)
{
	timer_init(&s->spawn_timer, spawn_timer_fired);
	timer_init(&s->retry_timer, notes_retry_fired);
	timer_init(&s->engine.stop_timer, stop_signal_force_fired);
	timer_init(&s->engine.eof_timer, engine_peer_eof_fired);
	timer_init(&s->engine.signal_timer, stop_signal_pass_fired);
	timer_init(&s->held.timer, twice_fired);
	timer_init(&s->guard.respawn, guard_peer_respawn_fired);
	timer_init(&s->spawner.respawn, spawner_peer_respawn_fired);
	timer_init(&s->spawner.answer, spawner_peer_silent_fired);
	timer_init(&s->halt_timer, stop_timer_fired);
	timer_init(&s->sweep_timer, strays_sweep_fired);
	timer_init(&s->fold_timer, logging_fold_fired);
	timer_init(&s->resolver.timer, resolver_fired);
	timer_init(&s->cgroups.again, cgroups_again_fired);
	timer_init(&s->feed.timer, feed_fired);
	timer_init(&s->tails.again, tails_again_fired);
	timer_init(&s->tails.relay.again, relay_again_fired);
	control_peer_prepare(s);
	memory_pressure_prepare(s);
	timer_init(&s->manager.tick, manager_text_tick);
}

int supervisor_prepare(const struct supervisor_config *config, struct supervisor **ret)
{
	const struct brood_options *o = config->options;
	const struct journal_stream stream = journal_stream(getenv("JOURNAL_STREAM"));
	struct supervisor *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return -ENOMEM;
	s->config = *config;
	s->options = o;
	list_init(&s->touched);
	s->stats_page = config->shared->stats_page;
	s->signal_fd = s->engine.pidfd = s->guard.pidfd = s->loop.epoll_fd = -1;
	s->spawner.pidfd = s->spawner.fd = s->resolver.pidfd = -1;
	s->stdlog.fd = s->stdlog.journal.fd = s->tails.epoll_fd = -1;
	s->way = (enum process_spawn)o->spawn;
	source_init(&s->engine.death);
	source_init(&s->engine.channel);
	source_init(&s->guard.death);
	source_init(&s->spawner.death);
	source_init(&s->spawner.channel);
	source_init(&s->resolver.death);
	source_init(&s->signals);
	source_init(&s->notifier.room);
	source_init(&s->tails.readable);
	source_init(&s->tails.relay.room);
	list_init(&s->called);
	list_init(&s->cgroups.left);
	timers_prepare(s);
	r = pools_prepare(s);
	if (r == 0)
		r = loop_init(&s->loop, timers_count(s));
	s->loop.settle = notes_settle;
	if (r == 0)
		r = tails_prepare(s);
	if (r == 0)
		r = signal_source_prepare(s);
	if (r < 0) {
		supervisor_free(s);
		return r;
	}
	fold_init(&s->fold, 5, 10 * NS_PER_S);
	stdlog_open(&s->stdlog, &stream);
	*ret = s;
	return 0;
}

/*
 * Closes fds and restores signals, which the engine must not keep. The supervisor's memory is not
 * freed: a fork's copy of it costs nothing until somebody writes there.
 */
void supervisor_leave(struct supervisor *s)
{
	s->loop.epoll_fd = close_fd(s->loop.epoll_fd);
	s->signal_fd = close_fd(s->signal_fd);
	s->tails.epoll_fd = close_fd(s->tails.epoll_fd);
	stdlog_close(&s->stdlog);
	close_fd(s->config.channel_fd);
	close_fd(s->config.log_fd);
	s->config.listening.fd = close_fd(s->config.listening.fd);
	notify_close(&s->config.notify);
	s->config.delegated->fd = close_fd(s->config.delegated->fd);
	signals_restore(&s->config.signals);
}

struct supervisor *supervisor_free(struct supervisor *s)
{
	if (!s)
		return NULL;
	loop_close(&s->loop);
	close_fd(s->tails.epoll_fd);
	if (s->signal_fd >= 0) {
		close_fd(s->signal_fd);
		signals_restore(&s->config.signals);
	}
	stdlog_close(&s->stdlog);
	if (s->pools_count > 0)
		records_free(&s->pools[0].records);
	tails_free(s);
	for_each_pool(pool, s) free(pool->slot_array);
	free(s->pools);
	free(s);
	return NULL;
}

static void close_the_rest(struct supervisor *s)
{
	int keep[FDS_KEEP_MAX];
	size_t n = 0;

	stale_take_places(&s->config.stale);
	n += stale_keep_in_supervisor(&s->config.stale, keep);
	for (size_t i = 0; i < s->options->keep_fds_count; i++)
		keep[n++] = s->options->keep_fds[i];
	n += kept_find(&s->config.kept, NULL, keep + n, KEPT_MAX);
	keep[n++] = s->loop.epoll_fd;
	keep[n++] = s->tails.epoll_fd;
	keep[n++] = s->signal_fd;
	keep[n++] = s->config.channel_fd;
	keep[n++] = s->config.log_fd;
	keep[n++] = s->config.notify.fd;
	keep[n++] = s->config.delegated->fd;
	keep[n++] = s->config.shared->status_fd;
	keep[n++] = s->config.listening.fd;
	keep[n++] = s->engine.pidfd;
	if (s->stdlog.own)
		keep[n++] = s->stdlog.fd;
	keep[n++] = s->stdlog.journal.fd;
	fds_close_all_but(keep, n);
}

/* Logs how many files of the start have no stand-in in workers (os/stale.h): usually none. */
static void say_unguarded(struct supervisor *s)
{
	size_t high = s->config.stale.high, crowded = s->config.stale.crowded;

	if (high + crowded == 0)
		return;
	plain_log(s, BROOD_NOTICE, BROOD_EVENT_RESOURCE,
		"of the files that were open at the start, %zu are closed in workers without a "
		"stand-in (%zu have a number above 1023, for %zu more RLIMIT_NOFILE has no room): "
		"a library that remembers such a number may write into another file there",
		high + crowded, high, crowded);
}

static void say_all(
	struct supervisor *s, enum brood_level level, const char *const *lines, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (lines[i] && *lines[i])
			plain_log(s, level, BROOD_EVENT_RESOURCE, "%s", lines[i]);
}

static void limits_and_marks(struct supervisor *s)
{
	size_t hard,
		stale = stale_open(&s->config.stale) + s->config.kept_room +
		(s->config.listening.fd >= 0 ? CONTROL_FILES : 0);
	size_t need = birth_files_needed(&s->config.pools) + stale;
	int own;

	getrlimit(RLIMIT_NOFILE, &s->birth.nofile);
	getrlimit(RLIMIT_CORE, &s->core);
	/* the start has checked this limit; if raising it fails now, births fail and wait */
	fds_raise_limit(need, &hard);
	fds_raise_limit(job_room_limit(&s->config.pools, stale, s->birth.nofile.rlim_max), &hard);
	s->oom_mark = -1;
	if (proc_oom_score_adj(0, &own) == 0 && own < 1000)
		s->oom_mark = MIN(own + PROC_OOM_MARK, 1000);
	mark_make();
}

static void prepare_births(struct supervisor *s)
{
	struct birth *b = &s->birth;

	b->pools = &s->config.pools;
	b->shared = s->config.shared;
	b->supervisor_pid = s->pid;
	b->oom_score_adj = s->oom_mark < 0 ? -1001 : s->oom_mark;
	b->signals = &s->config.signals;
	b->standard = s->config.standard;
	b->stale = s->config.stale;
	b->worker_main = s->config.worker_main;
	b->worker_image = s->config.worker_image;
}

static void watch_or_die(struct supervisor *s, struct source *source, int fd, source_fn *on)
{
	/*
	 * A supervisor that cannot watch the engine is worse than none. No worker is born yet, so
	 * nothing of a job is lost.
	 */
	if (fd >= 0 && loop_add(&s->loop, source, fd, EPOLLIN, on) < 0) {
		process_signal(s->engine.pidfd, s->engine.pid, SIGKILL);
		stderr_log(s, BROOD_ERR, BROOD_EVENT_RESOURCE, 0,
			"the supervisor cannot watch the engine: both end");
		_exit(EXIT_FAILURE);
	}
}

static void __attribute__((noreturn)) exit_like_engine(struct supervisor *s)
{
	const struct process_exit *e = &s->engine.exit;
	int code = start_fails_code(s);

	if (code > 0)
		_exit(code);
	if (s->engine.ended && (e->code == CLD_KILLED || e->code == CLD_DUMPED))
		signals_die_like(e->status);
	_exit(s->engine.ended ? e->status : EXIT_FAILURE);
}

void supervisor_run(struct supervisor *s, pid_t engine_pid, int engine_pidfd)
{
	struct proc_stat engine;

	s->pid = getpid();
	closing_by(CLOSING_CHILD, s->config.shared->tally->closers[0]);
	s->engine.pid = engine_pid;
	s->engine.pidfd = engine_pidfd;
	if (proc_stat(engine_pid, &engine) == 0)
		s->engine.start_ticks = engine.start_ticks;
	limits_and_marks(s);
	close_the_rest(s);
	prepare_births(s);
	say_unguarded(s);
	say_all(s, BROOD_WARNING, s->config.tight, ARRAY_SIZE(s->config.tight));
	say_all(s, BROOD_NOTICE, s->config.hazards, ARRAY_SIZE(s->config.hazards));
	cgroups_begin(s);
	memory_pressure_begin(s);
	process_set_subreaper();
	pids_begin();
	title_set("supervisor");
	last_words_prepare(s->config.shared, "supervisor",
		s->options->title ? s->options->title : program_invocation_short_name);
	s->config.shared->roster->engine_born_ticks = proc_boot_ticks();
	atomic_store(&s->config.shared->roster->engine_pid, engine_pid);
	watch_or_die(s, &s->signals, s->signal_fd, signal_source_readable);
	watch_or_die(s, &s->engine.death, s->engine.pidfd, engine_peer_death);
	watch_or_die(s, &s->engine.channel, s->config.channel_fd, engine_peer_readable);
	control_peer_start(s);
	manager_start(s);
	feed_start(s);
	status_page_start(s);
	guard_peer_spawn(s);
	spawner_peer_spawn(s);
	note(s, NOTE_BIRTH | NOTE_GAUGES | NOTE_POOL);
	engine_peer_stop_if_ended(s); /* the engine may have ended before the loop watched it */
	if (loop_run(&s->loop) < 0) {
		plain_log(s, BROOD_ERR, BROOD_EVENT_RESOURCE,
			"the supervisor's event loop failed; it ends, and all with it");
		feed_trigger(s, "the supervisor's event loop failed");
	}
	logging_flush(s);
	relay_end(s);
	control_peer_end(s);
	exit_like_engine(s);
}
