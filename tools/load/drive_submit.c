/* SPDX-License-Identifier: MIT */
/*
 * drive_submit.c - ids now, results later: each thread fills a queue of its own and takes the
 * results in batches.
 *
 * At a million jobs a second, the work done here for one job costs as much as the library itself.
 * So nothing is allocated, and the clock is read once for a batch of results and once for a batch
 * of small jobs. Most results are as usual: the job is done, every field is right, and so is every
 * byte of the reply. as_usual() recognizes such a result, which is then counted at once.
 * drive_verdict() judges every other result and says what is wrong with it.
 *
 * A job's context is the number of its place, not a pointer: the number is checked before use.
 */
#include "load.h"
#include "plant.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BATCH       256
#define LOOK_MS     1000 /* between two searches for overdue jobs */
#define REFUSED_MS  2
#define CLOCK_EVERY 32   /* jobs given, until the clock is read again in an open loop */
#define LARGE       4096 /* a request of so many bytes takes time: then the clock is read again */

struct place {
	struct load_job job;
	bool out;
};

struct line {
	struct driver *driver;
	struct brood_queue *queue;
	struct place *places;
	uint32_t *free; /* numbers of places; the one freed last is used first */
	unsigned free_count, active;
	uint64_t look_ns; /* when to search for overdue jobs next */
	bool over, refused;
	bool clock_old; /* a large request was made since the clock was read */
	unsigned char *request;
};

static bool as_usual(const struct driver *d, const struct load_job *job,
	const struct brood_result *r, uint64_t now)
{
	const struct brood_verdict *v = &r->verdict;
	const struct work *work = job_work(job->kind, true);

	return v->id == job->id && v->outcome == BROOD_DONE &&
		!((unsigned)v->detail | (unsigned)v->code | (unsigned)v->signal |
			(unsigned)v->core | v->left) &&
		now < job->start_ns + CHAOS_LATE_NS && pools_right(d, v) && v->started &&
		v->attempts && v->pid > 0 && v->generation && v->slot < d->engine->slots &&
		v->path < PATHS && d->engine->paths >> v->path & 1 && v->size == sizeof *v &&
		!memcmp(v->name, work->name, work->name_size) &&
		(job->kind == KIND_ECHO || job->kind == KIND_NOP) && r->reply_size == job->size &&
		v->reply_size == job->size && payload_same(job->key, 0, r->reply, job->size);
}

static void count_usual(
	struct driver *d, const struct load_job *job, const struct brood_verdict *v, uint64_t now)
{
	drive_lock(d);
	drive_keep(d, v->id);
	d->shard->verdicts[job->kind][BROOD_DONE]++;
	d->shard->told[BROOD_DONE][BROOD_DETAIL_NONE]++;
	d->shard->paths[v->path]++;
	times_add(&d->shard->times, v);
	pacer_verdict(d, job, now);
	series_ended(d->shard->series, now, BROOD_DONE, now - job->planned_ns);
	drive_unlock(d);
}

static void give_back(struct line *l, uint32_t number)
{
	l->places[number].out = false;
	l->free[l->free_count++] = number;
	l->active--;
}

static void look_at_result(struct line *l, const struct brood_result *r, uint64_t now)
{
	struct driver *d = l->driver;
	uintptr_t number = (uintptr_t)r->context;
	struct reply reply = { .size = r->reply_size, .judged = true };
	struct load_job *job;

	if (number >= d->concurrency || !l->places[number].out) {
		drive_stray(d, &r->verdict);
		return;
	}
	job = &l->places[number].job;
	if (as_usual(d, job, r, now)) {
		count_usual(d, job, &r->verdict, now);
	} else {
		reply.intact = !reply.size ||
			payload_same(job->key, 0, r->reply,
				reply.size < job->size ? (size_t)reply.size : job->size);
		if (!r->reply && r->verdict.reply_size)
			reply.judged = !chaos_reply_lost(d, job);
		if (!drive_verdict(d, job, &r->verdict, &reply))
			return;
	}
	give_back(l, (uint32_t)number);
}

/* False: the job was refused, or the run broke off. */
static bool give_one(struct line *l, uint64_t now)
{
	struct driver *d = l->driver;
	uint32_t number = l->free[l->free_count - 1];
	struct place *p = &l->places[number];
	int r;

	drive_make(d, &p->job, now);
	pacer_sent(d, &p->job);
	l->clock_old = p->job.size >= LARGE;
	payload_fill(p->job.key, 0, l->request, p->job.size);
	d->options.context = (void *)(uintptr_t)number;
	/* Only bad jobs read their argument. */
	d->options.arg = p->job.kind >= KIND_CRASH ? &p->job.arg : NULL;
	d->options.arg_size = p->job.kind >= KIND_CRASH ? sizeof p->job.arg : 0;
	r = plant_submit(d, &p->job, l->request, &p->job.id);
	if (r == -EAGAIN || chaos_is_short(r)) {
		drive_refused(d, &p->job, r);
		l->refused = true;
		return false;
	}
	if (r < 0) {
		engine_failed(d->engine, "brood_submit()", r);
		return false;
	}
	l->free_count--;
	l->active++;
	p->out = true;
	return true;
}

