/* SPDX-License-Identifier: MIT */
/*
 * engine.c - the process under load: starts the pool, lets its threads give jobs, watches the
 * counters, and stops the pool.
 *
 * The main thread gives no jobs. While the other threads do, it is the monitor (monitor.c).
 */
#include "control.h"
#include "load.h"
#include "monitor.h"
#include "open_files.h"
#include "peer.h"
#include "plant.h"
#include "user_job.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * How long the pool may take to be full again after the load. Each worker adds to this, and so does
 * a backoff.
 */
#define REFILL_NS  (10 * NS_S)
#define STACK_SIZE (256u << 10)

static void notify(struct tally *t, enum phase phase)
{
	atomic_store(&t->engine.phase, phase);
	kill(t->judge_pid, SIGUSR1);
}

void engine_break_off(struct engine *e, const char *format, ...)
{
	uint32_t none = 0;
	va_list args;

	if (!atomic_compare_exchange_strong(&e->broken, &none, 1))
		return;
	va_start(args, format);
	vsnprintf(e->tally->engine.trouble, sizeof e->tally->engine.trouble, format, args);
	va_end(args);
	atomic_store(&e->tally->engine.broke_off, 1);
}

void engine_failed(struct engine *e, const char *call, ssize_t error)
{
	const struct timespec end = { .tv_sec = 10 };

	/*
	 * With --kill-supervisor the engine dies with the supervisor. It may see the supervisor's
	 * death a moment before its own.
	 */
	if (error == -ENOTCONN && chaos_spec_has(&e->options->chaos, CHAOS_SUPERVISOR_KILL))
		nanosleep(&end, NULL);
	engine_break_off(e, "%s: %s", call, brood_error());
}

/* ---- fds ------------------------------------------------------------------------------------- */

/*
 * In this process each open job is an fd. The library needs a few more for each thread, and for
 * each worker on lease.
 */
static void raise_fd_limit(const struct options *o)
{
	struct rlimit limit;
	rlim_t need = (rlim_t)o->concurrency * 3 + o->threads * 4 + (rlim_t)o->workers * 6 + 256;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= need)
		return;
	limit.rlim_cur = need < limit.rlim_max ? need : limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* ---- the run --------------------------------------------------------------------------------- */

static void *driver_main(void *driver)
{
	static void *(*const ways[WAYS])(void *driver) = { drive_call, drive_open, drive_submit,
		drive_fork, drive_fork, peer_control, peer_fpm };
	struct driver *d = driver;
	struct engine *e = d->engine;

	pacer_thread(d);
	ways[e->options->way](d);
	pacer_leave(d);
	atomic_fetch_sub(&e->running, 1);
	futex_wake(&e->tally->births);
	return NULL;
}

/* Gives one thread its share of the concurrency and of the jobs. Shares differ by one at most. */
static void make_driver(struct engine *e, unsigned index)
{
	const struct options *o = e->options;
	struct driver *d = &e->drivers[index];

	d->engine = e;
	d->index = index;
	d->concurrency = o->concurrency / o->threads + (index < o->concurrency % o->threads);
	d->jobs_left = o->jobs ? o->jobs / o->threads + (index < o->jobs % o->threads) : UINT64_MAX;
	d->shard = &e->tally->shard[index % e->tally->shards];
	d->lock = o->threads > e->tally->shards ? &e->locks[index % e->tally->shards] : NULL;
	d->poke_fd = -1;
	pacer_join(d);
	d->options.size = sizeof d->options;
	d->options.run_ms = options_run_ms(o);
	d->options.dispatch = o->dispatch;
	d->options.pool = pools_of_thread(e, index);
	d->options.arg_size = sizeof(struct job_arg);
}

static void make_drivers(struct engine *e)
{
	const struct options *o = e->options;

	for (unsigned i = 0; i < o->threads; i++)
		make_driver(e, i);
	for (unsigned i = 0; i < o->threads && o->way == WAY_OPEN; i++) {
		e->drivers[i].poke_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (e->drivers[i].poke_fd < 0)
			engine_break_off(e, "eventfd() for thread %u of %u: %s", i + 1, o->threads,
				strerror(errno));
	}
	e->drivers_count = o->threads;
	atomic_store(&e->running, o->threads);
}

