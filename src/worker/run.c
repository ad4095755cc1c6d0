/* SPDX-License-Identifier: MIT */
/*
 * run.c - what all jobs have in common, however they came: the slot page, and the frame.
 *
 * The slot page word decides what a kill can hit. To RUNNING(N) comes before the first instruction
 * of fn, RUNNING(N) to DONE(N) after its last; whoever loses a swap to the supervisor's CONDEMNED
 * only waits to die.
 *
 * Whether the job made a system call is known where the kernel can tell (src/os/syscalls.h). One
 * that made none cannot have changed what the kernel keeps for the process, so nearly nothing is
 * looked at; and it is in no child of its own.
 */
#include "run.h"

#include "../base/base.h"
#include "../os/output.h"
#include "../os/syscalls.h"
#include "../os/title.h"
#include "files.h"
#include "flags.h"
#include "hygiene.h"
#include "job_frame.h"
#include "memory.h"
#include "plugin.h"
#include "report.h"
#include "request.h"
#include "soft.h"
#include "worker.h"
#include "worker_lease.h"

#include <errno.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <unistd.h>

void run_swap(uint64_t *word, uint64_t to)
{
	uint64_t found = *word;

	if (atomic_compare_exchange_strong(&the_worker.page->word, &found, to)) {
		*word = to;
		return;
	}
	if (SLOT_PAGE_STATE(found) != SLOT_PAGE_CONDEMNED)
		worker_give_up(WORKER_EXIT_SLOT_PAGE);
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
		report_suspect();
		frame_begin(&f, MESSAGE_ESCAPED);
		f.escaped = (struct message_escaped){
			.id = job->id, .sequence = job->sequence, .how = (uint32_t)how
		};
		report_send(&f);
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
	static char shown[BROOD_NAME_MAX];

	if (strncmp(shown, name, sizeof shown) == 0) {
		title_show_suffix();
		return;
	}
	snprintf(shown, sizeof shown, "%.*s", (int)sizeof shown - 1, name);
	memcpy(the_worker.page->name, shown, sizeof the_worker.page->name);
	title_set_suffix(shown);
}

void run_begin(const struct brood_job *job, uint64_t *word)
{
	soft_expect(job->sequence);
	run_swap(word, SLOT_PAGE_WORD(job->sequence, SLOT_PAGE_RUNNING));
}

static void suspect_fds(void)
{
	report_suspect();
	worker_lease_suspect();
	account_suspect();
}

struct ran run_job(struct brood_job *job, const char name[BROOD_NAME_MAX], uint64_t *word)
{
	struct job_frame frame = { .call = call_job, .arg = job, .escaped = escaped };
	struct ran ran = { 0 };
	int error;

	show_title(name);
	if (*word != SLOT_PAGE_WORD(job->sequence, SLOT_PAGE_RUNNING))
		run_begin(job, word);
	if (account_wanted)
		account_begin();
	if (job->fd >= 0 || job->extra.count > 0 || flags_shared)
		files_note(job);
	if (!job->unwatched)
		syscalls_begin();
	ran.code = job_frame_run(&frame);
	error = errno;
	ran.calls = syscalls_end() || job->unwatched || hygiene_others;
	if (ran.calls)
		returned_in_child(ran.code);
	ran.memory = ran.code != 0 && memory_refused(error);
	if (account_wanted)
		ran.usage = account_end();
	/* belongs to the job's time, and is out if a later job crashes */
	output_flush_standard();
	ran.told = soft_told(job->sequence);
	run_swap(word, SLOT_PAGE_WORD(job->sequence, SLOT_PAGE_DONE));
	soft_expect(SEQUENCE_NONE);
	ran.ended_ns = now_ns();
	if (ran.calls)
		suspect_fds();
	return ran;
}

void run_release(struct brood_job *job, bool suspect)
{
	if (job->fd >= 0 || job->stream >= 0 || job->extra.count > 0)
		files_release(job, suspect);
	if (atomic_load_explicit(&job->cancel_fd, memory_order_relaxed) >= 0)
		soft_close_fd(job);
	if (job->request.mapped)
		request_unmap(job);
}
