/* SPDX-License-Identifier: MIT */
/*
 * start.c - the front door: brood_start().
 *
 * One process becomes many here, so the order is everything. What can fail is done before the fork,
 * step by step (prepare()), and each step can be taken back (undo()): a start that fails leaves no
 * fd, no mapping, no signal and no variable behind. After the fork only steps are left that cannot
 * fail, or are tried again until they succeed.
 *
 *   the caller's process:  options, threads, limits, text, signals, shared memory, sockets, engine,
 *                          supervisor, fork()
 *     the child:           engine. Takes its own ends, drops the supervisor's, gets its signals
 *                          back, and returns from brood_start()
 *     the parent:          supervisor. Drops all that is not its own (supervisor_run) and never
 *                          returns. Makes the guard, and the spawner if there are many workers;
 *                          spawner or supervisor make the workers. Their main functions are handed
 *                          over here, because the roles do not know each other
 *
 * Who writes a job's verdict: by handoff the supervisor, on a lease the engine's library
 * (wire/message.h). Who owns a handed-off job's fd: the supervisor until the verdict. Who kills:
 * the supervisor, and the guard once the supervisor is dead. Who owns memory: everyone their own
 * image; what is shared is in wire/shared.h.
 *
 * The trap: brood_start() may be called again after it failed, from a worker, from a child that the
 * engine forked, or twice. role.c tells these cases apart.
 */
#define _GNU_SOURCE
#include "../guard/guard.h"
#include "../inline/inline.h"
#include "../os/proc.h"
#include "../os/fds.h"
#include "../os/output.h"
#include "../os/process.h"
#include "../os/role.h"
#include "../os/sockets.h"
#include "../os/stack.h"
#include "../os/text.h"
#include "../os/title.h"
#include "../wire/control_request.h"
#include "../wire/last_words.h"
#include "capacity.h"
#include "hazards.h"
#include "inherited.h"
#include "control_path.h"
#include "open_files.h"
#include "resolve.h"
#include "rights_trial.h"
#include "../spawner/spawner.h"
#include "../supervisor/supervisor.h"
#include "surroundings.h"
#include "../worker/image.h"
#include "../worker/main.h"
#include "../worker/worker.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/*
 * All that a start has opened so far. After success it stays valid for life, for all roles use the
 * options and the shared memory.
 */
struct start {
	struct resolved resolved;
	bool standard_was_closed[3];
	struct signals_state signals;
	struct shared shared;
	struct stale stale;
	struct standard standard;
	struct notify notify;
	struct delegated delegated;
	struct capacity_lines tight;
	struct hazards_lines hazards;
	struct inherited inherited;
	/* Kept fds. The fds are the same in both until the fork. */
	struct kept kept, supervisors_kept;
	uint32_t kept_room;
	struct listening listening;
	int messages[2], logs[2]; /* [0] is the engine's end, [1] the supervisor's */
	struct brood *brood;
	struct supervisor *supervisor;
	/* In the engine: the supervisor's memory, unused; kept so that a leak checker finds it. */
	struct supervisor *left_behind;
};

static struct start the_start;
static bool failure_told; /* the service manager has heard of a start that failed */

int brood_rearm(void)
{
	switch (brood_role()) {
	case BROOD_ROLE_ENGINE: return the_start.brood ? engine_rearm(the_start.brood) : 0;
	case BROOD_ROLE_WORKER: return worker_rearm();
	default: engine_error("brood_rearm: for the engine and for workers only"); return -EPERM;
	}
}

/* -errno with a sentence: what could not be done, and what the kernel said. */
static int refused(int r, const char *what)
{
	const char *why = strerrordesc_np(-r);

	engine_error("brood_start: %s: %s%s", what, why ? why : "unknown error",
		r == -EMFILE           ? "; raise RLIMIT_NOFILE (LimitNOFILE=, ulimit -n)"
			: r == -ENFILE ? "; raise fs.file-max"
				       : "");
	return r;
}

static int check_threads(void)
{
	char names[256] = "";
	int count = proc_thread_count();

	if (count < 0)
		return refused(count, "counting the program's threads");
	if (count <= 1)
		return 0;
	proc_thread_names(names, sizeof names);
	engine_error("brood_start: the program has %d threads beside this one (%s), and a fork "
		     "would leave their locks behind for ever: call it "
		     "before they are started; a library that starts threads in a constructor must "
		     "be loaded later",
		count - 1, names);
	return -EBUSY;
}

