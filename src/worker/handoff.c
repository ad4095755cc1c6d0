/* SPDX-License-Identifier: MIT */
/*
 * handoff.c - one job that came through the supervisor, from RUN to FINISHED.
 *
 * A job that is refused (for its pointer or its fds) leaves the slot page word at ASSIGNED:
 * whatever happens next, the supervisor sees that the job has not started.
 *
 * Order at the end: swap the slot page word; close the job's socket, so that the engine reads EOF
 * at once; look for what the job left; say FINISHED, last, since the next RUN may come right after
 * it.
 */
#include "handoff.h"

#include "../os/text.h"
#include "../os/title.h"
#include "carried.h"
#include "files.h"
#include "hooks.h"
#include "hygiene.h"
#include "report.h"
#include "run.h"
#include "wear.h"
#include "worker.h"

static void finished(const struct brood_job *job, const struct message_finished *said)
{
	struct frame f;

	frame_begin(&f, MESSAGE_FINISHED);
	f.finished = *said;
	f.finished.id = job->id;
	f.finished.sequence = job->sequence;
	carried_finish(job, &f);
	for (uint32_t i = 0; i < job->back_count; i++)
		f.fds[f.fds_count++] = job->back[i];
	report_send(&f);
}

static void take_job(struct brood_job *job, struct frame *f)
{
	const struct message_run *m = &f->run;
	size_t carried = m->carried ? (size_t)m->request_size : 0;

	job->id = m->id;
	job->sequence = m->sequence;
	job->soft_ns = m->soft_ns;
	job->request_size = (size_t)MIN(m->request_size, BROOD_SIZE_UNKNOWN);
	job->fn = (brood_fn *)(uintptr_t)m->fn;
	job->attempt = m->attempt;
	job->unwatched = job->trusted = job->no_plugin = false;
	job->on_ring = job->bytes = job->engine_waits = false;
	job->request = (struct job_request){ 0 };
	job->reply = (struct job_reply){ .memfd = -1 };
	if (m->carried)
		carried_take(job, frame_rest(f));
	job_set_arg(job, (const char *)frame_rest(f) + carried, m->arg_size - carried,
		m->plugin_size, m->tag_size);
	memcpy(job->name, m->name, sizeof job->name);
	files_take_socket(job, m->carried ? -1 : frame_take_fd(f, 0), m->own_pair);
	files_take_extra(job, f, m->carried ? 0 : 1);
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
	struct hygiene_ending e = { 0 };
	bool planned;

	hygiene_fds((int)job->back_count);
	if (ran->did.calls)
		e = hygiene_look(ran_ns);
	else if (ran->did.some)
		e = hygiene_look_a_little(ran->did.memory);
	hygiene_fds(-(int)job->back_count);
	said.left = e.left;
	planned = the_wear.once && !e.retiring;
	said.flags = (e.retiring ? FINISHED_RETIRING : 0) |
		(planned ? FINISHED_RETIRING | FINISHED_PLANNED : 0) |
		(ran->memory ? FINISHED_MEMORY : 0) | (job->no_plugin ? FINISHED_NO_PLUGIN : 0);
	finished(job, &said);
	files_close_back(job);
	if (e.retiring || planned)
		/*
		 * Without worker_exit, if the job has left threads: the hook does not expect to run
		 * beside them.
		 */
		hooks_end(!(e.left & BROOD_LEFT_THREADS));
	if (--the_wear.jobs_left == 0 || ran->ended_ns >= the_wear.look_ns)
		wear_look(ran->ended_ns);
}

void handoff_job(struct frame *f)
{
	struct brood_job *job = &the_job;
	bool lost = f->fds_count != f->header.fds;
	uint64_t began, word;
	struct ran ran;

	take_job(job, f);
	frame_done(f);
	if (lost) {
		/*
		 * Fds of this job did not come: an earlier job may have lowered the limit on open
		 * files. The fds of the next job would not come either, so this worker is of no
		 * more use.
		 */
		run_release(job, false);
		finished(job,
			&(struct message_finished){ .flags = FINISHED_NO_FD | FINISHED_RETIRING });
		hooks_end(true);
	}
	if (!callable(job)) {
		run_release(job, false);
		finished(job, &(struct message_finished){ .flags = FINISHED_REFUSED_POINTER });
		return;
	}
	began = now_ns();
	word = SLOT_PAGE_WORD(job->sequence, SLOT_PAGE_ASSIGNED);
	ran = run_job(job, job->name, &word);
	*title_suffix = '\0';
	end_job(job, &ran, ran.ended_ns - began);
}
