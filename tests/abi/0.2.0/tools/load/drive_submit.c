/*
 * drive_submit.c - ids now, results later: each thread fills a queue of its own and takes what comes out, in batches.
 *
 * At a million jobs a second what is done for a job here is as much as what the library may cost, so: nothing is
 * allocated, the clock is read once for a batch of results and once for a batch of jobs, and a result that is exactly what
 * most are, done and right in every field and every byte of its reply, is seen to be that by as_usual() and counted at
 * once. Whatever is not goes the way of all others, drive_verdict(), which says what is wrong with it.
 *
 * A job's context is the number of its place, not a pointer: what comes back is checked before it is used.
 */
#include "load.h"
#include "plant.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BATCH      256
#define LOOK_MS    1000                  /* between two looks for what is overdue */
#define REFUSED_MS 2

struct place { struct load_job job; bool out; };

struct line {
	struct driver *driver;
	struct brood_queue *queue;
	struct place *places;
	uint32_t *free;                  /* numbers of places, the last given back first */
	unsigned free_count, active;
	uint64_t look_ns;                /* when to look for what is overdue */
	bool over, refused;
	unsigned char *request;
};

static bool as_usual(const struct driver *d, const struct load_job *job, const struct brood_result *r)
{
	const struct brood_verdict *v = &r->verdict;
	const struct work *work = job_work(job->kind, true);

	return v->id == job->id && v->outcome == BROOD_DONE && !((unsigned)v->detail | (unsigned)v->code | (unsigned)v->signal | (unsigned)v->core | v->left) &&
	       v->started && v->attempts && v->pid > 0 && v->generation && v->slot < d->engine->options->workers &&
	       v->path < PATHS && d->engine->paths >> v->path & 1 && v->size == sizeof *v && !memcmp(v->name, work->name, work->name_size) &&
	       (job->kind == KIND_ECHO || job->kind == KIND_NOP) && r->reply_size == job->size && v->reply_size == job->size &&
	       payload_same(job->key, 0, r->reply, job->size);
}

static void count_usual(struct driver *d, const struct load_job *job, const struct brood_verdict *v, uint64_t now)
{
	drive_lock(d);
	drive_keep(d, v->id);
	d->shard->verdicts[job->kind][BROOD_DONE]++;
	d->shard->paths[v->path]++;
	histogram_add(d->shard->latency[job->kind], now - job->start_ns);
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
	if (as_usual(d, job, r)) {
		count_usual(d, job, &r->verdict, now);
	} else {
		reply.intact = !reply.size || payload_same(job->key, 0, r->reply, reply.size < job->size ? (size_t)reply.size : job->size);
		if (!drive_verdict(d, job, &r->verdict, &reply))
			return;
	}
	give_back(l, (uint32_t)number);
}

/* False: refused. */
static bool give_one(struct line *l, uint64_t now)
{
	struct driver *d = l->driver;
	uint32_t number = l->free[l->free_count - 1];
	struct place *p = &l->places[number];
	int r;

	drive_make(d, &p->job, now);
	payload_fill(p->job.key, 0, l->request, p->job.size);
	d->options.context = (void *)(uintptr_t)number;
	/* Only they look at it. */
	d->options.arg = p->job.kind >= KIND_CRASH ? &p->job.arg : NULL;
	d->options.arg_size = p->job.kind >= KIND_CRASH ? sizeof p->job.arg : 0;
	r = plant_submit(d, &p->job, l->request, &p->job.id);
	if (r == -EAGAIN || r == -EMFILE || r == -ENFILE || r == -ENOMEM) {
		drive_refused(d, &p->job);
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
	uint64_t now;

	if (!l->free_count || l->over)
		return;
	now = load_now();
	l->refused = false;
	for (l->over = drive_over(l->driver, now); l->free_count && !l->over; l->over = !l->driver->jobs_left) {
		if (!give_one(l, now))
			break;
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

/* Nothing is out, or nobody is there, as far as the library knows; or it refused. */
static void pause_for(unsigned ms)
{
	const struct timespec pause = { .tv_nsec = ms * (long)NS_MS };

	nanosleep(&pause, NULL);
}

/* Waiting before taking: it does not sleep when something is there, and when nothing is, that is one look less. */
static void take_some(struct line *l)
{
	const struct brood_result *results[BATCH + 1];
	int r = l->active ? brood_queue_wait(l->queue, l->refused ? REFUSED_MS : LOOK_MS) : 0;
	int n = plant_take(l->queue, results, BATCH);
	uint64_t now = load_now();

	for (int i = 0; i < n; i++)
		look_at_result(l, results[i], now);
	if (n <= 0 && r <= 0 && r != -ETIMEDOUT)
		pause_for(REFUSED_MS);
	if (now >= l->look_ns)
		look_for_overdue(l, now);
}

static bool prepare(struct line *l)
{
	struct driver *d = l->driver;
	const struct brood_queue_options options = { .size = sizeof options, .jobs = d->concurrency };

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
	d->options.flags = BROOD_JOB_MORE;       /* each batch is followed by a take */
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