/* What costs workers or jobs, but lets some run, is told in the log: capacity.c, hazards.c. */
static int check_capacity(struct start *s)
{
	struct capacity limits;
	struct hazards hazards;

	hazards_look("", &hazards);
	hazards_judge(&hazards, &s->resolved.pools, &s->hazards);
	capacity_look("", &limits);
	return capacity_judge(&limits, &s->resolved.pools, &s->tight);
}

static int prepare_notify(struct start *s)
{
	int r = notify_from_environment(&s->notify);

	if (r < 0)
		engine_error("brood_start: NOTIFY_SOCKET is \"%s\": systemd sets a path or an "
			     "abstract name (@...) there; unset it",
			getenv("NOTIFY_SOCKET"));
	return r;
}

static int prepare_standard_fds(struct start *s)
{
	for (int fd = 0; fd < 3; fd++)
		s->standard_was_closed[fd] = fcntl(fd, F_GETFD) < 0;
	return fds_fill_standard();
}

static void leave_standard_fds(const struct start *s)
{
	for (int fd = 0; fd < 3; fd++)
		if (s->standard_was_closed[fd])
			close_fd(fd);
}

/* Called before the library opens anything that stays open. */
static int prepare_stale(struct start *s)
{
	const struct brood_options *o = &s->resolved.options;
	int r = stale_survey(&s->stale, o->keep_fds, o->keep_fds_count);

	if (r == -E2BIG)
		engine_error("brood_start: too many open files have fcntl locks");
	else if (r < 0)
		return refused(r, "a look at the files that are open");
	if (r < 0)
		return r;
	return open_files_check(
		&s->resolved, stale_open(&s->stale), s->inherited.count, &s->kept_room);
}

/*
 * The supervisor's table has room for names, too, that are forgotten and of which the service
 * manager has not heard yet.
 */
static int prepare_kept(struct start *s)
{
	bool stores = s->notify.path_size > 0 && inherited_store_room() > 0;
	int r = kept_init(&s->kept, s->kept_room, false);

	if (r >= 0)
		r = kept_init(&s->supervisors_kept, s->kept_room + KEPT_MAX, stores);
	if (r >= 0)
		r = inherited_take(&s->inherited, &s->kept, &s->supervisors_kept);
	return r;
}

static void undo_kept(struct start *s)
{
	int fds[KEPT_MAX];

	for (uint32_t n = kept_find(&s->kept, NULL, fds, KEPT_MAX); n > 0;)
		close_fd(fds[--n]);
	kept_free(&s->kept);
	kept_free(&s->supervisors_kept);
}

static uint32_t all_places(const struct pool_setups *pools)
{
	const struct pool_setup *last = &pools->list[pools->count - 1];

	return last->first_slot + last->places;
}

static int prepare_memory_and_fds(struct start *s)
{
	int r;

	if ((r = role_prepare()) < 0 || (r = text_snapshot()) < 0)
		return refused(r, "memory");
	stack_note(); /* if the stack is not found, workers map one for their jobs */
	if ((r = prepare_standard_fds(s)) < 0)
		return refused(r, "/dev/null for stdin, stdout or stderr, which are closed");
	if ((r = prepare_stale(s)) < 0)
		return r;
	if ((r = shared_create_visible(
		     all_places(&s->resolved.pools), s->resolved.pools.count, &s->shared)) < 0)
		return refused(r, "shared memory");
	standard_look(&s->standard);
	if ((r = prepare_notify(s)) < 0)
		return r;
	if ((r = prepare_kept(s)) < 0)
		return refused(r, "the files that were passed to this process (LISTEN_FDS)");
	if ((r = sockets_pair(SOCK_SEQPACKET, s->messages)) < 0 ||
		(r = sockets_pair(SOCK_SEQPACKET, s->logs)) < 0)
		return refused(r, "the channel's sockets");
	return control_path_open(s->resolved.options.control_path, &s->listening);
}

static uint32_t all_records(const struct pool_setups *pools)
{
	uint32_t count = 0;

	for_each_setup(pool, pools) count += pool_setup_records(&pool->options);
	return count;
}

