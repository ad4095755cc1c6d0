/* SPDX-License-Identifier: MIT */
/*
 * run.c - what all jobs of a worker have in common, by handoff or on a lease: the slot page, and
 * the frame.
 *
 * The slot page word decides what a kill can hit. It is swapped to RUNNING(N) before the first
 * instruction of fn, and to DONE(N) after the last one. A worker that loses a swap, because the
 * supervisor was first with CONDEMNED, only waits to die.
 *
 * Where the kernel can tell, the worker knows whether a job can have changed what the kernel keeps
 * for the process (conduct.h). If it cannot, there is nearly no look for residue, nor can the job
 * have returned in a child of its own.
 *
 * BUILD: this file, and this one alone, must be compiled with -fexceptions (gcc and clang): without
 * it the cleanup of run_inner() is not in the unwind tables, and pthread_exit() goes by unseen.
 */
#include "run.h"

#include "../base/printable.h"
#include "../os/output.h"
#include "../os/title.h"
#include "files.h"
#include "memory.h"
#include "payload.h"
#include "plugin.h"
#include "reply_room.h"
#include "report.h"
#include "soft.h"
#include "worker.h"
#include "worker_lease.h"

#include <pthread.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>

/* ---- the slot page word ---- */

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

/* ---- the floating point unit: rounding and traps, as the program had them ---- */

AT_BIRTH static uint64_t floating;

/* Reads the control words, and the exceptions that are noted but not yet raised. */
static uint64_t get_floating(void)
{
#if defined(__x86_64__) || (defined(__i386__) && defined(__SSE__))
	uint32_t mxcsr;
	uint16_t control, status;

	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	__asm__ volatile("fnstcw %0" : "=m"(control));
	__asm__ volatile("fnstsw %0" : "=a"(status));
	return (uint64_t)(status & 0xffu) << 48 | (uint64_t)control << 32 | mxcsr;
#elif defined(__aarch64__)
	uint64_t control;

	__asm__ volatile("mrs %0, fpcr" : "=r"(control));
	return control;
#else
	return 0;
#endif
}

static void put_back_floating(void)
{
	if (get_floating() == floating)
		return;
#if defined(__x86_64__) || (defined(__i386__) && defined(__SSE__))
	uint32_t mxcsr = (uint32_t)floating;
	uint16_t control = (uint16_t)(floating >> 32);

	/*
	 * Without this, the next instruction would raise a pending exception that the new mask
	 * allows.
	 */
	__asm__ volatile("fnclex");
	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
	__asm__ volatile("fldcw %0" : : "m"(control));
#elif defined(__aarch64__)
	__asm__ volatile("msr fpcr, %0" : : "r"(floating));
#endif
}

void run_ready(void)
{
	floating = get_floating() & ~(UINT64_C(0xff) << 48);
	put_back_floating();
}

/* ---- the frame around a job ---- */

/*
 * Law 10: nothing that a job does gets past its frame.
 *
 *   C++ exception   Unwinding ends at the first frame of the worker's own (job_stack.c), so the
 *                   search for a handler finds none, the `catch` around brood_start() included:
 *                   std::terminate(), SIGABRT, and no destructor has run. The cleanup here is no
 *                   handler: the search passes it by.
 *   pthread_exit()  is a forced unwind, which runs cleanups frame by frame: ours is the last before
 *                   the stack ends. (A thread that cancels the job's makes the same unwind.)
 *   longjmp()       runs, in glibc, the handlers of the old _pthread_cleanup_push() interface whose
 *                   buffers lie in the part of the stack that is jumped over. (The macro of
 *                   <pthread.h> is another interface, whose handlers longjmp() does not run.) A
 *                   jump within the job's own frames does not pass the buffer.
 *   exit()          is stopped by a handler of on_exit(): at_exit() in image.c.
 *
 * Trap: `inner` must stay a function of its own, below the buffer, so that a forced unwind meets
 * its cleanup before it calls the handlers of the buffer. The C library takes the thread's own
 * stack for the highest. So a jump from a coroutine back into the job does not pass the buffer,
 * wherever the coroutine's stack lies. Limit: where jobs do not run on the thread's own stack
 * (job_stack.c), a longjmp() to a stack above theirs looks like a jump out of the frame.
 * swapcontext() is not affected.
 */

extern void _pthread_cleanup_push(
	struct _pthread_cleanup_buffer *buffer, void (*routine)(void *), void *arg);
extern void _pthread_cleanup_pop(struct _pthread_cleanup_buffer *buffer, int execute);

struct inner {
	const struct run_frame *frame;
	bool returned;
};

static void unwound(struct inner *inner)
{
	if (!inner->returned)
		inner->frame->escaped(inner->frame->arg, ESCAPED_THREAD_EXIT);
}

static void jumped(void *frame)
{
	const struct run_frame *f = frame;

	f->escaped(f->arg, ESCAPED_LONGJMP);
}

static __attribute__((noinline)) int run_inner(const struct run_frame *frame)
{
	struct inner inner __attribute__((cleanup(unwound))) = { .frame = frame };
	int code = frame->call(frame->arg);

	inner.returned = true;
	return code;
}

