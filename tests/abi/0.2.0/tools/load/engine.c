/*
 * engine.c - the process under load: starts the pool, lets its threads drive, watches the counters, stops.
 *
 * The main thread gives no jobs. While the others drive it sleeps on the `births` futex, which new workers (and the
 * judge, after a kill) wake; then it looks at the counters to see whether a killed worker's place has a ready worker
 * again. Others may have died meanwhile, so "all places are ready" would be too much to ask: deaths and replacements are
 * paired in their order. When N had died with this one, it is replaced when ready + died has come to workers + N.
 */
#include "load.h"
#include "plant.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#define FDS_MAX      65536
#define LOOK_NS      (100 * NS_MS)       /* between two looks at the counters when nothing happens */
#define CLOSE_NS     (200 * NS_US)       /* the same while a killed worker is not yet replaced */
#define FAR_NS       (5 * NS_MS)         /* the same when that takes long */
#define REFILL_NS    (10 * NS_S)         /* for the pool to be full again after the load; for each worker, and for a backoff, more */
#define PENDING_MAX  KILLS_MAX
#define STACK_SIZE   (256u << 10)

struct pending {
	struct killed killed;
	bool reaped;                     /* seen to be gone; its death may not stand in the counters yet */
	uint64_t died;                   /* N; 0: not known yet */
};
struct monitor {
	struct engine *engine;
	uint32_t taken;                  /* from the judge's ring of kills */
	struct pending pending[PENDING_MAX];
	unsigned pending_count;
};

struct fd_set_seen { bool open[FDS_MAX]; int count, eventfds; };

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

	/* Killed by plan: it takes this process with it, which may see that it is gone just before. */
	if (error == -ENOTCONN && e->options->kill_supervisor_at >= 0)
		nanosleep(&end, NULL);
	engine_break_off(e, "%s: %s", call, brood_error());
}

/* ---- fds ---------------------------------------------------------------------------------------------------------- */

static void fd_name(int fd, char *name, size_t size)
{
	char path[40];
	ssize_t n;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	n = readlink(path, name, size - 1);
	name[n > 0 ? n : 0] = 0;
}

static void look_at_fds(struct fd_set_seen *seen)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	char name[64];

	memset(seen, 0, sizeof *seen);
	while (dir && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] == '.' || fd == dirfd(dir) || fd >= FDS_MAX)
			continue;
		fd_name(fd, name, sizeof name);
		seen->open[fd] = true;
		seen->count++;
		seen->eventfds += !strcmp(name, "anon_inode:[eventfd]");
	}
	if (dir)
		closedir(dir);
}

/*
 * What there is more than at the warm start. The library may keep one eventfd for each thread that ever waited, for the
 * next one: those are not counted.
 */
static void compare_fds(const struct engine *e, const struct fd_set_seen *before, const struct fd_set_seen *after)
{
	struct tally_engine *te = &e->tally->engine;
	int kept = after->eventfds - before->eventfds, most = (int)e->options->threads + 1;
	size_t used = 0;

	if (kept < 0)
		kept = 0;
	te->fds_more = after->count - before->count - (kept < most ? kept : most);
	for (int fd = 0; te->fds_more > 0 && fd < FDS_MAX && used + 1 < sizeof te->fd_names; fd++) {
		char name[64];

		if (!after->open[fd] || before->open[fd])
			continue;
		fd_name(fd, name, sizeof name);
		if (strcmp(name, "anon_inode:[eventfd]") || kept > most)
			used += (size_t)snprintf(te->fd_names + used, sizeof te->fd_names - used, "%s%d %s", used ? ", " : "", fd, name);
	}
}

/* Each open job is an fd here; the library has a few for each thread, and for each worker on lease. */
static void raise_fd_limit(const struct options *o)
{
	struct rlimit limit;
	rlim_t need = (rlim_t)o->concurrency * 3 + o->threads * 4 + (rlim_t)o->workers * 6 + 256;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= need)
		return;
	limit.rlim_cur = need < limit.rlim_max ? need : limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* ---- the monitor -------------------------------------------------------------------------------------------------- */

static void look_at_stats(struct engine *e)
{
	struct brood_stats stats;

	if (!e->brood || brood_stats(e->brood, &stats) < 0)
		return;
	e->tally->engine.stats = stats;
	atomic_store(&e->tally->engine.ready, stats.ready);
}

static void take_kills(struct monitor *m)
{
	struct tally_judge *j = &m->engine->tally->judge;
	uint32_t kills = atomic_load(&j->kills);

	for (; m->taken != kills && m->pending_count < PENDING_MAX; m->taken++)
		m->pending[m->pending_count++] = (struct pending){ .killed = j->ring[m->taken % KILLS_MAX] };
}

