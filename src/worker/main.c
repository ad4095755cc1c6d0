/* SPDX-License-Identifier: MIT */
/*
 * main.c - the process in which jobs run: birth, loop, end. See main.h for the steps, worker.h for
 * the storeys.
 *
 * Invariant of birth: before any code of the program runs here (a handler, a hook, a job) the
 * roster has this pid, so that the guard can end whatever that code starts, and the roster is
 * unmapped, so that the code cannot write there. Signals stay blocked until the dispositions are
 * the worker's own.
 *
 * The stack. Hooks and jobs run on the thread's own stack, below the frames of the program's
 * main(). The first frame of the worker's own has no caller: C++ unwinding ends there instead of in
 * main(). Handlers run on an alternate stack, so that a job on a small stack of a coroutine's
 * survives them.
 *
 * The end. An ordered end (after END, or the channel's end) calls worker_exit, flushes, and calls
 * _exit(), never exit(): the atexit handlers and destructors that the program registered before the
 * start are for the engine alone. A job may call exit(): then a handler of on_exit() (at_exit() in
 * image.c) ends the worker. It was registered last, so it runs before the inherited handlers, but
 * after those that the job itself registered. disown.c keeps the thread_local objects of the
 * program's main thread from destruction. Limit: quick_exit() runs the at_quick_exit() handlers
 * that the program registered.
 */
#define _GNU_SOURCE
#include "main.h"

#include "../base/printable.h"
#include "../os/proc.h"
#include "../os/mark.h"
#include "../os/process.h"
#include "../os/role.h"
#include "../os/self.h"
#include "../os/shm.h"
#include "../os/title.h"
#include "dispositions.h"
#include "files.h"
#include "handoff.h"
#include "hooks.h"
#include "hygiene.h"
#include "image.h"
#include "init_data.h"
#include "job_stack.h"
#include "memory.h"
#include "report.h"
#include "rights.h"
#include "run.h"
#include "serve.h"
#include "wear.h"
#include "worker.h"

#include <poll.h>
#include <stdio.h>

static int hear(struct frame *f)
{
	struct pollfd p = { .fd = the_worker.config->channel_fd, .events = POLLIN };
	int r;

	/* a job may have made the channel non-blocking */
	while ((r = frame_receive(p.fd, f, 0)) == -EAGAIN)
		poll(&p, 1, -1);
	return r;
}

/* ---- birth ---- */

static __attribute__((noreturn)) void birth_failed(const char *what, int r)
{
	report_log(0, BROOD_ERR, "this worker cannot begin: %s (error %d)", what, -r);
	worker_give_up(WORKER_EXIT_BIRTH);
}

/*
 * Writes the pid last, for the guard looks at an entry only when it has a pid.
 *
 * For a spawner's worker, the spawner wrote the other fields before the birth, and the kernel the
 * pid (process_spawn_sibling()). Only the time of birth may be a tick too early: until the worker
 * has its mark, the guard takes it for a stranger. If the guard kills at that moment, such a worker
 * ends by itself: no code of the program has run, and its parent is gone.
 */
static void sign_roster(const struct worker_config *c)
{
	struct roster_entry *entry = &c->shared->roster->workers[c->slot];

	/* A sweep knows strays by the mark, too (or else by oom_score_adj). */
	if (mark_self(c->mark) == 0 && c->prepared)
		return;
	entry->generation = c->generation;
	entry->born_ticks = proc_boot_ticks();
	atomic_store_explicit(&entry->session, c->session > 0 ? c->session : the_worker.pid,
		memory_order_relaxed);
	atomic_store_explicit(&entry->pid, the_worker.pid, memory_order_release);
}

/*
 * Takes the worker out of the terminal's reach, and into a group of its own, by which its jobs'
 * processes are killed. The spawner's session has no terminal; a worker that the supervisor makes
 * needs a session of its own, and leads a group there.
 */
static bool leave_group(const struct worker_config *c)
{
	return (c->session > 0 ? setpgid(0, 0) : setsid()) >= 0;
}

static void become_worker(struct worker_config *c)
{
	if (!c->prepared)
		signals_block_all(NULL);
	the_worker.config = c;
	the_worker.pid = getpid();
	role_be_worker(the_worker.pid);
	the_worker.page = shared_slot_page(c->shared, c->slot);
	the_worker.trace_page = shared_trace_page(c->shared, c->slot);
	the_worker.answer = shared_answer(c->shared, c->slot);
	if (process_set_pdeathsig(SIGKILL, c->supervisor_pid) < 0 || !leave_group(c))
		worker_give_up(WORKER_EXIT_BIRTH);
	sign_roster(c);
	/*
	 * Done before any code of the program runs: a real-time job that spins could keep the
	 * supervisor from its CPU. (The spawner has done that for its workers.)
	 */
	if (!c->prepared)
		process_drop_real_time();
	shared_keep_slot_page(c->shared, c->slot);
	the_worker.shown_page = shm_keep_from_children(the_worker.page, c->shared->slot_page_size);
	if (!the_worker.shown_page)
		the_worker.shown_page = the_worker.page;
	shm_not_in_children(the_worker.trace_page, c->shared->trace_page_size);
	if (process_set_subreaper() < 0 || report_open() < 0)
		worker_give_up(WORKER_EXIT_BIRTH);
}

/* Not inlined: the array would take pages of each worker's stack that the worker never uses. */
static __attribute__((noinline)) int close_all_others(struct worker_config *c)
{
	int keep[FDS_KEEP_MAX];
	size_t n = 0;

	keep[n++] = c->channel_fd;
	keep[n++] = c->init_memfd;
	for (uint32_t i = 0; i < c->init_fds_count; i++)
		keep[n++] = c->init_fds[i];
	for (size_t i = 0; i < c->options->keep_fds_count; i++)
		keep[n++] = c->options->keep_fds[i];
	stale_take_locked(&c->stale);
	n += stale_keep_in_worker(&c->stale, keep + n);
	return fds_close_all_but(keep, n);
}

