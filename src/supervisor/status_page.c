/* SPDX-License-Identifier: MIT */
/*
 * status_page.c - writes the status page (status_page.h), and never reads it: the supervisor
 * decides from its own memory. Before the supervisor sleeps, it writes the records of slots that
 * were touched meanwhile (slot_touch()), and those of brood and pools that have changed.
 */
#include "status_page.h"
#include "death_log.h"

#include "../wire/status.h"

#include <stdio.h>
#include <time.h>

_Static_assert((int)SLOT_EMPTY == BROOD_STATUS_EMPTY && (int)SLOT_STARTING == BROOD_STATUS_BORN &&
		(int)SLOT_LEASED == BROOD_STATUS_LEASED && (int)SLOT_SPARE == BROOD_STATUS_SPARE,
	"a slot's state is told as it is");

static void *record(const struct supervisor *s, enum brood_status_part_number part, uint32_t number)
{
	return shared_record(s->config.shared, part, number);
}

static struct brood_status_sums *sums_of(const struct pool *pool)
{
	/* the first records, one for each pool, are the supervisor's; the others the engine's */
	return record(pool->supervisor, BROOD_STATUS_SUMS, pool->setup->number);
}

/* ---- the brood ---- */

/*
 * True: nobody should give the brood new jobs, for it is about to end. A stop signal counts from
 * the moment it came, though the engine has yet to act on it: load balancers look away, and the
 * service manager was told.
 */
static bool is_draining(const struct supervisor *s)
{
	return s->halt.phase == HALT_DRAIN || s->engine.first_stop_ns || s->engine.draining ||
		s->engine.exiting || s->engine.channel_ended;
}

static uint32_t state_now(const struct supervisor *s)
{
	if (s->halt.phase <= HALT_DRAIN && is_draining(s))
		return BROOD_STATUS_DRAINING;
	if (s->halt.phase != HALT_NONE)
		return BROOD_STATUS_STOPPING;
	for_each_pool(pool, s) if (!pool->was_ready) return BROOD_STATUS_STARTING;
	return BROOD_STATUS_SERVING;
}

static void look_at_brood(struct supervisor *s)
{
	struct brood_status_brood *b = record(s, BROOD_STATUS_BROOD, 0);
	uint32_t state = state_now(s);
	pid_t engine = s->engine.ended ? 0 : s->engine.pid;

	if (b->state == state && b->engine_pid == engine && b->guard_pid == s->guard.pid &&
		b->spawner_pid == s->spawner.pid)
		return;
	status_begin(&b->sequence);
	if (b->state != state)
		b->state_since_ns = now_ns();
	b->state = state;
	b->engine_pid = engine;
	b->guard_pid = MAX(s->guard.pid, 0);
	b->spawner_pid = MAX(s->spawner.pid, 0);
	status_end(&b->sequence);
}

static void start_brood(struct supervisor *s)
{
	struct brood_status_brood *b = record(s, BROOD_STATUS_BROOD, 0);
	const char *name = s->options->title ? s->options->title : program_invocation_short_name;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	status_begin(&b->sequence);
	b->state = BROOD_STATUS_STARTING;
	b->supervisor_pid = s->pid;
	b->engine_pid = s->engine.pid;
	b->started_ns = b->state_since_ns = now_ns();
	b->started_unix_ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
	for_each_pool(pool, s) b->workers += pool->options->workers;
	snprintf(b->name, sizeof b->name, "%s", name);
	snprintf(b->control, sizeof b->control, "%s", s->config.listening.path);
	snprintf(b->version, sizeof b->version, "%d.%d.%d", BROOD_VERSION_MAJOR,
		BROOD_VERSION_MINOR, BROOD_VERSION_PATCH);
	status_end(&b->sequence);
}

/* ---- pools ---- */

/* Those fields of a pool's record that may change after the start. */
struct changing {
	uint32_t min, max, init_version, epoch, reloading;
	int32_t result;
	uint64_t id, began_ns;
};

static struct changing changing_now(const struct pool *pool)
{
	const struct reload *r = &pool->reload;

	return (struct changing){ .min = pool->size.min,
		.max = pool->size.max,
		.init_version = pool->init_data.version,
		.epoch = pool->renewals.epoch,
		.reloading = r->running,
		.result = r->running ? -EINPROGRESS : r->result,
		.id = r->id,
		.began_ns = r->began_ns };
}

static void look_at_pool(struct pool *pool)
{
	struct brood_status_pool *p = record(
		pool->supervisor, BROOD_STATUS_POOLS, pool->setup->number);
	struct changing now = changing_now(pool);

	if (p->workers_min == now.min && p->workers_max == now.max &&
		p->init_version == now.init_version && p->reload_epoch == now.epoch &&
		p->reloading == now.reloading && p->reload_result == now.result &&
		p->reload_id == now.id && p->reload_began_ns == now.began_ns)
		return;
	status_begin(&p->sequence);
	p->resizes += p->workers > 0 && p->workers_max > 0 &&
		(p->workers_min != now.min || p->workers_max != now.max);
	p->workers_min = now.min;
	p->workers_max = now.max;
	p->init_version = now.init_version;
	p->reload_epoch = now.epoch;
	p->reloading = now.reloading;
	p->reload_result = now.result;
	p->reload_id = now.id;
	p->reload_began_ns = now.began_ns;
	status_end(&p->sequence);
}