static bool is_replaced(struct pending *p, const struct brood_stats *stats)
{
	if (!p->reaped)
		p->reaped = kill(p->killed.pid, 0) < 0 && errno == ESRCH;
	else if (!p->died)
		p->died = stats->died;
	return p->died && stats->ready + stats->died >= stats->workers + p->died;
}

static void look_at_kills(struct monitor *m)
{
	struct tally *t = m->engine->tally;
	uint64_t now;

	take_kills(m);
	if (!m->pending_count)
		return;
	look_at_stats(m->engine);
	now = load_now();
	for (unsigned i = 0; i < m->pending_count;) {
		if (!is_replaced(&m->pending[i], &t->engine.stats)) {
			i++;
			continue;
		}
		histogram_add(t->engine.death_to_ready, now - m->pending[i].killed.when_ns);
		m->pending[i] = m->pending[--m->pending_count];
	}
}

static void monitor_run(struct monitor *m)
{
	struct engine *e = m->engine;
	struct tally *t = e->tally;
	uint64_t looked = 0;

	while (atomic_load(&e->running)) {
		uint32_t births = atomic_load(&t->births);
		uint64_t now = load_now(), wait = LOOK_NS;

		look_at_kills(m);
		if (now >= looked + LOOK_NS) {
			look_at_stats(e);
			looked = now;
		}
		if (m->pending_count)
			wait = now > m->pending[0].killed.when_ns + LOOK_NS ? FAR_NS : CLOSE_NS;
		futex_wait(&t->births, births, wait);
	}
}

/* ---- the run ------------------------------------------------------------------------------------------------------ */

static void *driver_main(void *driver)
{
	static void *(*const ways[WAYS])(void *driver) = { drive_call, drive_open, drive_submit, drive_fork };
	struct driver *d = driver;
	struct engine *e = d->engine;

	ways[e->options->way](d);
	atomic_fetch_sub(&e->running, 1);
	futex_wake(&e->tally->births);
	return NULL;
}

static void set_draws(struct engine *e)
{
	double sum = 0, all = 0;

	for (unsigned k = 0; k < KINDS; k++)
		all += e->options->mix[k];
	for (unsigned k = 0; k < KINDS; k++) {
		if (e->options->mix[k] <= 0)
			continue;
		sum += e->options->mix[k];
		e->draws[e->draws_count].kind = (enum kind)k;
		e->draws[e->draws_count++].below = sum < all ? (uint64_t)(sum / all * 0x1p64) : UINT64_MAX;
	}
}

/* Shares of the concurrency and of the jobs, that differ by one at most. */
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
	d->stream = payload_mix(o->seed ^ (uint64_t)(index + 1) << 40);
	d->options.size = sizeof d->options;
	d->options.run_ms = options_run_ms(o);
	d->options.dispatch = o->dispatch;
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
			engine_break_off(e, "eventfd() for thread %u of %u: %s", i + 1, o->threads, strerror(errno));
	}
	e->drivers_count = o->threads;
	atomic_store(&e->running, o->threads);
}

/* Returns how many run. */
static unsigned start_drivers(struct engine *e)
{
	unsigned started = 0, threads = e->options->threads;
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	for (; started < threads && !atomic_load(&e->broken); started++) {
		int r = pthread_create(&e->drivers[started].thread, &attributes, driver_main, &e->drivers[started]);

		if (r) {
			engine_break_off(e, "thread %u of %u: %s; give a smaller -c or -t", started + 1, threads, strerror(r));
			break;
		}
	}
	pthread_attr_destroy(&attributes);
	atomic_fetch_sub(&e->running, threads - started);
	return started;
}

static void load_pool(struct engine *e)
{
	struct monitor *m = calloc(1, sizeof *m);
	unsigned started;

	e->drivers = calloc(e->options->threads, sizeof *e->drivers);
	if (!m || !e->drivers) {
		engine_break_off(e, "no memory for %u threads", e->options->threads);
		free(m);
		return;
	}
	m->engine = e;
	make_drivers(e);
	plant_engine(e->tally);
	atomic_store(&e->tally->engine.run_start_ns, load_now());
	if (e->options->duration_s > 0)
		e->end_ns = load_now() + (uint64_t)(e->options->duration_s * (double)NS_S);
	notify(e->tally, PHASE_RUN);
	started = start_drivers(e);
	monitor_run(m);
	for (unsigned i = 0; i < started; i++)
		pthread_join(e->drivers[i].thread, NULL);
	atomic_store(&e->tally->engine.run_end_ns, load_now());
	for (unsigned i = 0; i < e->drivers_count; i++) {
		if (e->drivers[i].poke_fd >= 0)
			close(e->drivers[i].poke_fd);
	}
	free(e->drivers);
	free(m);
}