int run_framed(const struct run_frame *frame)
{
	struct run_frame copy = *frame;
	struct _pthread_cleanup_buffer buffer;
	int code;

	_pthread_cleanup_push(&buffer, jumped, &copy);
	code = run_inner(&copy);
	_pthread_cleanup_pop(&buffer, 0);
	return code;
}

/* A plugin is opened here, so that what its constructors do is the job's doing. */
static int call_job(void *arg)
{
	struct brood_job *job = arg;
	int code;

	if (job->plugin_size > 0)
		job->fn = plugin_find(
			job, (const char *)job->arg + job->arg_size, job->plugin_size);
	if (job->plugin_size > 0 && !job->fn) {
		job->no_plugin = true;
		return 0;
	}
	errno = 0; /* so that errno after the job is its own: ENOMEM tells of refused memory */
	code = job->fn(job);
	if (job->reply.room)
		reply_room_end(job);
	return code;
}

/*
 * Tells the supervisor how the job left the frame (ESCAPED), and ends the worker. That is its last
 * message: all else the supervisor learns from the wait status. A child of the job that leaves the
 * frame ends in the same way but sends nothing: the channel is not its own.
 */
static void escaped(void *arg, int how)
{
	struct brood_job *job = arg;
	struct frame f;

	conduct_stop();
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
 * The job may have returned in a child that it had forked: for the child that is exit(), and the
 * worker goes on.
 */
static void returned_in_child(int code)
{
	if (!worker_is_self())
		exit(code);
}

/* ---- one job from begin to end ---- */

static char shown[BROOD_NAME_MAX];
static bool tagged; /* title and slot page show a tag */

/*
 * Shows the name of the job in the title and the slot page. Between jobs the name is only hidden,
 * so the next job of the same name costs nothing.
 */
static void show_title(const char *name)
{
	*title_suffix = ' ';
	if (strncmp(shown, name, sizeof shown) == 0)
		return;
	snprintf(shown, sizeof shown, "%.*s", (int)sizeof shown - 1, name);
	memcpy(the_worker.page->name, shown, sizeof the_worker.page->name);
	title_set_suffix(shown);
}

/* Shows the tag behind the name; "" removes the tag of the job before. */
static void show_tag(const char *tag)
{
	char text[PRINTABLE_JOB_MAX];

	tagged = tag[0] != '\0';
	printable_copy(the_worker.page->tag, sizeof the_worker.page->tag, tag);
	title_set_suffix(printable_job(text, shown, tag));
}

/*
 * Title, name and tag are written before the word says RUNNING: a reader that sees RUNNING sees
 * them, too.
 */
void run_begin(const struct brood_job *job, const char name[BROOD_NAME_MAX], uint64_t *word)
{
	show_title(name);
	if (job->tag[0] || tagged)
		show_tag(job->tag);
	atomic_store_explicit(&the_worker.page->fn,
		job->plugin_size > 0 ? 0 : (uint64_t)(uintptr_t)job->fn, memory_order_relaxed);
	atomic_store_explicit(&soft_sequence, job->sequence, memory_order_release);
	run_swap(word, SLOT_PAGE_WORD(job->sequence, SLOT_PAGE_RUNNING));
}

static void suspect_fds(void)
{
	report_suspect();
	worker_lease_suspect();
	account_suspect();
}

static bool has_something(const struct brood_job *job)
{
	return job->fd >= 0 || job->stream >= 0 || job->extra.count > 0 || job->request.mapped ||
		atomic_load_explicit(&job->cancel_fd, memory_order_relaxed) >= 0;
}

void run_release(struct brood_job *job, bool suspect)
{
	files_release(job, suspect);
	soft_close_fd(job);
	payload_unmap(job);
}

struct ran run_job(struct brood_job *job, const char name[BROOD_NAME_MAX], uint64_t *word)
{
	struct run_frame frame = { .call = call_job, .arg = job, .escaped = escaped };
	struct ran ran = { 0 };
	int error;

	if (*word != SLOT_PAGE_WORD(job->sequence, SLOT_PAGE_RUNNING))
		run_begin(job, name, word);
	if (account_wanted)
		account_begin();
	conduct_begin(job);
	ran.code = run_framed(&frame);
	error = errno;
	ran.did = conduct_end(job);
	if (ran.did.calls)
		returned_in_child(ran.code);
	put_back_floating();
	ran.memory = ran.code != 0 && memory_refused(error);
	if (account_wanted)
		ran.usage = account_end();
	/*
	 * Flushed before the job counts as done: the time is the job's, and the output is safe if a
	 * later job crashes.
	 */
	if (output_streams || __fpending(stdout) > 0)
		output_flush_standard();
	if (atomic_load(&the_worker.page->soft) == job->sequence)
		ran.told = soft_told();
	run_swap(word, SLOT_PAGE_WORD(job->sequence, SLOT_PAGE_DONE));
	atomic_store_explicit(&soft_sequence, SEQUENCE_NONE, memory_order_release);
	ran.ended_ns = now_ns();
	if (ran.did.calls)
		suspect_fds();
	if (has_something(job))
		run_release(job, ran.did.calls);
	return ran;
}
