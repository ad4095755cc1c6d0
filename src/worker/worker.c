/* SPDX-License-Identifier: MIT */
/*
 * worker.c - the process in which jobs run: birth, loop, end. See worker.h for the steps, run.c for
 * a job, lease.c for what it does on lease.
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
 * The end. Ordered (END, or the channel's end): worker_exit, then flush, then _exit. Never exit():
 * the atexit handlers and destructors that the program registered before the start are the engine's
 * business. For a job that calls exit(), on_exit() says the same: it was registered last, so it
 * runs before what was inherited, but after what the job itself registered. disown.c does the same
 * for the thread_local objects of the program's main thread. Limit: quick_exit() runs the
 * at_quick_exit() handlers that the program registered.
 *
 * The channel is blocking, and ours alone; but a job can do to it what it likes. So: EAGAIN means
 * poll(), an fd that is no longer the channel means _exit (the job's fault, and its verdict), never
 * a message to a stranger.
 */
#define _GNU_SOURCE
#include "memory.h"
#include "stack.h"
#include "state.h"

#include "../base/base.h"
#include "../os/closing.h"
#include "../os/fds.h"
#include "../os/output.h"
#include "../os/mark.h"
#include "../os/process.h"
#include "../os/self.h"
#include "../os/shm.h"
#include "../os/signals.h"
#include "../os/title.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define FDS_WAIT_NS NS_PER_S /* that a message waits for the kernel to take its fds */

struct worker the_worker;

bool worker_is_self(void) { return the_worker.pid != 0 && getpid() == the_worker.pid; }

bool worker_is_forked(void) { return the_worker.pid != 0 && getpid() != the_worker.pid; }

void worker_give_up(enum worker_exit why)
{
	if (worker_is_self())
		atomic_store(&the_worker.desk->gave_up, (uint32_t)why);
	_exit((int)why);
}

int worker_rearm(void)
{
	return worker_is_self() ? process_set_pdeathsig(SIGKILL, the_worker.config->supervisor_pid)
				: -EPERM;
}

/* ---- the channel ---- */

/* Is it still ours? Asked the first time after a job that could have changed that. */
void worker_check_channel(void)
{
	if (the_worker.suspect_channel &&
		!identity_is(the_worker.config->channel_fd, &the_worker.channel))
		worker_give_up(WORKER_EXIT_CHANNEL);
	the_worker.suspect_channel = false;
}

/*
 * What is short here POLLOUT would not wait for. Memory comes back; but what is in flight
 * (ETOOMANYREFS) counts for the whole user, and some other job can hold it for as long as it likes:
 * it is not to cost this one more than its files. Nor may it last: a worker that has done its job
 * and does not say so is taken for stuck.
 */
bool worker_waits(int r, const struct frame *f, uint64_t *since)
{
	uint64_t now = now_ns();

	if (r != -ENOBUFS && r != -ENOMEM && r != -ETOOMANYREFS)
		return false;
	*since = *since ? *since : now;
	if (f->fds_count > 0 && now - *since >= FDS_WAIT_NS)
		return false;
	poll(NULL, 0, 1);
	return true;
}

static void leave_fds_out(struct frame *f, int r)
{
	worker_log(0, BROOD_WARNING,
		"the files that come with a job's reply are dropped: the kernel does not take them "
		"(error %d)",
		-r);
	f->fds_count = 0;
}

/* Its files are left out when they cannot be sent: the rest is what is waited for. */
void worker_say(struct frame *f)
{
	const int fd = the_worker.config->channel_fd;
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	uint64_t since = 0;
	int r;

	for (;;) {
		worker_check_channel();
		r = frame_send(fd, f);
		if (r >= 0)
			return;
		if (r == -EAGAIN)
			poll(&p, 1, -1);
		else if (worker_waits(r, f, &since))
			continue;
		else if (since && f->fds_count > 0)
			leave_fds_out(f, r);
		else
			worker_give_up(WORKER_EXIT_CHANNEL);
	}
}

/* A line of the worker's own, through the jobs' way to the log. Dropped rather than waited for. */
void worker_log(uint64_t job, enum brood_level level, const char *format, ...)
{
	struct frame f;
	va_list arguments;

	frame_begin(&f, MESSAGE_JOB_LOG);
	f.job_log.id = job;
	f.job_log.level = level;
	va_start(arguments, format);
	vsnprintf(f.job_log.text, sizeof f.job_log.text, format, arguments);
	va_end(arguments);
	frame_send(the_worker.config->channel_fd, &f);
}