static int prepare_roles(struct start *s)
{
	struct engine_config engine = {
		.options = &s->resolved.options,
		.pools = s->resolved.pools,
		.shared = &s->shared,
		.channel_fd = s->messages[0],
		.log_fd = s->logs[0],
		.records = all_records(&s->resolved.pools),
		.supervisor_pid = getpid(),
		.kept = s->kept,
	};
	struct supervisor_config supervisor = {
		.options = engine.options,
		.pools = s->resolved.pools,
		.shared = &s->shared,
		.notify = s->notify,
		.delegated = &s->delegated,
		.failure_told = failure_told,
		.records = engine.records,
		.stale = s->stale,
		.tight = { s->tight.tasks, s->tight.memory, s->inherited.line },
		.hazards = { s->hazards.oom_group, s->hazards.signals, s->hazards.memory },
		.kept = s->supervisors_kept,
		.kept_room = s->kept_room,
		.store_room = inherited_store_room(),
		.standard = s->standard,
		.channel_fd = s->messages[1],
		.log_fd = s->logs[1],
		.listening = s->listening,
		.signals = s->signals,
		.worker_main = worker_main,
		.worker_image = image_prepare,
		.guard_main = guard_main,
		.spawner_main = birth_by_spawner(&s->resolved.pools) ? spawner_main : NULL,
	};
	int r = engine_prepare(&engine, &s->brood);

	if (r < 0)
		return refused(r, "the engine's memory and fds");
	r = supervisor_prepare(&supervisor, &s->supervisor);
	if (r < 0)
		return refused(r, "the supervisor's memory and fds");
	return 0;
}

static void close_pair(int fds[2])
{
	close_fdp(&fds[0]);
	close_fdp(&fds[1]);
}

/* Takes back whatever prepare() did, in the other order. */
static void undo(struct start *s)
{
	s->supervisor = supervisor_free(s->supervisor);
	s->brood = engine_free(s->brood);
	close_pair(s->messages);
	close_pair(s->logs);
	notify_close(&s->notify);
	undo_kept(s);
	listening_end(&s->listening);
	shared_free(&s->shared);
	stale_free(&s->stale);
	leave_standard_fds(s);
	role_undo();
	resolve_free(&s->resolved);
}

static _Noreturn void become_supervisor(struct start *s, pid_t engine_pid, int placeholder)
{
	int pidfd;

	/*
	 * The placeholder was opened before the fork, so that the engine's pidfd now has a place in
	 * the table of open files. Memory may still be short, or the system's table full: that
	 * passes. A kernel without pidfds gives -1.
	 */
	close_fd(placeholder);
	notify_hide();
	inherited_hide();
	while ((pidfd = process_pidfd_open(engine_pid)) == -ENOMEM || pidfd == -ENFILE ||
		pidfd == -EMFILE)
		poll(NULL, 0, 1);
	/* otherwise each worker would have page tables for the engine's records */
	s->brood = engine_free(s->brood);
	supervisor_run(s->supervisor, engine_pid, pidfd < 0 ? -1 : pidfd);
}

/* A child that the engine forks inherits the handler, but is not the engine. */
static void at_exit(void)
{
	if (brood_role() == BROOD_ROLE_ENGINE && the_start.brood)
		engine_at_exit(the_start.brood);
}

/*
 * Registers the atexit() handler before the fork, because a start cannot fail any more in the
 * engine, after the fork. The handler is registered once: if the start fails later, the handler
 * stays for a second start. The handler does nothing in a process that is no engine.
 */
static int prepare_exit(void)
{
	static bool registered;

	registered = registered || atexit(at_exit) == 0;
	return registered ? 0 : -ENOMEM;
}

static int become_engine(struct start *s, int placeholder, struct brood **ret_brood)
{
	int r;

	role_take(ROLE_WORKERS);
	close_fd(placeholder);
	r = engine_adopt(s->brood);
	if (r == -ESRCH)
		/* The supervisor is gone already: nothing may outlive it. */
		signals_die_like(SIGKILL);
	supervisor_leave(s->supervisor);
	s->left_behind = s->supervisor;
	s->supervisor = NULL;
	shared_keep_engine(&s->shared);
	stale_free(&s->stale);
	title_set("engine");
	/* the program's own abort() stays as it is where no service manager sends SIGABRT */
	if (s->notify.path_size > 0 || s->notify.watchdog_us > 0)
		last_words_prepare(&s->shared, "engine",
			s->resolved.options.title ? s->resolved.options.title
						  : program_invocation_short_name);
	leave_standard_fds(s);
	notify_hide();
	inherited_rename(&s->inherited);
	inherited_close_on_exec(&s->inherited);
	closing_by(CLOSING_SIBLING, s->shared.tally->closers[1]);
	if (r < 0)
		return refused(r, "the engine's first steps");
	*ret_brood = s->brood;
	return 0;
}

