/* SPDX-License-Identifier: MIT */
/*
 * pacer.c - see pacer.h.
 *
 * A sleep never ends before its time, but some time after it. So the pacer does not sleep from one
 * job to the next: it sleeps until a planned time on the clock, and then all jobs that are due are
 * sent. What one sleep is late does not add to the next.
 */
#include "pacer.h"
#include "load.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/prctl.h>

#define LOOK_NS     (100 * NS_MS) /* the longest sleep: the user may end the run meanwhile */
#define WARM_PART   10            /* the default warm-up: this part of the run, */
#define WARM_MOST_S 1.0           /* and so many seconds at most */
/* The plan begins so long after the threads are made, so that the first jobs are not late. */
#define BEGIN_NS        (2 * NS_MS)
#define BEGIN_THREAD_NS (50 * NS_US)

/* ---- the run --------------------------------------------------------------------------------- */

/* The length of the run, in seconds; 0: not known before the end. */
static double length_of(const struct options *o)
{
	double jobs = o->jobs && o->pacing.plan.stages ? pace_time(&o->pacing.plan, (double)o->jobs)
						       : 0;

	if (o->duration_s > 0 && jobs > 0)
		return o->duration_s < jobs ? o->duration_s : jobs;
	return o->duration_s > 0 ? o->duration_s : jobs;
}

/* Stages are there to be seen from their begin, so there is no warm-up. */
double pacer_warm_up(const struct options *o)
{
	double length = length_of(o);

	if (!o->pacing.plan.stages || pace_length(&o->pacing.plan) > 0)
		return 0;
	return length / WARM_PART < WARM_MOST_S ? length / WARM_PART : WARM_MOST_S;
}

/* Threads that block share a lane: a job must not wait for a thread while another one is free. */
static unsigned lanes_of(const struct options *o)
{
	return o->way == WAY_CALL || o->way == WAY_CONTROL || o->way == WAY_FPM ? 1 : o->threads;
}

static void make_lane(struct engine *e, unsigned lane, uint64_t begin_ns)
{
	const struct options *o = e->options;
	unsigned lanes = lanes_of(o);
	struct pacer *p = &e->pacers[lane];

	pthread_mutex_init(&p->lock, NULL);
	pace_begin(&p->pace, &o->pacing.plan, lane, lanes, o->seed);
	p->begin_ns = begin_ns;
	p->lane = lane;
	p->lanes = lanes;
	p->left = o->jobs ? o->jobs / lanes + (lane < o->jobs % lanes) : UINT64_MAX;
}

bool pacer_begin(struct engine *e)
{
	const struct options *o = e->options;
	uint64_t begin = load_now();

	if (o->pacing.plan.stages) {
		begin += BEGIN_NS + o->threads * BEGIN_THREAD_NS;
		e->pacers = calloc(lanes_of(o), sizeof *e->pacers);
		for (unsigned i = 0; e->pacers && i < lanes_of(o); i++)
			make_lane(e, i, begin);
		if (!e->pacers)
			return false;
	}
	e->warm_ns = begin + (uint64_t)(o->pacing.warm_up_s * (double)NS_S);
	e->end_ns = o->duration_s > 0 ? begin + (uint64_t)(o->duration_s * (double)NS_S)
				      : UINT64_MAX;
	atomic_store(&e->tally->engine.warm_ns, e->warm_ns);
	atomic_store(&e->tally->engine.due_end_ns, e->end_ns);
	return true;
}

/*
 * Whoever is free draws the next job of a shared lane. So the plan's number of a job says what the
 * job is, not the thread that draws it: one seed has the same jobs again.
 */
void pacer_join(struct driver *d)
{
	const struct engine *e = d->engine;
	unsigned lane = lanes_of(e->options) > 1 ? d->index : 0;

	if (!e->pacers)
		return;
	d->pacer = &e->pacers[lane];
	d->jobs_left = UINT64_MAX;
}

void pacer_end(struct engine *e)
{
	free(e->pacers);
	e->pacers = NULL;
}

/* ---- a thread -------------------------------------------------------------------------------- */

void pacer_thread(const struct driver *d)
{
	if (d->pacer)
		prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
}