static void set_times(struct brood_status_times *t, const struct pool_setup *setup)
{
	const struct brood_options *o = &setup->options;

	*t = (struct brood_status_times){ .queue_ms = o->queue_ms,
		.run_ms = o->run_ms,
		.grace_ms = o->grace_ms,
		.init_ms = o->init_ms,
		.drain_ms = o->drain_ms,
		.stop_ms = o->stop_ms,
		.core_ms = o->core_ms,
		.lease_idle_ms = o->lease_idle_ms,
		.healthy_ms = o->healthy_ms,
		.backoff_min_ms = o->backoff_min_ms,
		.backoff_max_ms = o->backoff_max_ms,
		.idle_ms = setup->own.idle_ms,
		.retire_age_ms = setup->own.retire_age_ms,
		.poison_within_ms = setup->own.poison_within_ms,
		.poison_forget_ms = setup->own.poison_forget_ms };
}

static void start_pool(struct pool *pool)
{
	struct brood_status_pool *p = record(
		pool->supervisor, BROOD_STATUS_POOLS, pool->setup->number);
	const struct brood_options *o = pool->options;
	const struct brood_pool_options *own = &pool->setup->own;

	status_begin(&p->sequence);
	p->number = pool->setup->number;
	memcpy(p->name, pool->setup->name, sizeof p->name);
	p->first_slot = pool->setup->first_slot;
	p->places = pool->places;
	p->scaling = own->scaling;
	p->workers = o->workers;
	p->spare = own->spare;
	p->backlog = o->backlog;
	p->leases = o->leases;
	p->surge = own->surge;
	p->dispatch = o->dispatch;
	p->flags = o->flags;
	p->retire_jobs = own->retire_jobs;
	p->poison_after = own->poison_after;
	p->retry_percent = own->retry_percent;
	p->worker_memory = o->worker_memory;
	p->stack_size = o->stack_size;
	p->retire_memory = own->retire_memory;
	set_times(&p->times, pool->setup);
	status_end(&p->sequence);
	sums_of(pool)->pool = pool->setup->number;
	sums_of(pool)->used = 1;
	for_each_slot(slot, pool) slot_touch(slot);
}

/* ---- slots ---- */

static void set_job(struct brood_status_slot *r, const struct job *job)
{
	const char *tag = job && !job->is_lease ? record_tag(job) : "";
	size_t size = strnlen(tag, sizeof r->tag - 1);

	if (!job || job->is_lease) {
		r->job = r->fn = r->job_since_ns = 0;
		r->name[0] = r->tag[0] = '\0';
		return;
	}
	r->job = job->link.id;
	r->fn = job->message.plugin_size > 0 ? 0 : job->message.fn;
	r->job_since_ns = job->assigned_ns;
	memcpy(r->name, job->message.name, sizeof r->name);
	memcpy(r->tag, tag, size);
	r->tag[size] = '\0';
}

static void write_slot(const struct slot *slot)
{
	struct brood_status_slot *r = record(
		slot->pool->supervisor, BROOD_STATUS_SLOTS, slot->number);
	const struct job *job = slot->job;
	bool leased = slot->link.state == SLOT_LEASED && job;

	status_begin(&r->sequence);
	r->state = slot->link.state;
	r->pid = slot->pid;
	r->generation = slot->generation;
	r->pool = slot->pool->setup->number;
	r->lease = leased ? job->lease.lease_page : 0;
	r->flags = (slot->renewal.cause ? BROOD_STATUS_DUE : 0) |
		(leased && record_is_pinned(job) ? BROOD_STATUS_PINNED : 0) |
		(slot->facts.kill_signal == SIGKILL ? BROOD_STATUS_KILLED : 0) |
		(slot->link.state == SLOT_UNDEAD ? r->flags & BROOD_STATUS_ON_LEASE : 0);
	r->since_ns = slot->status.since_ns;
	r->born_ns = slot->born_ns;
	r->ready_ns = slot->ready_ns;
	r->jobs = slot->jobs_done;
	r->base = leased ? slot->sequence : 0;
	if (slot->link.state != SLOT_UNDEAD) /* see status_page_undead() */
		set_job(r, job);
	status_end(&r->sequence);
}

