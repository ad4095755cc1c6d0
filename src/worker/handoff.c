/* SPDX-License-Identifier: MIT */
/*
 * handoff.c - one job that came through the supervisor, from RUN to FINISHED.
 *
 * A job that is refused (its pointer, its fds) leaves the desk word at ASSIGNED: it has not
 * started, whatever happens next.
 *
 * Order at the end: the swap; the job's socket, so that the engine reads EOF at once; what the job
 * left; FINISHED, last, since the next RUN may come right after it.
 */
#include "state.h"

#include "../base/base.h"
#include "../os/text.h"
#include "../os/title.h"

static void finished(const struct brood_job *job, const struct message_finished *said)
{
	struct frame f;

	frame_begin(&f, MESSAGE_FINISHED);
	f.finished = *said;
	f.finished.id = job->id;
	f.finished.sequence = job->sequence;
	for (uint32_t i = 0; i < job->back_count; i++)
		f.fds[f.fds_count++] = job->back[i];
	worker_say(&f);
}

/*
 * A copy: the frame's buffer is used again for what the job logs, and brood_job_arg() is aligned
 * for anything.
 */
static void take_arg(struct brood_job *job, const struct frame *f)
{
	uint32_t size = MIN(f->run.arg_size, (uint32_t)BROOD_ARG_MAX);

	memcpy(the_worker.arg, frame_rest(f), size);
	the_worker.arg[size] = 0;
	job->plugin_size = MIN(f->run.plugin_size, size);
	job->arg_size = size - job->plugin_size;
	job->arg = the_worker.arg;
}

static void take_job(struct brood_job *job, struct frame *f)
{
	const struct message_run *m = &f->run;

	job->id = m->id;
	job->sequence = m->sequence;
	job->soft_ns = m->soft_ns;
	job->request_size = m->request_size > SIZE_MAX ? BROOD_SIZE_UNKNOWN
						       : (size_t)m->request_size;
	job->fn = (brood_fn *)(uintptr_t)m->fn;
	job->attempt = m->attempt;
	take_arg(job, f);
	memcpy(job->name, m->name, sizeof job->name);
	job->unwatched = job->no_plugin = job->on_ring = job->bytes = false;
	job->in_line = NULL;
	job->stream = -1;
	job->request = NULL;
	job->request_read = 0;
	job->asked = false;
	job->mapped = NULL;
	job->back_count = 0;
	atomic_store_explicit(&job->cancel_fd, -1, memory_order_relaxed);
	job_take_fd(job, frame_take_fd(f, 0), m->own_pair);
	job_take_extra(job, f, 1);
}

static bool callable(const struct brood_job *job)
{
	return job->plugin_size > 0 || text_callable((const void *)(uintptr_t)job->fn);
}

static void end_job(struct brood_job *job, const struct ran *ran, uint64_t ran_ns)
{
	struct message_finished said = { .code = ran->code,
		.told = ran->told,
		.cpu_us = ran->usage.cpu_us,
		.peak_kb = ran->usage.peak_kb };
	struct ending e;

	worker_release_job(job, ran->calls);
	hygiene_fds(&the_worker.hygiene, (int)job->back_count);
	e = worker_look(ran, ran_ns);
	hygiene_fds(&the_worker.hygiene, -(int)job->back_count);
	said.left = e.left;
	said.flags = (e.retiring ? FINISHED_RETIRING : 0) | (ran->memory ? FINISHED_MEMORY : 0) |
		(job->no_plugin ? FINISHED_NO_PLUGIN : 0);
	finished(job, &said);
	job_close_back(job);
	if (e.retiring)
		/* the program's hook does not expect to run beside a job's threads */
		worker_end(!(e.left & BROOD_LEFT_THREADS));
}

void worker_handoff(struct frame *f)
{
	struct brood_job *job = &the_worker.job;
	bool lost = f->fds_count != f->header.fds;
	uint64_t began, word;
	struct ran ran;

	take_job(job, f);
	frame_done(f);
	if (lost) {
		/*
		 * An earlier job lowered the limit on open files, say. Whatever it is, the next fd
		 * would not come either: this worker is of no more use.
		 */
		worker_release_job(job, false);
		finished(job,
			&(struct message_finished){ .flags = FINISHED_NO_FD | FINISHED_RETIRING });
		worker_end(true);
	}
	if (!callable(job)) {
		worker_release_job(job, false);
		finished(job, &(struct message_finished){ .flags = FINISHED_REFUSED_POINTER });
		return;
	}
	began = now_ns();
	word = DESK_WORD(job->sequence, DESK_ASSIGNED);
	ran = worker_run_job(job, job->name, &word);
	title_set_suffix("");
	end_job(job, &ran, ran.ended_ns - began);
}
