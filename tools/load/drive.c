/* SPDX-License-Identifier: MIT */
/*
 * drive.c - the part that all ways of giving jobs share: chooses the next job, and writes down what
 * came of it.
 *
 * The seed and the job's number decide what a job is (job_spec.h). With -n each thread gets its
 * share of the jobs beforehand: all together give the numbers from 0 to n - 1. So the same seed and
 * the same -n give the same jobs, whatever -c, -t and --call say.
 */
#include "load.h"
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool drive_over(struct driver *d, uint64_t now)
{
	const struct engine *e = d->engine;

	if (!d->jobs_left || atomic_load_explicit(&e->broken, memory_order_relaxed) ||
		atomic_load_explicit(&e->tally->judge.stop, memory_order_relaxed))
		return true;
	return d->pacer ? pacer_over(d, now) : now >= e->end_ns;
}

static uint64_t checksum_of(const struct load_job *job)
{
	unsigned char chunk[4096];
	uint64_t sum = 0;

	for (uint64_t at = 0; at < job->size; at += sizeof chunk) {
		size_t part = job->size - at < sizeof chunk ? (size_t)(job->size - at)
							    : sizeof chunk;

		payload_fill(job->key, at, chunk, part);
		sum = payload_checksum(sum, chunk, part);
	}
	return sum;
}

static void set_options(struct driver *d, const struct load_job *job)
{
	d->options.key = job->hint;
	d->options.priority = job->priority;
	if (!d->engine->options->spec.tags)
		return;
	snprintf(d->tag, sizeof d->tag, "%s-%llu", kind_name(job->kind), (llu)job->number);
	d->options.tag = d->tag;
}

/* Jobs have numbers over all threads: thread 1 of 4 gives jobs 1, 5, 9 and so on. */
void drive_make(struct driver *d, struct load_job *job, uint64_t now)
{
	const struct options *o = d->engine->options;
	struct job_choice choice;

	if (d->jobs_left != UINT64_MAX)
		d->jobs_left--;
	job->start_ns = job->planned_ns = now;
	job->number = d->given++ * o->threads + d->index;
	if (d->pacer)
		pacer_take(d, job);
	job_spec_choose(&o->spec, o->seed, job->number, &choice);
	job->kind = choice.kind;
	job->key = choice.payload_key;
	job->size = choice.size;
	job->id = 0;
	job->arg.variant = choice.variant;
	job->arg.value = choice.value;
	job->arg.size = job->size;
	job->hint = choice.key;
	job->priority = choice.priority;
	set_options(d, job);
	log_job(d->index, job);
	drive_lock(d);
	d->shard->submitted[job->kind]++;
	series_given(d->shard->series, now);
	drive_unlock(d);
}

void drive_completed(struct driver *d, uint64_t now)
{
	struct engine *e = d->engine;
	_Atomic uint64_t *longest = &e->tally->engine.gap_ns;
	uint64_t last, gap, most;

	if (!e->options->control)
		return;
	last = atomic_exchange(&e->completed_ns, now);
	gap = last && now > last ? now - last : 0;
	most = atomic_load(longest);
	while (gap > most && !atomic_compare_exchange_weak(longest, &most, gap))
		;
}

bool drive_next(struct driver *d, struct load_job *job)
{
	uint64_t now = pacer_wait(d);

	if (drive_over(d, now))
		return false;
	drive_make(d, job, now);
	job->arg.checksum = d->engine->whole ? 0 : checksum_of(job);
	d->options.arg = &job->arg;
	job->start_ns = load_now();
	if (!d->pacer)
		job->planned_ns = job->start_ns;
	pacer_sent(d, job);
	return true;
}

static bool seen(struct driver *d, uint64_t id)
{
	for (unsigned i = 0; i < RECENT_MAX; i++) {
		if (d->recent[i] == id)
			return true;
	}
	return false;
}

/*
 * True: the verdict is this job's. A call learns the job's id only here; a handle knows the id
 * before.
 */
static bool own_verdict(struct driver *d, const struct load_job *job, const struct brood_verdict *v)
{
	if (v->outcome < BROOD_DONE || v->outcome >= BROOD_OUTCOMES) {
		shard_note(d->shard, ONE_VERDICT,
			"%s job: a verdict with outcome %d, which there is not",
			kind_name(job->kind), (int)v->outcome);
		return false;
	}
	if (!v->id || (job->id && v->id != job->id && !seen(d, v->id))) {
		d->shard->strange++;
		shard_note(d->shard, ONE_VERDICT,
			"a verdict for job %llu where that of job %llu was due", (llu)v->id,
			(llu)job->id);
		return false;
	}
	if (seen(d, v->id)) {
		d->shard->twice++;
		shard_note(d->shard, ONE_VERDICT,
			"job %llu got its verdict twice (the second time in place of a %s job's)",
			(llu)v->id, kind_name(job->kind));
		return false;
	}
	drive_keep(d, v->id);
	return true;
}