/* On lease, name and beginning of the job are what the worker says. */
void status_page_undead(const struct slot *slot)
{
	struct brood_status_slot *r = record(
		slot->pool->supervisor, BROOD_STATUS_SLOTS, slot->number);

	if (!slot->job)
		return;
	status_begin(&r->sequence);
	if (!slot->job->is_lease) {
		set_job(r, slot->job);
		status_end(&r->sequence);
		return;
	}
	r->job = death_log_job(slot, r->name, r->tag);
	r->fn = 0;
	r->job_since_ns = atomic_load(&slot_page(slot)->began_ns);
	r->flags |= BROOD_STATUS_ON_LEASE;
	status_end(&r->sequence);
}

/* ---- all records ---- */

void status_page_look(struct supervisor *s)
{
	struct list *first;

	look_at_brood(s);
	for_each_pool(pool, s) look_at_pool(pool);
	while ((first = list_first(&s->touched))) {
		list_remove(first);
		write_slot(container_of(first, struct slot, status.touched));
	}
}

void status_page_start(struct supervisor *s)
{
	start_brood(s);
	for_each_pool(pool, s) start_pool(pool);
	status_page_look(s);
}

/* ---- verdicts ---- */

/*
 * Verdicts of jobs whose request is bytes are not counted here: the engine makes their attempts,
 * and counts them (engine/sums.h).
 */
void status_page_verdict(const struct job *job)
{
	struct brood_status_sums *sums = sums_of(job->pool);
	const struct brood_verdict *v = &job->verdict;

	if (job->message.request_size == BROOD_SIZE_UNKNOWN)
		status_add(&sums->verdicts[v->outcome][v->detail], 1, false);
	if (job->slot) {
		uint64_t given = MIN(job->message.given_ns, job->assigned_ns);

		status_time(&sums->queue, job->assigned_ns - given, false);
		status_time(&sums->run, now_ns() - job->assigned_ns, false);
	}
}

/* ---- deaths ---- */

static enum brood_status_cause cause_of_kill(const struct slot *slot)
{
	const struct fate_facts *f = &slot->facts;

	if (f->by_operator)
		return BROOD_STATUS_OPERATOR;
	if (f->protocol)
		return BROOD_STATUS_NONSENSE;
	if (f->stuck)
		return BROOD_STATUS_STUCK;
	if (slot->ready_ns == 0)
		return BROOD_STATUS_UNREADY;
	switch (f->condemned ? slot->ladder.cause : LADDER_CAUSE_NONE) {
	case LADDER_CAUSE_DEADLINE: return BROOD_STATUS_TIMED_OUT;
	case LADDER_CAUSE_CANCEL: return BROOD_STATUS_CANCELLED;
	default: return BROOD_STATUS_STOPPED;
	}
}

static enum brood_status_cause cause_of_exit(const struct slot *slot, const struct process_exit *e)
{
	uint32_t said = atomic_load(&slot_page(slot)->gave_up);

	if (said != 0 && e->status == (int)said && e->status != 0)
		return e->status == WORKER_EXIT_BIRTH || e->status == WORKER_EXIT_INIT
			? BROOD_STATUS_UNREADY
			: e->status == WORKER_EXIT_ESCAPED ? BROOD_STATUS_ESCAPED
							   : BROOD_STATUS_NONSENSE;
	if (slot->ready_ns == 0)
		return BROOD_STATUS_UNREADY;
	if (e->status == 0 && slot->end.retiring)
		return BROOD_STATUS_RETIRED;
	return e->status == 0 && (!slot->job || slot->pool->supervisor->halt.phase >= HALT_CANCEL)
		? BROOD_STATUS_ENDED
		: BROOD_STATUS_EXITED;
}

static enum brood_status_cause cause_of(const struct slot *slot, const struct process_exit *e)
{
	bool by_signal = e->code == CLD_KILLED || e->code == CLD_DUMPED;

	if (e->code == 0)
		return BROOD_STATUS_UNKNOWN;
	if (!by_signal)
		return cause_of_exit(slot, e);
	if (slot->facts.kill_signal != 0 && slot->facts.kill_signal == e->status)
		return cause_of_kill(slot);
	return slot->facts.oom         ? BROOD_STATUS_OOM
		: e->status == SIGKILL ? BROOD_STATUS_OUTSIDE
				       : BROOD_STATUS_CRASHED;
}

void status_page_death(struct slot *slot, const struct process_exit *e)
{
	count_one(&slot->pool->stats_page->deaths[cause_of(slot, e)]);
	slot->status.died_ns = now_ns();
}

void status_page_death_judged(const struct slot *slot)
{
	if (slot->status.died_ns) /* 0: an undead worker, whose job has its verdict before */
		status_time(&sums_of(slot->pool)->death_to_verdict, now_ns() - slot->status.died_ns,
			false);
}

void status_page_ready(struct slot *slot)
{
	if (slot->status.died_ns)
		status_time(&sums_of(slot->pool)->death_to_ready,
			slot->ready_ns - slot->status.died_ns, false);
	slot->status.died_ns = 0;
}