static int hear(struct frame *f)
{
	struct pollfd p = { .fd = the_worker.config->channel_fd, .events = POLLIN };
	int r;

	while ((r = frame_receive(p.fd, f, 0)) == -EAGAIN) /* a job made it non-blocking */
		poll(&p, 1, -1);
	return r;
}

/* ---- birth ---- */

static __attribute__((noreturn)) void birth_failed(const char *what, int r)
{
	worker_log(0, BROOD_ERR, "this worker cannot begin: %s (error %d)", what, -r);
	worker_give_up(WORKER_EXIT_BIRTH);
}

/* Fields first, pid last: the guard looks at an entry only when it has a pid. */
static void sign_roster(const struct worker_config *c)
{
	struct roster_entry *entry = &c->shared->roster->workers[c->slot];

	atomic_store(&entry->pid, 0);
	entry->generation = c->generation;
	entry->born_ticks = process_boot_ticks();
	atomic_store_explicit(&entry->pid, the_worker.pid, memory_order_release);
}

static void become_worker(struct worker_config *c)
{
	sigset_t old;

	signals_block_all(&old);
	the_worker.config = c;
	the_worker.pid = getpid();
	the_worker.desk = shared_desk(c->shared, c->slot);
	if (process_set_pdeathsig(SIGKILL, c->supervisor_pid) < 0 || setsid() < 0)
		worker_give_up(WORKER_EXIT_BIRTH);
	sign_roster(c);
	/* before code of the program: a job that spins must not keep the supervisor from running */
	process_drop_real_time();
	shared_keep_desk(c->shared, c->slot);
	if (process_set_subreaper() < 0 || identity_get(c->channel_fd, &the_worker.channel) < 0)
		worker_give_up(WORKER_EXIT_BIRTH);
}

static void keep_only_ours(struct worker_config *c)
{
	int keep[FDS_KEEP_MAX];
	size_t n = 0;
	int r;

	keep[n++] = c->channel_fd;
	keep[n++] = c->init_memfd;
	for (uint32_t i = 0; i < c->init_fds_count; i++)
		keep[n++] = c->init_fds[i];
	for (size_t i = 0; i < c->options->keep_fds_count; i++)
		keep[n++] = c->options->keep_fds[i];
	stale_take_locked(&c->stale);
	n += stale_keep_in_worker(&c->stale, keep + n);
	r = fds_close_all_but(keep, n);
	if (r >= 0)
		r = fds_null_onto(STDIN_FILENO, O_RDONLY);
	if (r >= 0)
		r = fds_fill_standard();
	if (r < 0)
		birth_failed("setting up its files", r);
	flags_open_own();
	__fpurge(stdin); /* what the program had read ahead is not a job's */
}

