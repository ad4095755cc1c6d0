/*
 * run.c - one job, from RUN to FINISHED.
 *
 * The desk word decides what a kill can hit. ASSIGNED(N) to RUNNING(N) comes before the first instruction of fn, RUNNING(N) to DONE(N) after its last; whoever loses a swap to the supervisor's CONDEMNED(N) only
 * waits to die. A job that is refused (its pointer, its fd) leaves the word at ASSIGNED: it has not started, whatever happens next.
 *
 * Order at the end: the swap; the job's socket, so that the engine reads EOF at once; what the job left; FINISHED, last, since the next RUN may come right after it.
 */
#include "state.h"

#include "../base/base.h"
#include "../os/text.h"
#include "../os/title.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* True: ours now. False does not return: condemned, it waits for SIGKILL; anything else stands there only if somebody wrote over it. */
static void desk_swap(uint64_t sequence, enum desk_state from, enum desk_state to)
{
	uint64_t word = DESK_WORD(sequence, from);

	if (atomic_compare_exchange_strong(&the_worker.desk->word, &word, DESK_WORD(sequence, to)))
		return;
	if (word != DESK_WORD(sequence, DESK_CONDEMNED))
		_exit(WORKER_EXIT_DESK);
	for (;;)
		pause();
}

static void finished(const struct brood_job *job, int code, uint32_t left, uint32_t flags)
{
	struct frame f;

	frame_begin(&f, MESSAGE_FINISHED);
	f.finished = (struct message_finished){ .id = job->id, .sequence = job->sequence, .code = code, .left = left, .flags = flags };
	worker_say(&f);
}

/* A copy: the frame's buffer is used again for what the job logs, and brood_job_arg() is aligned for anything. */
static void take_job(struct brood_job *job, struct frame *f)
{
	const struct message_run *m = &f->run;

	job->id = m->id;
	job->sequence = m->sequence;
	job->soft_ns = m->soft_ns;
	job->request_size = m->request_size > SIZE_MAX ? BROOD_SIZE_UNKNOWN : (size_t)m->request_size;
	job->fn = (brood_fn *)(uintptr_t)m->fn;
	job->attempt = m->attempt;
	job->arg_size = MIN(m->arg_size, (uint32_t)BROOD_ARG_MAX);
	memcpy(the_worker.arg, frame_rest(f), job->arg_size);
	the_worker.arg[job->arg_size] = 0;
	job->arg = the_worker.arg;
	memcpy(job->name, m->name, sizeof job->name);
	job->taken = false;
	job->in_line = NULL;
	atomic_store(&job->cancel_fd, -1);
	job->fd = frame_take_fd(f, 0);
}

/* Promised to be blocking, whatever the engine made of a socket that it gave. */
static void prepare_fd(struct brood_job *job)
{
	int flags = fcntl(job->fd, F_GETFL);

	if (flags >= 0 && flags & O_NONBLOCK)
		fcntl(job->fd, F_SETFL, flags & ~O_NONBLOCK);
	if (identity_get(job->fd, &job->identity) < 0)
		job->identity = (struct identity){ 0 };
}

static int call_job(void *arg)
{
	struct brood_job *job = arg;

	return job->fn(job);
}

/* Last words: after them only the wait status speaks. A job's child that leaves the frame ends alike, but says nothing: the channel is not its own. */
static void escaped(void *arg, int how)
{
	struct brood_job *job = arg;
	struct frame f;

	if (worker_is_self()) {
		frame_begin(&f, MESSAGE_ESCAPED);
		f.escaped = (struct message_escaped){ .id = job->id, .sequence = job->sequence, .how = (uint32_t)how };
		worker_say(&f);
	}
	_exit(WORKER_EXIT_ESCAPED);
}

/* A job that returned in a child that it had forked: for the child that is exit(), for the worker it is nothing. */
static void returned_in_child(int code)
{
	if (!worker_is_self())
		exit(code);
}

/* What the job printed belongs to its own time, and shall be out even if a later job crashes. stderr has no buffer; other streams are open files that it left. */
static void flush_stdout(void)
{
	if (__fpending(stdout) > 0)
		fflush(stdout);
}

static int run_in_frame(struct brood_job *job)
{
	struct job_frame frame = { .call = call_job, .arg = job, .escaped = escaped };
	int code;

	worker_soft_expect(job->sequence);
	desk_swap(job->sequence, DESK_ASSIGNED, DESK_RUNNING);
	code = job_frame_run(&frame);
	returned_in_child(code);
	flush_stdout();
	desk_swap(job->sequence, DESK_RUNNING, DESK_DONE);
	worker_soft_expect(SEQUENCE_NONE);
	return code;
}

static void end_job(struct brood_job *job, int code, uint64_t ran_ns)
{
	const uint32_t costly = BROOD_LEFT_THREADS | BROOD_LEFT_FDS | BROOD_LEFT_CHILDREN | BROOD_LEFT_MEMORY;
	struct hygiene_result result;
	bool retiring;

	job_finish_fd(job);
	job_close_cancel_fd(job);
	result = hygiene_restore(&the_worker.hygiene, ran_ns);
	retiring = result.broken || (result.left & costly & ~the_worker.config->options->tolerate);
	if (!retiring && result.left & BROOD_LEFT_CHILDREN)
		hygiene_reap();
	finished(job, code, result.left, retiring ? FINISHED_RETIRING : 0);
	if (retiring)
		worker_end(!(result.left & BROOD_LEFT_THREADS));   /* the program's hook does not expect to run beside a job's threads */
}

void worker_run(struct frame *f)
{
	struct brood_job *job = &the_worker.job;
	uint64_t began;
	int code;

	take_job(job, f);
	frame_done(f);
	if (job->fd < 0) {
		/* An earlier job lowered the limit on open files, say. Whatever it is, the next fd would not come either: this worker is of no more use. */
		finished(job, 0, 0, FINISHED_NO_FD | FINISHED_RETIRING);
		worker_end(true);
	}
	prepare_fd(job);
	if (!text_callable((const void *)(uintptr_t)f->run.fn)) {
		job_finish_fd(job);
		finished(job, 0, 0, FINISHED_REFUSED_POINTER);
		return;
	}
	title_set_suffix(job->name);
	began = now_ns();
	code = run_in_frame(job);
	title_set_suffix("");
	end_job(job, code, now_ns() - began);
}