static void judge_verdict(
	struct driver *d, const struct load_job *job, const struct brood_verdict *v)
{
	const char *bad = pools_right(d, v) ? rules_judge(d->engine, job, v)
					    : "it ran in another pool";
	char line[160];

	bad = chaos_verdict(d, job, v, bad);
	if (!bad)
		return;
	d->shard->wrong[job->kind]++;
	brood_verdict_format(v, line, sizeof line);
	shard_note(d->shard, ONE_VERDICT, "%s (%s job: %s)", line, kind_name(job->kind), bad);
}

/*
 * The reply of a job that did not end well may be short. The bytes that did come must be right all
 * the same.
 */
static void judge_reply(struct driver *d, const struct load_job *job, const struct brood_verdict *v,
	const struct reply *reply)
{
	/* A job that met an error on its way has replied what it could. */
	bool whole = v->outcome == BROOD_DONE ||
		(v->outcome == BROOD_FAILED && v->code != CODE_BAD_REQUEST);

	/* Nobody knows what a user's job replies. */
	if (!reply->judged || job->kind == KIND_USER)
		return;
	if (reply->intact && reply->size <= job->size && (!whole || reply->size == job->size))
		return;
	d->shard->bad_replies++;
	shard_note(d->shard, REPLIES_INTACT, "%s job %llu: reply %s, %llu of %llu bytes",
		kind_name(job->kind), (llu)v->id,
		reply->intact ? "of another size" : "with other bytes than were sent",
		(llu)reply->size, (llu)job->size);
}

static void add_times(
	struct driver *d, const struct load_job *job, const struct brood_verdict *v, uint64_t now)
{
	uint64_t killed = 0;

	pacer_verdict(d, job, now);
	if (v->outcome != BROOD_CRASHED || v->detail != BROOD_DETAIL_OUTSIDE || v->pid <= 0 ||
		v->pid >= PIDS_MAX)
		return;
	killed = atomic_load(&d->engine->tally->killed_ns[v->pid]);
	if (killed && now > killed)
		histogram_add(d->shard->death_to_verdict, now - killed);
}

bool drive_verdict(struct driver *d, const struct load_job *job,
	const struct brood_verdict *verdict, const struct reply *reply)
{
	uint64_t now = load_now();
	bool own;

	drive_completed(d, now);
	drive_lock(d);
	own = own_verdict(d, job, verdict);
	if (own) {
		d->shard->verdicts[job->kind][verdict->outcome]++;
		if ((unsigned)verdict->detail < BROOD_DETAILS)
			d->shard->told[verdict->outcome][verdict->detail]++;
		d->shard->paths[verdict->path < PATHS ? verdict->path : 0]++;
		add_times(d, job, verdict, now);
		series_ended(
			d->shard->series, now, (unsigned)verdict->outcome, now - job->planned_ns);
		times_add(&d->shard->times, verdict);
		judge_verdict(d, job, verdict);
		judge_reply(d, job, verdict, reply);
	}
	drive_unlock(d);
	return own;
}

void drive_stray(struct driver *d, const struct brood_verdict *v)
{
	drive_lock(d);
	if (seen(d, v->id)) {
		d->shard->twice++;
		shard_note(d->shard, ONE_VERDICT, "job %llu got its verdict twice", (llu)v->id);
	} else {
		d->shard->strange++;
		shard_note(d->shard, ONE_VERDICT, "a verdict for job %llu, which is not out",
			(llu)v->id);
	}
	drive_unlock(d);
}

/*
 * The pool had no room and said so at once. No job was made, so this refusal counts as its verdict.
 * Of these the pool counts only those for a full queue: other errors are trouble of this process.
 */
void drive_refused(struct driver *d, const struct load_job *job, ssize_t error)
{
	drive_lock(d);
	d->shard->verdicts[job->kind][BROOD_REFUSED]++;
	series_refused(d->shard->series, load_now(), BROOD_REFUSED);
	d->shard->told[BROOD_REFUSED][BROOD_DETAIL_QUEUE_FULL] += error == -EAGAIN;
	chaos_refused(d, job, error);
	drive_unlock(d);
}

void drive_overdue(struct driver *d, const struct load_job *job, const char *why)
{
	drive_lock(d);
	d->shard->overdue++;
	shard_note(
		d->shard, ONE_VERDICT, "%s job %llu: %s", kind_name(job->kind), (llu)job->id, why);
	drive_unlock(d);
}
