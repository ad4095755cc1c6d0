/* SPDX-License-Identifier: MIT */
/*
 * guard.c - keeps law 3 (nothing outlives the supervisor) when the supervisor itself was killed.
 *
 * PDEATHSIG ends the engine, the spawner and the workers, but not the processes that jobs started:
 * these have other parents. So the guard kills all sessions in which workers are, or were. The
 * roster has these sessions, also those of spawners that were replaced. A worker signs its entry
 * there before any code of the program runs in it, and cannot write there later.
 *
 * The guard sleeps in one poll() on the supervisor's pidfd, and on a signalfd for its own
 * PDEATHSIG. In a sandbox or valgrind without pidfds the signal alone wakes it. The signal is only
 * a hint: the guard then looks whether its parent is still the supervisor.
 *
 * The guard allocates no memory when it is needed: the list of sessions is mapped at its birth, and
 * the walks over /proc need one or two fds.
 *
 * A pid may have been used again since its worker was reaped (the supervisor clears the entry then,
 * but may have been killed right before): so a process that started later than its entry was signed
 * is a stranger, and is spared. While any member of a session lives, the kernel gives the session's
 * number to no other process: so a session without a leader is still the one in the roster.
 *
 * A process that has made a session of its own is found by the mark that all of the pool's workers
 * had (os/mark.h).
 *
 * The guard blocks every signal that can be blocked: a signal that is sent to the whole group or
 * cgroup at a stop must not end the guard first. It notes such signals in the roster, where the
 * supervisor learns that the engine got them as well.
 */
#include "guard.h"

#include "../os/fds.h"
#include "../os/proc.h"
#include "../os/sessions.h"
#include "../os/hunt.h"
#include "../os/leaf.h"
#include "../os/mark.h"
#include "../os/process.h"
#include "../os/signals.h"
#include "../os/title.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/signalfd.h>

#define HINT    SIGUSR1 /* the guard's PDEATHSIG; blocked, for it must not end the guard */
#define HUNT_NS (10 * NS_PER_S)
/*
 * The most walks over /proc. A job can fork faster than the guard walks, but each walk kills the
 * processes that it meets, so there are fewer and fewer parents.
 */
#define ROUNDS 50

struct guard {
	struct roster *roster;
	pid_t supervisor_pid;
	int pidfd, signal_fd; /* -1: the fd could not be had */
	pid_t *sessions;      /* has room for all pids of the roster */
};

static bool orphaned(const struct guard *g) { return getppid() != g->supervisor_pid; }

static void set_manners(const struct guard_config *c)
{
	signals_block_all(NULL);
	signals_block_abort();
	setsid();
	signals_default_all(NULL, 0);
	fds_close_all_but(c->leaves, c->leaves_count);
	for (int fd = 0; fd < 3; fd++)
		fds_null_onto(fd, O_RDWR);
	if (chdir("/") < 0)
		return; /* without chdir() the guard only keeps some directory busy */
}

static int hint_fd(void)
{
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signals_fd(&set);
}

/*
 * The signal and the pidfd do not tell of a supervisor that has ended before they were set up. So
 * orphaned() is asked once after that.
 */
static void watch(struct guard *g)
{
	g->signal_fd = hint_fd();
	process_set_pdeathsig(HINT, g->supervisor_pid);
	g->pidfd = process_pidfd_open(g->supervisor_pid);
}

static void note_signals(struct guard *g)
{
	struct signalfd_siginfo info;

	while (signals_read(g->signal_fd, &info) > 0) {
		struct roster_heard *heard = &g->roster->heard[info.ssi_signo % ROSTER_SIGNALS];

		atomic_store_explicit(&heard->from, (int32_t)info.ssi_pid, memory_order_relaxed);
		atomic_store_explicit(&heard->ns, now_ns(), memory_order_release);
	}
}

static void sleep_until_orphaned(struct guard *g)
{
	while (!orphaned(g)) {
		struct pollfd p[2] = { { .fd = g->pidfd, .events = POLLIN },
			{ .fd = g->signal_fd, .events = POLLIN } };

		/*
		 * poll() ignores a negative fd. If neither fd could be had at birth, nothing wakes
		 * the guard, so it looks every 20 ms.
		 */
		if (poll(p, 2, g->pidfd < 0 && g->signal_fd < 0 ? 20 : -1) < 0)
			continue;
		if (p[0].revents)
			/*
			 * The pidfd is readable: the supervisor has ended, though getppid() may not
			 * say so yet.
			 */
			return;
		if (p[1].revents)
			note_signals(g);
	}
}