static void give_some(struct line *l)
{
	struct driver *d = l->driver;
	uint64_t now;

	if (!l->free_count || l->over)
		return;
	now = load_now();
	l->refused = false;
	l->over = drive_over(d, now);
	for (unsigned given = 1; l->free_count && !l->over && pacer_due(d, now); given++) {
		if (!give_one(l, now))
			break;
		if (l->clock_old || (d->pacer && given % CLOCK_EVERY == 0))
			now = load_now();
		l->over = d->pacer ? drive_over(d, now) : !d->jobs_left;
	}
}

static void look_for_overdue(struct line *l, uint64_t now)
{
	l->look_ns = now + LOOK_MS * NS_MS;
	for (uint32_t i = 0; i < l->driver->concurrency; i++) {
		struct place *p = &l->places[i];

		if (!p->out || now < p->job.start_ns + l->driver->engine->bound_ns)
			continue;
		drive_overdue(l->driver, &p->job, "no verdict within its bound");
		give_back(l, i);
	}
}

/*
 * For want of an event to wait for: no job is out, or no worker is there, or Brood refused a job.
 */
static void pause_for(unsigned ms)
{
	const struct timespec pause = { .tv_nsec = ms * (long)NS_MS };

	nanosleep(&pause, NULL);
}

static int wait_for_results(struct line *l)
{
	return l->active ? brood_queue_wait(l->queue, l->refused ? REFUSED_MS : LOOK_MS) : 0;
}

/*
 * A wait of the library has a bound in milliseconds, which is too coarse for a plan. So the queue's
 * fd is polled, once there was nothing to take.
 */
static void wait_paced(struct line *l)
{
	bool may_send = l->free_count && !l->over && !l->refused;
	int r = pacer_poll(
		l->driver, brood_queue_fd(l->queue), may_send, l->refused ? REFUSED_MS : LOOK_MS);

	if (r > 0)
		brood_queue_dispatch(l->queue);
}

/*
 * In a closed loop it waits before it takes. With a result there, the wait returns at once; without
 * one, the wait saves a useless take.
 */
static void take_some(struct line *l)
{
	const struct brood_result *results[BATCH + 1];
	int r = l->driver->pacer ? 0 : wait_for_results(l);
	int n = plant_take(l->queue, results, BATCH);
	uint64_t now = load_now();

	if (n > 0)
		drive_completed(l->driver, now);
	for (int i = 0; i < n; i++)
		look_at_result(l, results[i], now);
	if (n <= 0 && l->driver->pacer)
		wait_paced(l);
	else if (n <= 0 && r <= 0 && r != -ETIMEDOUT)
		pause_for(REFUSED_MS);
	if (now >= l->look_ns)
		look_for_overdue(l, now);
}

static bool prepare(struct line *l)
{
	struct driver *d = l->driver;
	const struct brood_queue_options options = {
		.size = sizeof options, .jobs = d->concurrency, .pool = d->options.pool
	};

	l->places = calloc(d->concurrency, sizeof *l->places);
	l->free = calloc(d->concurrency, sizeof *l->free);
	l->request = malloc(d->engine->options->size_max + 8);
	if (!l->places || !l->free || !l->request) {
		engine_break_off(d->engine, "no memory for %u jobs", d->concurrency);
		return false;
	}
	if (brood_queue_new(d->engine->brood, &options, &l->queue) < 0) {
		engine_break_off(d->engine, "brood_queue_new(): %s", brood_error());
		return false;
	}
	d->options.queue = l->queue;
	d->options.flags = BROOD_JOB_MORE; /* true for every job here: a take follows each batch */
	for (l->free_count = 0; l->free_count < d->concurrency; l->free_count++)
		l->free[l->free_count] = d->concurrency - 1 - l->free_count;
	return true;
}

void *drive_submit(void *driver)
{
	struct line l = { .driver = driver, .look_ns = load_now() + LOOK_MS * NS_MS };

	if (prepare(&l)) {
		do {
			give_some(&l);
			take_some(&l);
		} while (l.active || (!l.over && !drive_over(l.driver, load_now())));
	}
	l.queue = brood_queue_free(l.queue);
	free(l.places);
	free(l.free);
	free(l.request);
	return NULL;
}