static int start_processes(struct start *s, struct brood **ret_brood)
{
	int placeholder, r;
	pid_t pid;

	inherited_look(&s->inherited);
	signals_save(&s->signals);
	if ((r = prepare_memory_and_fds(s)) < 0 || (r = prepare_roles(s)) < 0)
		return r;
	placeholder = process_pidfd_open(getpid());
	if (placeholder < 0 && placeholder != -ENOSYS && placeholder != -EPERM)
		return refused(placeholder, "a pidfd");
	if ((r = prepare_exit()) < 0) {
		close_fd(placeholder);
		return refused(r, "memory for a handler of exit()");
	}
	title_init(s->resolved.options.title);
	role_begin(true);
	output_flush();
	if (!(s->resolved.options.flags & BROOD_NO_CGROUPS))
		delegated_take(&s->delegated); /* all that is forked from here on is in it, too */
	pid = fork();
	if (pid == 0)
		return become_engine(s, placeholder, ret_brood);
	if (pid > 0)
		become_supervisor(s, pid, placeholder);
	r = -errno;
	delegated_give_back(&s->delegated);
	role_begin(false);
	close_fd(placeholder);
	return refused(r, "fork");
}

static int start_inline(struct start *s, struct brood **ret_brood)
{
	int r;

	if ((r = role_prepare()) < 0 || (r = text_snapshot()) < 0)
		return refused(r, "memory");
	inherited_look(&s->inherited);
	s->kept_room = KEPT_MAX;
	if ((r = prepare_kept(s)) < 0)
		return refused(r, "the files that were passed to this process (LISTEN_FDS)");
	r = inline_start(&s->resolved.pools, &s->kept, ret_brood);
	if (r == 0) {
		role_take(ROLE_INLINE);
		inherited_close_on_exec(&s->inherited);
	}
	return r;
}

static int check_role(struct brood **ret_brood)
{
	switch (brood_role()) {
	case BROOD_ROLE_NONE:
		if (ret_brood)
			return 0;
		engine_error("brood_start: ret_brood is NULL");
		return -EINVAL;
	case BROOD_ROLE_ENGINE:
		engine_error("brood_start: this program has been started already, and can be only "
			     "once");
		return -EALREADY;
	default: return engine_role_check("brood_start", ret_brood);
	}
}

/* A start that fails: the service manager hears why, for the program will probably end now. */
static void tell_failure(int error)
{
	struct notify notify;
	char text[600];
	int size;

	if (notify_from_environment(&notify) < 0 || notify.path_size == 0)
		return;
	size = snprintf(text, sizeof text, "STATUS=%.500s\nERRNO=%d", engine_error_text(), -error);
	for (char *c = text; c < strrchr(text, '\n') && size > 0; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
	failure_told = notify_send(&notify, text) == 0;
	notify_close(&notify);
}

int brood_start(const struct brood_options *options, struct brood **ret_brood)
{
	struct start *s = &the_start;
	int r = check_role(ret_brood);

	if (r < 0)
		return r;
	memset(s, 0, sizeof *s);
	s->messages[0] = s->messages[1] = s->logs[0] = s->logs[1] = s->notify.fd = s->listening.fd =
		s->delegated.fd = -1;
	r = resolve_options(options, &s->resolved);
	if (r < 0) {
		tell_failure(r);
		return r;
	}
	if (s->resolved.options.flags & BROOD_INLINE)
		r = start_inline(s, ret_brood);
	else if ((r = check_threads()) == 0 && (r = surroundings_check()) == 0 &&
		(r = check_capacity(s)) == 0 && (r = rights_trial(&s->resolved.pools)) == 0)
		r = start_processes(s, ret_brood);
	if (r < 0 && brood_role() == BROOD_ROLE_NONE) {
		undo(s);
		tell_failure(r);
	}
	return r;
}