/* Blocked in one call, without a wake-up, unless the user ends it. */
static void idle(struct engine *e)
{
	uint64_t now = load_now(), end = now + (uint64_t)(e->options->idle_s * (double)NS_S);

	atomic_store(&e->tally->engine.run_start_ns, now);
	notify(e->tally, PHASE_RUN);
	for (; now < end && !atomic_load(&e->tally->judge.stop); now = load_now())
		futex_wait(&e->tally->judge.stop, 0, end - now);
	atomic_store(&e->tally->engine.run_end_ns, now);
}

/* The judge sends no more kills in this phase. */
static void refill(struct engine *e)
{
	struct tally_engine *te = &e->tally->engine;
	uint64_t end = load_now() + REFILL_NS + e->options->workers * (20 * NS_MS), now;

	notify(e->tally, PHASE_REFILL);
	futex_wait(&e->tally->judge.calm, 0, 5 * NS_S);
	for (;;) {
		look_at_stats(e);
		now = load_now();
		if (te->stats.ready == te->stats.workers && te->stats.workers == e->options->workers && !te->stats.busy && !te->stats.queued)
			break;
		if (te->stats.next_spawn_ms && end < now + te->stats.next_spawn_ms * NS_MS + NS_S)
			end = now + te->stats.next_spawn_ms * NS_MS + NS_S;
		if (now >= end || now >= atomic_load(&te->run_end_ns) + 60 * NS_S + e->options->workers * (20 * NS_MS))
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
		snprintf(e->tally->engine.nonsense, sizeof e->tally->engine.nonsense, "%s", log->text);
	if ((unsigned)log->event < COUNT_OF(e->tally->engine.logs))
		e->tally->engine.logs[log->event]++;
}

static int start(struct engine *e)
{
	const struct options *o = e->options;
	struct brood_options options = {
		.size = sizeof options, .flags = BROOD_NO_CORE, .workers = o->workers, .backlog = o->concurrency,
		.init_ms = plant_init_ms(), .worker_memory = o->mix[KIND_LEAK] > 0 ? WORKER_MEMORY : 0, .worker_init = jobs_worker_init,
		.log = log_line, .log_context = e, .title = e->tally->marker,
	};

	return brood_start(&options, &e->brood);
}

static int end_pool(struct engine *e)
{
	return e->brood ? brood_stop(e->brood) : 0;
}

static void stop(struct engine *e, const struct fd_set_seen *before)
{
	struct fd_set_seen *after = malloc(sizeof *after);

	notify(e->tally, PHASE_STOP);
	e->tally->engine.stop_result = end_pool(e);
	if (after) {
		look_at_fds(after);
		compare_fds(e, before, after);
	}
	free(after);
	notify(e->tally, PHASE_STOPPED);
	/* The judge looks at what is left of the tree while supervisor and engine still stand. */
	futex_wait(&e->tally->judge.looked, 0, 20 * NS_S);
}

/* The pool, ready; or the code to exit with. */
static int warm_up(struct engine *e)
{
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

/* No pool: this process forks for each job. It is of the engine's size, for it is the same program with the same load. */
static void warm_up_alone(struct engine *e)
{
	const struct rlimit none = { 0, 0 };

	atomic_store(&e->tally->engine.engine_pid, getpid());
	notify(e->tally, PHASE_WARM);
	raise_fd_limit(e->options);
	setrlimit(RLIMIT_CORE, &none);
}

static int engine_body(void *context)
{
	static struct fd_set_seen before;
	struct engine *e = context;
	int r = 0;

	if (e->options->way == WAY_FORK)
		warm_up_alone(e);
	else
		r = warm_up(e);
	if (r)
		return r;
	look_at_fds(&before);
	look_at_stats(e);
	if (e->options->idle_s >= 0)
		idle(e);
	else
		load_pool(e);
	if (e->brood)
		refill(e);
	stop(e, &before);
	return 0;
}

int engine_main(const struct options *o, struct tally *tally)
{
	static struct engine e;

	e.options = o;
	e.tally = tally;
	e.end_ns = UINT64_MAX;
	e.bound_ns = options_bound_ns(o);
	for (unsigned i = 0; i < SHARDS_MAX; i++)
		pthread_mutex_init(&e.locks[i], NULL);
	set_draws(&e);
	e.whole = o->way == WAY_SUBMIT || o->compare;
	e.paths = o->way == WAY_FORK ? 1u << BROOD_PATH_AUTO : o->dispatch ? 1u << o->dispatch : 1u << BROOD_PATH_HANDOFF | 1u << BROOD_PATH_LEASE;
	jobs_prepare(tally);
	return jobs_in_frame(engine_body, &e);
}
