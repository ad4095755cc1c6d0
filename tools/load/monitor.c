/* SPDX-License-Identifier: MIT */
/*
 * monitor.c - the engine's main thread while the others give jobs: it measures how long a killed
 * worker is missed, and makes the reloads and new sizes that the judge asks for (chaos.c).
 *
 * It sleeps on the futex `births`. New workers wake it, and so does the judge after an act. Then it
 * reads the counters to see whether the killed worker's slot has a ready worker again. "All slots
 * are ready" would be too strict, because other workers may have died meanwhile. So deaths and
 * replacements are paired in their order. Let N be the count of deaths that includes this one: the
 * worker is replaced when ready + died has reached workers + N.
 */
#include "load.h"
#include "monitor.h"

#include <errno.h>
#include <stdlib.h>

/* The longest time between two reads of the counters. */
#define LOOK_NS     (20 * NS_MS)
#define LONG_NS     (100 * NS_MS) /* from here on a replacement takes long */
#define CLOSE_NS    (200 * NS_US) /* the same, while a killed worker has no replacement yet */
#define FAR_NS      (5 * NS_MS)   /* the same, when the replacement takes long */
#define PENDING_MAX KILLS_MAX
#define RELOAD_MS   30000 /* for the last reload to end, after the load */

struct pending {
	struct killed killed;
	/* The process is gone. The counters may not include this death yet. */
	bool reaped;
	uint64_t died; /* N of the head comment; 0: not known yet */
};
struct monitor {
	struct engine *engine;
	uint32_t taken; /* how many entries of the judge's ring of kills were taken */
	struct pending pending[PENDING_MAX];
	unsigned pending_count;
	uint64_t reload; /* that goes on; 0: none */
	uint64_t reload_began_ns;
	uint32_t reloads, resizes; /* how many of those that the judge asked for were taken */
};

struct monitor *monitor_new(struct engine *e)
{
	struct monitor *m = calloc(1, sizeof *m);

	if (!m)
		return NULL;
	m->engine = e;
	return m;
}

void monitor_free(struct monitor *m) { free(m); }

/* ---- kills ----------------------------------------------------------------------------------- */

void monitor_look_at_stats(struct engine *e)
{
	struct series_sample sample;
	struct brood_stats stats;

	if (!e->brood || brood_stats(e->brood, &stats) < 0)
		return;
	e->tally->engine.stats = stats;
	sample = (struct series_sample){ .workers = stats.workers,
		.ready = stats.ready,
		.busy = stats.busy,
		.starting = stats.starting,
		.queued = stats.queued,
		.died = stats.died };
	series_pool_note(e->tally->engine.pool, load_now(), &sample);
	atomic_store(&e->tally->engine.ready, stats.ready);
}

static void take_kills(struct monitor *m)
{
	struct tally_judge *j = &m->engine->tally->judge;
	uint32_t kills = atomic_load(&j->kills);

	for (; m->taken != kills && m->pending_count < PENDING_MAX; m->taken++)
		m->pending[m->pending_count++] =
			(struct pending){ .killed = j->ring[m->taken % KILLS_MAX] };
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
	monitor_look_at_stats(m->engine);
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

/* ---- reloads and new sizes ------------------------------------------------------------------- */

static void reload_ended(struct monitor *m, int r)
{
	struct tally *t = m->engine->tally;
	uint32_t mark = atomic_load(&t->chaos.reload_mark);

	if (mark < CHAOS_MARKS_MAX)
		__atomic_store_n(&t->judge.marks[mark].until_ns, load_now(), __ATOMIC_SEQ_CST);
	t->engine.reloads += r == 0;
	m->reload = 0;
	atomic_fetch_add(&t->chaos.reloads_over, 1);
	if (r < 0 && !chaos_explains(m->engine, r, m->reload_began_ns))
		engine_failed(m->engine, "a reload", r);
}

static void reload_if_asked(struct monitor *m)
{
	struct engine *e = m->engine;
	uint32_t asked = atomic_load(&e->tally->chaos.reloads);
	int r = m->reload ? brood_reload_wait(e->brood, m->reload, 0) : 0;

	if (m->reload && r != -ETIMEDOUT)
		reload_ended(m, r);
	if (m->reload || m->reloads == asked)
		return;
	m->reloads = asked;
	m->reload_began_ns = load_now();
	r = brood_reload(e->brood, NULL, &m->reload);
	if (r < 0)
		reload_ended(m, r);
}

/* True: the pool has the new size. */
static bool resize(struct engine *e, unsigned workers)
{
	uint64_t since = load_now();
	int r = brood_pool_resize(brood_pool(e->brood, NULL), 0, workers);

	if (r < 0 && !chaos_explains(e, r, since))
		engine_failed(e, "brood_pool_resize()", r);
	return r == 0;
}

static void resize_if_asked(struct monitor *m)
{
	struct tally *t = m->engine->tally;
	uint32_t asked = atomic_load(&t->chaos.resizes);

	if (m->resizes == asked)
		return;
	m->resizes = asked;
	t->engine.resizes += resize(m->engine, atomic_load(&t->chaos.workers));
	atomic_fetch_add(&t->chaos.resizes_over, 1);
}

/* ---- all of it ------------------------------------------------------------------------------- */

/*
 * It looks many times a second. After a long gap the process was stopped, or got no CPU: then the
 * library could not tell verdicts in time.
 */
static void look_at_gap(struct engine *e, uint64_t now)
{
	uint64_t last = atomic_load(&e->monitor_ns);

	if (last && now > last + CHAOS_STILL_NS)
		atomic_store(&e->still_ns, now);
	atomic_store(&e->monitor_ns, now);
}

void monitor_run(struct monitor *m)
{
	struct engine *e = m->engine;
	struct tally *t = e->tally;
	uint64_t looked = 0;

	while (atomic_load(&e->running)) {
		uint32_t births = atomic_load(&t->births);
		uint64_t now = load_now(), wait = LOOK_NS;

		look_at_gap(e, now);
		look_at_kills(m);
		reload_if_asked(m);
		resize_if_asked(m);
		if (now >= looked + LOOK_NS) {
			monitor_look_at_stats(e);
			looked = now;
		}
		if (m->pending_count)
			wait = now > m->pending[0].killed.when_ns + LONG_NS ? FAR_NS : CLOSE_NS;
		if (m->reload && wait > FAR_NS)
			wait = FAR_NS;
		futex_wait(&t->births, births, wait);
	}
	atomic_store(&e->monitor_ns, 0);
	if (m->resizes && !atomic_load(&e->broken))
		resize(e, e->options->workers);
}

void monitor_end(struct monitor *m)
{
	if (m->reload && !atomic_load(&m->engine->broken))
		reload_ended(m, brood_reload_wait(m->engine->brood, m->reload, RELOAD_MS));
}