static int close_others(struct worker_config *c)
{
	if (!c->prepared)
		return close_all_others(c);
	fds_close_pair(c->spawner_fd, c->leaf_fd);
	return 0;
}

static void keep_only_ours(struct worker_config *c)
{
	int r = c->stderr_fd >= 0 ? standard_give_stderr(&c->standard, c->stderr_fd) : 0;

	if (r == 0)
		r = close_others(c);

	if (r < 0)
		birth_failed("setting up its files", r);
	if (!c->prepared)
		r = image_make(c);
	if (r < 0)
		birth_failed("setting up its signals and its exit", r);
	files_open_own();
}

/*
 * A soft limit of 1 byte allows no core file, and, unlike 0, stops a core for the handler behind a
 * pipe too.
 */
static void forbid_cores(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_CORE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max == 0 ? 0 : 1;
	setrlimit(RLIMIT_CORE, &limit);
}

/* Without snprintf(), which would take five page faults in each new worker. */
static void show_title(const struct worker_config *c)
{
	char title[32 + BROOD_POOL_NAME_MAX] = "worker ";
	char *at = printable_number(title + strlen(title), c->slot);

	if (c->pool && c->pool->named)
		stpcpy(stpcpy(stpcpy(at, " ["), c->pool->name), "]");
	title_set(title);
}

static void set_manners(const struct worker_config *c)
{
	int r;

	if (!c->core || c->options->flags & BROOD_NO_CORE)
		forbid_cores();
	if (c->oom_score_adj != -1001 && !image_has_oom_score(c))
		/*
		 * A failure is ignored: some containers refuse this, and the value only says which
		 * processes the kernel kills first when memory is short.
		 */
		proc_set_oom_score_adj(c->oom_score_adj);
	show_title(c);
	memory_open(c->options, c->retire_memory_kb > 0);
	r = dispositions_open(c->options);
	if (r < 0)
		birth_failed("setting up its signals", r);
}

/* Gives the worker its pool's rights. A change of the user clears PDEATHSIG, so it is set again. */
static void take_rights(const struct worker_config *c)
{
	const char *step = "";
	char what[64];
	int r;

	if (!c->pool || !c->pool->rights)
		return;
	r = rights_take(c->pool->rights, &step);
	if (r < 0) {
		snprintf(what, sizeof what, "taking the rights of its pool (%s)", step);
		birth_failed(what, r);
	}
	if (process_set_pdeathsig(SIGKILL, c->supervisor_pid) < 0)
		worker_give_up(WORKER_EXIT_BIRTH);
}

/* ---- ready, and the loop of jobs ---- */

static unsigned look_at_itself(const struct worker_config *c)
{
	unsigned blind;
	int r;

	if (image_holds(c))
		return image_inherit(c);
	dispositions_ready(c->options);
	blind = self_settle();
	r = hygiene_snapshot();
	if (r < 0)
		birth_failed("looking at itself", r);
	hygiene_offspring(); /* says whether worker_init left processes */
	return blind;
}

/* The soft limit on open files; 0: unknown. */
static rlim_t files_limit(const struct worker_config *c)
{
	struct rlimit files;

	if (image_holds(c))
		return c->files_limit;
	return getrlimit(RLIMIT_NOFILE, &files) < 0 ? 0 : files.rlim_cur;
}

static void ready(struct frame *f)
{
	const struct worker_config *c = the_worker.config;
	unsigned blind = look_at_itself(c);
	int r;

	run_ready();
	r = memory_limit(c->options);
	if (r < 0)
		report_log(0, BROOD_WARNING, "worker_memory cannot be enforced (error %d)", -r);
	wear_ready();
	the_worker.files = files_limit(c);
	frame_begin(f, MESSAGE_READY)->birth.ready = (struct message_ready){
		.pid = the_worker.pid, .generation = c->generation, .blind = blind
	};
	report_send(f);
}

static __attribute__((noreturn)) void loop(struct frame *f)
{
	int r;

	for (;;) {
		r = hear(f);
		if (r == 1 && f->header.type == MESSAGE_RUN) {
			handoff_job(f);
			continue;
		}
		if (r == 1 && f->header.type == MESSAGE_GRANT) {
			serve_lease(f);
			continue;
		}
		if (r == 1 && f->header.type == MESSAGE_RECALL)
			continue; /* the recall was sent twice, or after the worker had left */
		if (r == 1)
			frame_done(f);
		if (r == 0 || (r == 1 && f->header.type == MESSAGE_END))
			hooks_end(true);
		worker_give_up(WORKER_EXIT_CHANNEL);
	}
}

/* All messages use one frame, which is no further page of the stack. */
static void on_own_stack(void)
{
	AT_BIRTH static struct frame f;
	int r = init_data_take(the_worker.config);

	if (r < 0)
		birth_failed("mapping its init data", r);
	account_ready(the_worker.config->options->flags);
	hooks_init();
	ready(&f);
	loop(&f);
}

void worker_main(struct worker_config *config)
{
	/*
	 * The worker closes files itself, even if that may block: a helper process (os/closing.c)
	 * would be taken for a child that a job left.
	 */
	if (!config->prepared)
		closing_by(CLOSING_PLAIN, NULL);
	become_worker(config);
	keep_only_ours(config);
	set_manners(config);
	take_rights(config);
	birth_failed(
		"making its stack", job_stack_enter(config->options->stack_size, on_own_stack));
}