/* Returns how many threads run. */
static unsigned start_drivers(struct engine *e)
{
	unsigned started = 0, threads = e->options->threads;
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	for (; started < threads && !atomic_load(&e->broken); started++) {
		int r = pthread_create(&e->drivers[started].thread, &attributes, driver_main,
			&e->drivers[started]);

		if (r) {
			engine_break_off(e, "thread %u of %u: %s; give a smaller -c or -t",
				started + 1, threads, strerror(r));
			break;
		}
	}
	pthread_attr_destroy(&attributes);
	atomic_fetch_sub(&e->running, threads - started);
	return started;
}

static void begin_series(struct tally *t, uint64_t now)
{
	atomic_store(&t->engine.run_start_ns, now);
	series_pool_begin(t->engine.pool, now);
	for (unsigned s = 0; s < t->shards; s++)
		series_begin(t->shard[s].series, now);
}

static void load_pool(struct engine *e)
{
	struct monitor *m = monitor_new(e);
	struct control *control = NULL;
	unsigned started;

	e->drivers = calloc(e->options->threads, sizeof *e->drivers);
	plant_engine(e->tally);
	atomic_store(&e->tally->engine.run_start_ns, load_now());
	if (!m || !e->drivers || !pacer_begin(e)) {
		engine_break_off(e, "no memory for %u threads", e->options->threads);
		monitor_free(m);
		return;
	}
	make_drivers(e);
	begin_series(e->tally, load_now());
	notify(e->tally, PHASE_RUN);
	if (e->options->control && !(control = control_begin()))
		engine_break_off(e, "no room for --control: %s", strerror(errno));
	started = start_drivers(e);
	monitor_run(m);
	e->tally->engine.control_ns = control_end(control);
	for (unsigned i = 0; i < started; i++)
		pthread_join(e->drivers[i].thread, NULL);
	atomic_store(&e->tally->engine.run_end_ns, load_now());
	for (unsigned i = 0; i < e->drivers_count; i++) {
		if (e->drivers[i].poke_fd >= 0)
			close(e->drivers[i].poke_fd);
	}
	free(e->drivers);
	monitor_end(m);
	pacer_end(e);
	monitor_free(m);
}

/* Blocks in one call without a wake-up, unless the user ends the run. */
static void idle(struct engine *e)
{
	uint64_t now = load_now(), end = now + (uint64_t)(e->options->idle_s * (double)NS_S);

	atomic_store(&e->tally->engine.run_start_ns, now);
	notify(e->tally, PHASE_RUN);
	for (; now < end && !atomic_load(&e->tally->judge.stop); now = load_now())
		futex_wait(&e->tally->judge.stop, 0, end - now);
	atomic_store(&e->tally->engine.run_end_ns, now);
}

/* Waits until the pool is full again. In this phase the judge sends no more kills. */
static void refill(struct engine *e)
{
	struct tally_engine *te = &e->tally->engine;
	uint64_t end = load_now() + REFILL_NS + e->options->workers * (20 * NS_MS), now;

	notify(e->tally, PHASE_REFILL);
	futex_wait(&e->tally->judge.calm, 0, 5 * NS_S);
	for (;;) {
		monitor_look_at_stats(e);
		now = load_now();
		if (te->stats.ready == te->stats.workers &&
			te->stats.workers == e->options->workers && !te->stats.busy &&
			!te->stats.queued)
			break;
		if (te->stats.next_spawn_ms && end < now + te->stats.next_spawn_ms * NS_MS + NS_S)
			end = now + te->stats.next_spawn_ms * NS_MS + NS_S;
		if (now >= end ||
			now >= atomic_load(&te->run_end_ns) + 60 * NS_S +
					e->options->workers * (20 * NS_MS))
			break;
		poll(NULL, 0, 1);
	}
	atomic_store(&te->pool_full, te->stats.ready == e->options->workers);
	atomic_store(&te->pool_judged, 1);
}

static void log_line(void *context, const struct brood_log *log)
{
	struct engine *e = context;

	if (log->event == BROOD_EVENT_PROTOCOL && !e->tally->engine.logs[log->event])
		snprintf(e->tally->engine.nonsense, sizeof e->tally->engine.nonsense, "%s",
			log->text);
	if ((unsigned)log->event < COUNT_OF(e->tally->engine.logs))
		e->tally->engine.logs[log->event]++;
}

/*
 * disk-full comes as a limit on the size of files, and the kernel's signal for this limit ends a
 * process. A program that shall live with full disks ignores it, and so do its workers.
 */