/* Runs at exit(), in the worker and in children that a job forked. */
static void at_exit(int status, void *unused)
{
	const int error = errno;

	(void)unused;
	memory_note_death(error);
	output_flush();
	_exit(status);
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

static void set_manners(const struct worker_config *c)
{
	char title[32];
	int r;

	if (!c->core || c->options->flags & BROOD_NO_CORE)
		forbid_cores();
	if (c->oom_score_adj != -1001)
		/* refused in some containers: it only sorts victims */
		process_set_oom_score_adj(c->oom_score_adj);
	mark_self(c->mark); /* by one of the two the sweep tells strays */
	snprintf(title, sizeof title, "worker %u", c->slot);
	title_set(title);
	worker_disown_thread_locals();
	memory_open(c->options);
	if (on_exit(at_exit, NULL) != 0)
		birth_failed("setting up its exit", -ENOMEM);
	r = worker_signals_prepare(c->options);
	if (r < 0)
		birth_failed("setting up its signals", r);
}

static int map_init_data(struct worker_config *c)
{
	struct stat st;
	void *data;

	if (c->init_memfd < 0 || c->init_data_size == 0)
		return 0;
	if (fstat(c->init_memfd, &st) < 0)
		return -errno;
	if (st.st_size < 0 || (uint64_t)st.st_size < c->init_data_size)
		return -EINVAL; /* reading it would be a SIGBUS */
	data = mmap(NULL, (size_t)c->init_data_size, PROT_READ, MAP_PRIVATE, c->init_memfd, 0);
	if (data == MAP_FAILED)
		return -errno;
	the_worker.init_data.data = data;
	the_worker.init_data.data_size = (size_t)c->init_data_size;
	return 0;
}

static void take_init_data(struct worker_config *c)
{
	int r = map_init_data(c);

	if (r < 0)
		birth_failed("mapping its init data", r);
	c->init_memfd = close_fd(c->init_memfd);
	the_worker.init_data.size = sizeof the_worker.init_data;
	the_worker.init_data.version = c->init_version;
	the_worker.init_data.fds = c->init_fds_count ? c->init_fds : NULL;
	the_worker.init_data.fds_count = c->init_fds_count;
}

int brood_get_init_data(struct brood_init_data *ret_data) BROOD_NOEXCEPT
{
	if (!ret_data)
		return -EINVAL;
	/* that is set in workers and inline mode */
	if (!worker_is_self() && the_worker.init_data.size == 0)
		return -EPERM;
	*ret_data = the_worker.init_data;
	return 0;
}

void worker_inline_init_data(const struct brood_init_data *data)
{
	static const struct brood_init_data none;

	the_worker.init_data = data ? *data : none;
	the_worker.init_data.size = sizeof the_worker.init_data;
}

/* ---- hooks ---- */

static int call_init(void *arg)
{
	const struct brood_options *o = arg;

	return o->worker_init(o->hook_context);
}

static int call_exit(void *arg)
{
	const struct brood_options *o = arg;

	o->worker_exit(o->hook_context);
	return 0;
}

static void hook_escaped(void *arg, int how)
{
	(void)arg;
	if (worker_is_self())
		worker_log(0, BROOD_WARNING, "a hook of this worker left by %s",
			how == ESCAPED_LONGJMP ? "longjmp()" : "pthread_exit()");
	worker_give_up(WORKER_EXIT_INIT);
}

static int run_hook(int (*call)(void *))
{
	struct job_frame frame = { .call = call,
		.arg = (void *)(uintptr_t)the_worker.config->options,
		.escaped = hook_escaped };
	int r = job_frame_run(&frame);

	if (!worker_is_self())
		/* a child of the hook came back: for it that is the end */
		exit(r);
	return r;
}

static void init(void)
{
	int r;

	if (!the_worker.config->options->worker_init)
		return;
	flags_note();
	self_keep();
	r = run_hook(call_init);
	flags_put_back(false);                   /* of what is shared; */
	standard_note_own(&the_worker.standard); /* its own are as the hook wants them */
	if (r == 0)
		return;
	worker_log(0, BROOD_WARNING, "worker_init returned %d: this worker ends", r);
	output_flush();
	worker_give_up(WORKER_EXIT_INIT);
}

void worker_end(bool with_hook)
{
	if (with_hook) {
		if (the_worker.config->options->worker_exit)
			run_hook(call_exit);
		output_flush();
	}
	_exit(WORKER_EXIT_ORDERLY);
}

/* ---- ready, and the loop ---- */

static void ready(void)
{
	const struct worker_config *c = the_worker.config;
	struct rlimit files;
	struct frame f;
	unsigned blind;
	int r;

	worker_signals_ready();
	blind = self_settle();
	r = hygiene_snapshot(&the_worker.hygiene);
	if (r < 0)
		birth_failed("looking at itself", r);
	r = memory_limit(c->options);
	if (r < 0)
		worker_log(0, BROOD_WARNING, "worker_memory cannot be enforced (error %d)", -r);
	the_worker.files = getrlimit(RLIMIT_NOFILE, &files) < 0 ? 0 : files.rlim_cur;
	frame_begin(&f, MESSAGE_READY);
	f.ready = (struct message_ready){
		.pid = the_worker.pid, .generation = c->generation, .blind = blind
	};
	worker_say(&f);
}

static __attribute__((noreturn)) void loop(void)
{
	static struct frame f;
	int r;

	for (;;) {
		r = hear(&f);
		if (r == 1 && f.header.type == MESSAGE_RUN) {
			worker_handoff(&f);
			continue;
		}
		if (r == 1 && f.header.type == MESSAGE_LEND) {
			worker_lend(&f);
			continue;
		}
		if (r == 1 && f.header.type == MESSAGE_LEAVE)
			continue; /* said twice, or when it had left already */
		if (r == 1)
			frame_done(&f);
		if (r == 0 || (r == 1 && f.header.type == MESSAGE_END))
			worker_end(true);
		worker_give_up(WORKER_EXIT_CHANNEL);
	}
}

static void on_own_stack(void)
{
	take_init_data(the_worker.config);
	account_ready(&the_worker.account, the_worker.config->options->flags);
	init();
	ready();
	loop();
}

void worker_main(struct worker_config *config)
{
	/* a child of its own would be taken for one that a job left */
	closing_by(CLOSING_PLAIN, NULL);
	become_worker(config);
	keep_only_ours(config);
	set_manners(config);
	birth_failed(
		"making its stack", worker_stack_enter(config->options->stack_size, on_own_stack));
}