/*
 * True: the process with this pid is not the one in the roster, for it started after the entry was
 * signed, at `born`. Where /proc hides the process, its mark decides.
 */
static bool stranger(pid_t pid, uint64_t born)
{
	struct proc_stat stat;

	if (proc_stat(pid, &stat) == 0)
		return stat.start_ticks > born;
	return mark_of(pid) == 0 && mark_is_made(); /* only the mark is left */
}

static void kill_engine(const struct guard *g)
{
	pid_t pid = atomic_load_explicit(&g->roster->engine_pid, memory_order_acquire);
	int pidfd;

	if (pid <= 1)
		return;
	/* opened before the check, which then holds for the process behind the pidfd */
	pidfd = process_pidfd_open(pid);
	if (pidfd != -ESRCH && !stranger(pid, g->roster->engine_born_ticks))
		process_signal(pidfd, pid, SIGKILL);
	close_fd(pidfd);
}

/*
 * Kills the group of a worker that still is there, if only as a zombie: then the number can be no
 * other group's. What is left of the groups of other workers is found by session and mark. The mark
 * is asked first: that is ten times cheaper than to read /proc, and there may be thousands of
 * workers.
 */
static void kill_group(pid_t pid, uint64_t born)
{
	struct proc_stat stat;

	if (mark_of(pid) > 0 || (proc_stat(pid, &stat) == 0 && stat.start_ticks <= born))
		process_kill_group(pid);
}

/*
 * True: the session is not the one in the roster, for its leader started later than the entry was
 * signed. A session without a leader is the one in the roster.
 */
static bool strange_session(pid_t session, uint64_t born)
{
	struct proc_stat leader;

	return proc_stat(session, &leader) == 0 && leader.start_ticks > born;
}

/*
 * True: the session is in the list already. The search begins at the end, since workers next to
 * each other in the roster mostly share the session that was added last.
 */
static bool is_listed(const struct guard *g, pid_t session, size_t count)
{
	while (count > 0)
		if (g->sessions[--count] == session)
			return true;
	return false;
}

/*
 * Kills the workers' groups, and fills g->sessions with the sessions of the roster, each once.
 * Returns how many sessions there are.
 */
static size_t kill_groups(struct guard *g, uint32_t slots)
{
	size_t count = 0;

	for (size_t i = 0; i < ROSTER_ENTRIES(slots); i++) {
		const struct roster_entry *entry = &g->roster->workers[i];
		pid_t pid = atomic_load_explicit(&entry->pid, memory_order_acquire);
		pid_t session = atomic_load_explicit(&entry->session, memory_order_relaxed);

		if (pid <= 1)
			continue;
		kill_group(pid, entry->born_ticks);
		/* a session that a worker made for itself is in no other entry: do not search */
		if (session > 1 && (session == pid || !is_listed(g, session, count)) &&
			!strange_session(session, entry->born_ticks))
			g->sessions[count++] = session;
	}
	return count;
}

/* True: the process has the mark of some worker of this brood, whatever session it is in. */
static bool is_prey(void *unused, pid_t pid)
{
	(void)unused;
	return mark_of(pid) > 0;
}

/*
 * Kills all that is in the pools' cgroups, at once and without /proc. This ends workers and what
 * their jobs have started, unless a job has moved a process out of its cgroup.
 */
static void kill_leaves(const struct guard_config *c)
{
	for (size_t i = 0; i < c->leaves_count; i++)
		leaf_kill(c->leaves[i]);
}

/*
 * Groups come first: that is quick, and ends a fork bomb. Then come processes that made a group or
 * a session of their own.
 */
static void kill_all(struct guard *g, uint32_t slots)
{
	size_t count;

	kill_engine(g);
	count = kill_groups(g, slots);
	if (mark_is_made())
		hunt(is_prey, NULL, now_ns() + HUNT_NS);
	if (count > 0)
		sessions_kill(g->sessions, count, ROUNDS);
}

static pid_t *map_sessions(uint32_t slots)
{
	void *p = mmap(NULL, ROSTER_ENTRIES(slots) * sizeof(pid_t), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void guard_main(struct guard_config *config)
{
	struct guard g = { .roster = config->shared->roster,
		.supervisor_pid = config->supervisor_pid,
		.pidfd = -1,
		.signal_fd = -1 };
	uint32_t slots = config->shared->slots;

	set_manners(config);
	shared_keep_guard(config->shared);
	title_set("guard");
	g.sessions = map_sessions(slots);
	if (!g.sessions)
		_exit(1); /* the supervisor makes another guard */
	watch(&g);
	sleep_until_orphaned(&g);
	kill_leaves(config);
	kill_all(&g, slots);
	_exit(0);
}