static void full_files(const struct options *o, struct brood_options *options)
{
	static const int signals[] = { SIGXFSZ };

	if (!chaos_spec_has(&o->chaos, CHAOS_DISK_FULL))
		return;
	signal(SIGXFSZ, SIG_IGN);
	options->keep_signals = signals;
	options->keep_signals_count = COUNT_OF(signals);
}

static int start(struct engine *e)
{
	const struct options *o = e->options;
	struct brood_options options = {
		.size = sizeof options,
		.flags = BROOD_NO_CORE,
		.workers = o->workers,
		.backlog = o->concurrency,
		.init_ms = plant_init_ms(),
		.worker_memory = o->mix[KIND_LEAK] > 0 ? WORKER_MEMORY : 0,
		.worker_init = jobs_worker_init,
		.log = log_line,
		.log_context = e,
		.title = e->tally->marker,
	};

	full_files(o, &options);
	pools_add(e, &options);
	return brood_start(&options, &e->brood);
}

static int end_pool(struct engine *e)
{
	if (e->brood)
		return brood_stop(e->brood);
	peer_end(e);
	return 0;
}

static void stop(struct engine *e, const struct open_files *before)
{
	struct open_files *after = malloc(sizeof *after);

	notify(e->tally, PHASE_STOP);
	e->tally->engine.stop_result = end_pool(e);
	if (after) {
		open_files_look(after);
		open_files_compare(e, before, after);
	}
	free(after);
	notify(e->tally, PHASE_STOPPED);
	/* The judge looks at the process tree while supervisor and engine still stand. */
	futex_wait(&e->tally->judge.looked, 0, 20 * NS_S);
}

/* Returns 0 when the pool is ready, else the code to exit with. */
static int warm_up(struct engine *e)
{
	struct user_job_why why;

	if (e->options->user_job && user_job_open(e->options->user_job, &why) < 0) {
		engine_break_off(e, "%s", why.text);
		return 2;
	}
	if (start(e) < 0) {
		engine_break_off(e, "the pool could not be started: %s", brood_error());
		return 2;
	}
	atomic_store(&e->tally->engine.engine_pid, getpid());
	notify(e->tally, PHASE_WARM);
	raise_fd_limit(e->options);
	if (brood_wait_ready(e->brood, 60000 + e->options->workers * 20) < 0) {
		engine_break_off(e, "the pool did not get ready: %s", brood_error());
		return 2;
	}
	return 0;
}

/*
 * Without a pool: this process forks for each job. It has the engine's size, because it is the same
 * program with the same load.
 */
static int warm_up_alone(struct engine *e)
{
	const struct rlimit none = { 0, 0 };

	atomic_store(&e->tally->engine.engine_pid, getpid());
	notify(e->tally, PHASE_WARM);
	raise_fd_limit(e->options);
	setrlimit(RLIMIT_CORE, &none);
	return peer_begin(e) ? 2 : 0;
}

static int engine_body(void *context)
{
	static struct open_files before;
	struct engine *e = context;
	int r = 0;

	if (e->options->way >= WAY_FORK)
		r = warm_up_alone(e);
	else
		r = warm_up(e);
	if (r)
		return r;
	open_files_look(&before);
	monitor_look_at_stats(e);
	if (e->options->idle_s >= 0)
		idle(e);
	else
		load_pool(e);
	if (e->brood) {
		refill(e);
		counters_read(e);
	}
	stop(e, &before);
	return 0;
}

int engine_main(const struct options *o, struct tally *tally)
{
	static struct engine e;

	e.options = o;
	e.slots = o->workers;
	e.tally = tally;
	e.end_ns = UINT64_MAX;
	e.bound_ns = options_bound_ns(o);
	for (unsigned i = 0; i < SHARDS_MAX; i++)
		pthread_mutex_init(&e.locks[i], NULL);
	e.whole = o->way == WAY_SUBMIT || o->way >= WAY_FORK || o->compare;
	e.paths = o->way >= WAY_FORK ? 1u << BROOD_PATH_AUTO
		: o->dispatch        ? 1u << o->dispatch
				     : 1u << BROOD_PATH_HANDOFF | 1u << BROOD_PATH_LEASE;
	jobs_prepare(tally);
	return jobs_in_frame(engine_body, &e);
}
