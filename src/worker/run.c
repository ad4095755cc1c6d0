/* SPDX-License-Identifier: MIT */
/*
 * run.c - what all jobs have in common, however they came: the desk, the frame, and the look at
 * what they left.
 *
 * The desk word decides what a kill can hit. To RUNNING(N) comes before the first instruction of
 * fn, RUNNING(N) to DONE(N) after its last; whoever loses a swap to the supervisor's CONDEMNED only
 * waits to die.
 *
 * Whether the job made a system call is known where the kernel can tell (src/os/syscalls.h). One
 * that made none cannot have changed what the kernel keeps for the process, so nearly nothing is
 * looked at; and it is in no child of its own.
 */
#include "memory.h"
#include "state.h"

#include "../base/base.h"
#include "../os/output.h"
#include "../os/title.h"

#include <errno.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <unistd.h>

void worker_desk_swap(uint64_t *word, uint64_t to)
{
	uint64_t found = *word;

	if (atomic_compare_exchange_strong(&the_worker.desk->word, &found, to)) {
		*word = to;
		return;
	}
	if (DESK_STATE(found) != DESK_CONDEMNED)
		worker_give_up(WORKER_EXIT_DESK);
	for (;;)
		pause();
}

/* A plugin is opened here, so that what its constructors do is the job's doing. */
static int call_job(void *arg)
{
	struct brood_job *job = arg;

	if (job->plugin_size > 0)
		job->fn = plugin_find(
			job, (const char *)job->arg + job->arg_size, job->plugin_size);
	if (job->plugin_size > 0 && !job->fn) {
		job->no_plugin = true;
		return 0;
	}
	errno = 0; /* what it says at the job's end is the job's */
	return job->fn(job);
}

/*
 * Last words: after them only the wait status speaks. A job's child that leaves the frame ends
 * alike, but says nothing: the channel is not its own.
 */
static void escaped(void *arg, int how)
{
	struct brood_job *job = arg;
	struct frame f;

	syscalls_end();
	if (worker_is_self()) {
		the_worker.suspect_channel = true;
		frame_begin(&f, MESSAGE_ESCAPED);
		f.escaped = (struct message_escaped){
			.id = job->id, .sequence = job->sequence, .how = (uint32_t)how
		};
		worker_say(&f);
	}
	worker_give_up(WORKER_EXIT_ESCAPED);
}

/*
 * A job that returned in a child that it had forked: for the child that is exit(), for the worker
 * it is nothing.
 */
static void returned_in_child(int code)
{
	if (!worker_is_self())
		exit(code);
}

/* The name stays in the title's memory; it is only hidden while no job runs. */
static void show_title(const char *name)
{
	if (strncmp(the_worker.shown, name, sizeof the_worker.shown) == 0) {
		title_show_suffix();
		return;
	}
	snprintf(the_worker.shown, sizeof the_worker.shown, "%.*s",
		(int)sizeof the_worker.shown - 1, name);
	memcpy(the_worker.desk->name, the_worker.shown, sizeof the_worker.desk->name);
	title_set_suffix(the_worker.shown);
}

void worker_begin(const struct brood_job *job, uint64_t *word)
{
	worker_soft_expect(job->sequence);
	worker_desk_swap(word, DESK_WORD(job->sequence, DESK_RUNNING));
}

struct ran worker_run_job(struct brood_job *job, const char name[BROOD_NAME_MAX], uint64_t *word)
{
	struct job_frame frame = { .call = call_job, .arg = job, .escaped = escaped };
	struct ran ran = { 0 };
	int error;

	show_title(name);
	if (*word != DESK_WORD(job->sequence, DESK_RUNNING))
		worker_begin(job, word);
	account_begin(&the_worker.account);
	if (job->fd >= 0 || job->extra_count > 0 || the_worker.standard_shared)
		job_note_fds(job);
	if (!job->unwatched)
		syscalls_begin();
	ran.code = job_frame_run(&frame);
	error = errno;
	ran.calls = syscalls_end() || job->unwatched || the_worker.hygiene.others;
	if (ran.calls)
		returned_in_child(ran.code);
	ran.memory = ran.code != 0 && memory_refused(error);
	ran.usage = account_end(&the_worker.account);
	/* belongs to the job's time, and is out if a later job crashes */
	output_flush_standard();
	ran.told = worker_soft_told(job->sequence);
	worker_desk_swap(word, DESK_WORD(job->sequence, DESK_DONE));
	worker_soft_expect(SEQUENCE_NONE);
	ran.ended_ns = now_ns();
	if (ran.calls)
		worker_suspect_fds();
	return ran;
}

void worker_suspect_fds(void)
{
	the_worker.suspect_channel = true;
	the_worker.lease.suspect_link = the_worker.lease.suspect_bell = true;
	the_worker.account.suspect = true;
}

void worker_release_job(struct brood_job *job, bool suspect)
{
	job_finish_fd(job, suspect);
	job_close_stream(job);
	job_close_extra(job, suspect);
	job_close_cancel_fd(job);
	job_unmap_request(job);
}

struct ending worker_judge(struct hygiene_result result)
{
	const uint32_t costly = BROOD_LEFT_THREADS | BROOD_LEFT_FDS | BROOD_LEFT_CHILDREN |
		BROOD_LEFT_MEMORY;
	struct ending e = { .left = result.left };

	e.retiring = result.broken ||
		(result.left & costly & ~the_worker.config->options->tolerate);
	if (!e.retiring && (result.left || the_worker.hygiene.children_kept))
		hygiene_tolerated(&the_worker.hygiene, result.left);
	return e;
}

/* Dropped where it cannot be sent: then the next job says so. */
static void say_called(void)
{
	struct desk *desk = the_worker.desk;
	const int fd = the_worker.config->channel_fd;
	struct frame f;

	if (atomic_load_explicit(&desk->called, memory_order_relaxed))
		return;
	if (the_worker.suspect_channel && !identity_is(fd, &the_worker.channel))
		return;
	atomic_store(&desk->called, 1);
	if (frame_send(fd, frame_begin(&f, MESSAGE_CALLED)) < 0)
		atomic_store(&desk->called, 0);
}

struct ending worker_look(const struct ran *ran, uint64_t ran_ns)
{
	struct hygiene *h = &the_worker.hygiene;

	if (!ran->calls)
		return worker_judge(hygiene_glance(h));
	say_called();
	syscalls_watch_again();
	return worker_judge(hygiene_restore(h, ran_ns));
}