static void draw(struct driver *d)
{
	struct pacer *p = d->pacer;
	struct pacer_ticket *t = &d->ticket;

	t->held = true;
	t->planned_ns = PACE_NEVER;
	pthread_mutex_lock(&p->lock);
	t->beyond = p->left && pace_next(&p->pace) != PACE_NEVER &&
		pace_next(&p->pace) >= d->engine->end_ns - p->begin_ns;
	if (t->beyond) {
		t->planned_ns = d->engine->end_ns;
	} else if (p->left && pace_next(&p->pace) != PACE_NEVER) {
		t->planned_ns = p->begin_ns + pace_next(&p->pace);
		t->number = p->pace.number * p->lanes + p->lane;
		pace_advance(&p->pace);
		p->left -= p->left != UINT64_MAX;
	}
	pthread_mutex_unlock(&p->lock);
}

bool pacer_due(struct driver *d, uint64_t now)
{
	if (!d->pacer)
		return true;
	if (!d->ticket.held)
		draw(d);
	return d->ticket.planned_ns <= now && !d->ticket.beyond;
}

/* Jobs of the last moment are sent a little after the end, so that they do not count as unsent. */
bool pacer_over(struct driver *d, uint64_t now)
{
	if (!d->ticket.held)
		draw(d);
	return d->ticket.planned_ns == PACE_NEVER ||
		(d->ticket.beyond && d->ticket.planned_ns <= now) ||
		now - PACER_LATE_NS >= d->engine->end_ns;
}

uint64_t pacer_wait(struct driver *d)
{
	uint64_t now = load_now();

	while (!pacer_due(d, now) && !drive_over(d, now)) {
		uint64_t due = d->ticket.planned_ns,
			 end = due < now + LOOK_NS ? due : now + LOOK_NS;
		const struct timespec until = { .tv_sec = (time_t)(end / NS_S),
			.tv_nsec = (long)(end % NS_S) };

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		now = load_now();
	}
	return now;
}

int pacer_poll(struct driver *d, int fd, bool may_send, unsigned most_ms)
{
	struct pollfd poll = { .fd = fd, .events = POLLIN };
	uint64_t now = load_now(), wait = most_ms * NS_MS < LOOK_NS ? most_ms * NS_MS : LOOK_NS;
	struct timespec timeout;

	if (may_send && pacer_due(d, now))
		wait = 0;
	else if (may_send && d->ticket.planned_ns < now + wait)
		wait = d->ticket.planned_ns > now ? d->ticket.planned_ns - now : 0;
	timeout = (struct timespec){ .tv_nsec = (long)wait };
	return ppoll(&poll, 1, &timeout, NULL);
}

void pacer_take(struct driver *d, struct load_job *job)
{
	job->planned_ns = d->ticket.planned_ns;
	job->number = d->ticket.number;
	d->ticket.held = false;
}

void pacer_sent(struct driver *d, const struct load_job *job)
{
	struct pacer_count *count = &d->shard->paced;
	uint64_t behind = job->start_ns - job->planned_ns;

	if (!d->pacer || job->planned_ns < d->engine->warm_ns)
		return;
	drive_lock(d);
	count->sent++;
	count->late += behind > PACER_LATE_NS;
	if (behind > count->late_most_ns)
		count->late_most_ns = behind;
	drive_unlock(d);
}

void pacer_verdict(struct driver *d, const struct load_job *job, uint64_t now)
{
	const struct engine *e = d->engine;

	d->shard->paced.verdicts += now >= e->warm_ns && now < e->end_ns;
	if (job->planned_ns < e->warm_ns)
		return;
	histogram_add(d->shard->latency[job->kind], now - job->planned_ns);
	if (d->shard->raw[job->kind])
		histogram_add(d->shard->raw[job->kind], now - job->start_ns);
}

/* Takes the jobs that were planned before until_ns from the lane. Returns how many. */
static uint64_t skip(struct pacer *p, uint64_t until_ns)
{
	uint64_t count = until_ns > p->begin_ns
		? pace_skip(&p->pace, until_ns - p->begin_ns, p->left)
		: 0;

	p->left -= p->left != UINT64_MAX ? count : 0;
	return count;
}

/* After an early end only the jobs until then should have been sent. */
void pacer_leave(struct driver *d)
{
	struct pacer *p = d->pacer;
	uint64_t now = load_now(), warm = d->engine->warm_ns, until, unsent;

	if (!p)
		return;
	until = now < d->engine->end_ns ? now : d->engine->end_ns;
	pthread_mutex_lock(&p->lock);
	skip(p, warm < until ? warm : until);
	unsent = skip(p, until);
	pthread_mutex_unlock(&p->lock);
	unsent += d->ticket.held && d->ticket.planned_ns >= warm && d->ticket.planned_ns < until;
	drive_lock(d);
	d->shard->paced.unsent += unsent;
	drive_unlock(d);
}
