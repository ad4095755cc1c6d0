/* SPDX-License-Identifier: MIT */
/*
 * hygiene.c - looks for what a job left behind in its worker, says so, and puts right what it can.
 *
 * "Left" is a difference from the snapshot that was made when worker_init had returned, so what the
 * program itself set up there (a thread, a timer, a blocked signal) is nobody's fault. A check is
 * one cheap system call; all together take about 8 us on a slow virtual machine, most of it for the
 * dispositions (one call a signal). So after a job that ran for less than HYGIENE_SHORT_NS only the
 * signals that jobs really do change are checked, and a few of the others in turn: a change of
 * these is put right within a few jobs, but only the verdict of a job that ran longer tells of it.
 *
 * A job needs a system call to change any of that, and not any call will do. So there is no look
 * after a job that made none, or harmless ones alone (conduct.h).
 *
 * Order: timers and pending signals are removed before the mask is put back, since a signal is
 * delivered when it is unblocked; dispositions come last. Not covered: locale, environment,
 * resource limits, priority, credentials, real-time signals' dispositions, memory that the job
 * freed or leaked (but see worker_memory).
 */
#define _GNU_SOURCE
#include "hygiene.h"

#include "../os/process.h"
#include "../os/self.h"
#include "../os/syscalls.h"
#include "files.h"
#include "handlers.h"
#include "memory.h"
#include "report.h"
#include "worker.h"

#include <limits.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#define HYGIENE_SHORT_NS (200 * NS_PER_US)
/* More timers than these in one job are not worth finding one by one. */
#define POSIX_TIMERS_MAX 4096

static const int itimers[3] = { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF };

/* The state of the process when it said READY. */
static struct hygiene {
	int threads, fds; /* fds < 0: open files cannot be counted here */
	int threads_now;  /* how many threads the last look found */
	bool standard_open[3];
	/* The files at 0 to 2. Replacing one of them does not change how many files are open. */
	struct identity standard[3];
	bool children;      /* worker_init left children: those of a job cannot be told apart */
	bool children_kept; /* a former job left children, and the options tolerate that */
	bool itimers[3];    /* which of these timers ran at READY: they are not a job's */
	/* The kernel numbers timers upwards: a job's begin with this number. -1: no timers here. */
	int posix_timer;
	sigset_t mask;
	mode_t umask;
	bool cwd_known;
	struct identity cwd;
	char cwd_path[PATH_MAX];
	stack_t alternate;
} the_hygiene;

bool hygiene_others;

/* ---- one check for each kind of residue ---- */

static bool has_children(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 ||
		errno != ECHILD;
}

static void reap(void)
{
	siginfo_t info = { 0 };

	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WALL) == 0 && info.si_pid != 0)
		info.si_pid = 0;
}

/*
 * Returns the number that the kernel gives to the next timer, by making one and deleting it; -1:
 * none can be made. A timer made by SIGEV_THREAD brings a thread, too.
 */
static int next_posix_timer(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	int id;

	if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id) < 0)
		return -1;
	syscall(SYS_timer_delete, id);
	return id;
}

static bool left_posix_timers(struct hygiene *h, bool *broken)
{
	int next, deleted = 0;

	if (h->posix_timer < 0)
		return false;
	next = next_posix_timer();
	if (next < 0)
		/*
		 * No timer could be made: other processes of this user took all that
		 * RLIMIT_SIGPENDING allows. The job is not at fault; timers that it left are found
		 * by the next look.
		 */
		return false;
	/*
	 * The numbers began anew, or there are far too many timers: deleting them one by one is
	 * hopeless.
	 */
	if (next < h->posix_timer || next - h->posix_timer > POSIX_TIMERS_MAX) {
		*broken = true;
		return true;
	}
	for (int id = h->posix_timer; id < next; id++)
		deleted += syscall(SYS_timer_delete, id) == 0;
	h->posix_timer = next + 1;
	return deleted > 0;
}

static bool left_itimers(const struct hygiene *h)
{
	const struct itimerval zero = { 0 };
	struct itimerval old;
	bool left = false;

	for (size_t i = 0; i < ARRAY_SIZE(itimers); i++)
		if (!h->itimers[i] && setitimer((__itimer_which_t)itimers[i], &zero, &old) == 0)
			left |= old.it_value.tv_sec != 0 || old.it_value.tv_usec != 0;
	return left;
}

/*
 * Unblocking would deliver to the worker the signals that wait behind the mask. They belong to the
 * job that is over.
 */
static void drop_pending(const sigset_t *blocked)
{
	const struct timespec at_once = { 0, 0 };

	while (sigtimedwait(blocked, NULL, &at_once) > 0)
		;
}

static bool left_mask(const struct hygiene *h)
{
	sigset_t now;

	if (sigprocmask(SIG_BLOCK, NULL, &now) < 0 ||
		handlers_mask(&now) == handlers_mask(&h->mask))
		return false;
	drop_pending(&now);
	sigprocmask(SIG_SETMASK, &h->mask, NULL);
	return true;
}

static bool left_cwd(const struct hygiene *h, bool *broken)
{
	struct stat st;

	if (!h->cwd_known ||
		(stat(".", &st) == 0 && st.st_dev == h->cwd.device && st.st_ino == h->cwd.inode))
		return false;
	if (chdir(h->cwd_path) < 0 || stat(".", &st) < 0 || st.st_dev != h->cwd.device ||
		st.st_ino != h->cwd.inode)
		*broken = true;
	return true;
}

/*
 * Puts the alternate stack back. This comes before all other checks: the job may have freed the
 * memory of its own alternate stack, and the handler of a late soft step would run there.
 */
static bool left_alternate(const struct hygiene *h)
{
	stack_t now;

	if (sigaltstack(NULL, &now) < 0 ||
		(now.ss_sp == h->alternate.ss_sp && now.ss_size == h->alternate.ss_size &&
			now.ss_flags == h->alternate.ss_flags))
		return false;
	sigaltstack(&h->alternate, NULL);
	return true;
}

/*
 * True: the number of open files differs by residue. Stand-ins (os/stale.h) that a job closed are
 * no residue: a library closes what it believes to be its old file. So no file counts as missing
 * for them, and none as too many if it took such a number (the library has connected again).
 */
static bool count_differs(struct hygiene *h)
{
	int count = self_files();

	if (count < 0 || count >= h->fds)
		return count != h->fds;
	if ((int)stale_closed(&the_worker.config->stale) < h->fds - count)
		return true;
	h->fds = count;
	return false;
}

static bool left_files(struct hygiene *h)
{
	if (h->fds >= 0 && count_differs(h))
		return true;
	for (int fd = 0; fd < (int)ARRAY_SIZE(h->standard); fd++)
		if (h->standard_open[fd] && !identity_is(fd, &h->standard[fd]))
			return true;
	return false;
}

/*
 * Puts the worker back into its process group, if a job has changed it. In another group the worker
 * would die with the leader of that group, or its children would live on when it is killed. A
 * worker that leads a session cannot change its group, so the kernel is not asked there: a filter
 * of a pool without a spawner may lack getpgrp().
 */
static bool left_group(void)
{
	pid_t group = the_worker.config->session > 0 ? getpgrp() : -1;

	if (group < 0 || group == the_worker.pid)
		return false;
	setpgid(0, 0);
	return true;
}

/*
 * Orphans of a subreaper's descendants become its children. So a process without children has no
 * descendants. Children made with CLONE_PARENT are the supervisor's: it is told of each job that
 * made system calls (report_called()). A handler of the program's own (keep_signals) may make one
 * right after this look, between two jobs.
 */
static void settle_offspring(bool children, int threads)
{
	if (!children && threads == 1 && process_is_subreaper() &&
		the_worker.config->options->keep_signals_count == 0)
		atomic_store_explicit(&the_worker.page->offspring, 0, memory_order_relaxed);
}

void hygiene_offspring(void)
{
	if (atomic_load_explicit(&the_worker.page->offspring, memory_order_relaxed))
		settle_offspring(has_children(), self_threads(1));
}

/* ---- all checks together ---- */

static void note_files(struct hygiene *h)
{
	for (int fd = 0; fd < (int)ARRAY_SIZE(h->standard); fd++)
		h->standard_open[fd] = identity_get(fd, &h->standard[fd]) == 0;
	h->fds = self_files();
}

int hygiene_snapshot(void)
{
	struct hygiene *h = &the_hygiene;
	struct itimerval timer;
	int r;

	h->threads = self_threads(1);
	hygiene_others = h->threads > 1;
	h->children = has_children();
	for (size_t i = 0; i < ARRAY_SIZE(itimers); i++)
		h->itimers[i] = getitimer((__itimer_which_t)itimers[i], &timer) == 0 &&
			(timer.it_value.tv_sec || timer.it_value.tv_usec);
	h->posix_timer = next_posix_timer();
	if (h->posix_timer >= 0)
		h->posix_timer++;
	if (sigprocmask(SIG_BLOCK, NULL, &h->mask) < 0)
		return -errno;
	h->umask = umask(0);
	umask(h->umask);
	r = handlers_snapshot();
	if (r < 0)
		return r;
	if (sigaltstack(NULL, &h->alternate) < 0)
		return -errno;
	h->cwd_known = getcwd(h->cwd_path, sizeof h->cwd_path) && h->cwd_path[0] == '/';
	if (h->cwd_known) {
		struct stat st;

		h->cwd_known = stat(".", &st) == 0;
		if (h->cwd_known)
			h->cwd = (struct identity){ .device = st.st_dev, .inode = st.st_ino };
	}
	note_files(h);
	return 0;
}

/*
 * In the image: workers begin without a blocked signal, and the kernel numbers the timers of each
 * process anew.
 */
int hygiene_prepare(void)
{
	int r = hygiene_snapshot();

	sigemptyset(&the_hygiene.mask);
	the_hygiene.posix_timer = MIN(the_hygiene.posix_timer, 0);
	return r;
}

void hygiene_inherit(int more)
{
	/* Writes only where needed: a write copies a page that is shared with the spawner. */
	if (more != 0)
		hygiene_fds(more);
	for (int fd = STDOUT_FILENO; fd < (int)ARRAY_SIZE(the_hygiene.standard); fd++)
		if (files_own(fd))
			identity_get(fd, &the_hygiene.standard[fd]);
}

/* Looks for residue that costs the worker unless it is tolerated. */
static uint32_t look(struct hygiene *h)
{
	int threads = self_threads(h->threads);
	bool children = !h->children && has_children();
	uint32_t left = 0;

	h->threads_now = threads;
	if (threads > h->threads)
		left |= BROOD_LEFT_THREADS;
	if (threads == -EBADF)
		left |= BROOD_LEFT_FDS;
	if (children && !h->children_kept)
		left |= BROOD_LEFT_CHILDREN;
	h->children_kept &= children;
	hygiene_others = threads > 1 || children;
	settle_offspring(children || h->children, threads);
	if (left_files(h))
		left |= BROOD_LEFT_FDS;
	if (left_group())
		left |= BROOD_LEFT_GROUP;
	if (memory_near())
		left |= BROOD_LEFT_MEMORY;
	return left;
}

/* ran_ns: how long the job ran. Rare checks must not make a short job long. */
static uint32_t restore(struct hygiene *h, uint64_t ran_ns, bool *broken)
{
	uint32_t left = left_alternate(h) ? BROOD_LEFT_HANDLERS : 0;

	left |= look(h);
	files_put_back_flags(left & BROOD_LEFT_FDS ? h->standard : NULL);
	if (left_itimers(h))
		left |= BROOD_LEFT_TIMERS;
	if (left_posix_timers(h, broken))
		left |= BROOD_LEFT_TIMERS;
	if (left_mask(h))
		left |= BROOD_LEFT_MASK;
	if (left_cwd(h, broken))
		left |= BROOD_LEFT_CWD;
	if (umask(h->umask) != h->umask)
		left |= BROOD_LEFT_UMASK;
	if (handlers_left(ran_ns > HYGIENE_SHORT_NS))
		left |= BROOD_LEFT_HANDLERS;
	return left;
}

/*
 * A residue that a job was allowed to leave is no later job's fault: from now on it counts as what
 * was there before. While a child that was allowed lives, children of later jobs cannot be told
 * from it, so no job is blamed for children.
 */
static void tolerate(struct hygiene *h, uint32_t left)
{
	if (left & BROOD_LEFT_THREADS)
		h->threads = self_threads(h->threads_now);
	if (left & BROOD_LEFT_FDS)
		note_files(h);
	if (left & BROOD_LEFT_MEMORY)
		memory_tolerated();
	if (left & BROOD_LEFT_CHILDREN)
		h->children_kept = true;
	if (!h->children_kept)
		return;
	reap();
	h->children_kept = has_children();
}

static struct hygiene_ending ending(uint32_t left, bool broken)
{
	const uint32_t costly = BROOD_LEFT_THREADS | BROOD_LEFT_FDS | BROOD_LEFT_CHILDREN |
		BROOD_LEFT_MEMORY | BROOD_LEFT_GROUP;
	struct hygiene_ending e = { .left = left,
		.retiring = broken || (left & costly & ~the_worker.config->options->tolerate) };

	if (!e.retiring)
		tolerate(&the_hygiene, left);
	return e;
}

struct hygiene_ending hygiene_look(uint64_t ran_ns)
{
	bool broken = false, told = report_called();
	uint32_t left;

	syscalls_pause(); /* the job may have begun or ended the watch, and the look is 35 calls */
	left = restore(&the_hygiene, ran_ns, &broken);
	if (!told)
		worker_may_fork(); /* else nobody looks for children made with CLONE_PARENT */
	return ending(left, broken);
}

bool hygiene_looks_a_little(bool memory) { return memory || handlers_of_program; }

struct hygiene_ending hygiene_look_a_little(bool memory)
{
	struct hygiene *h = &the_hygiene;
	uint32_t left = (memory && memory_near() ? BROOD_LEFT_MEMORY : 0) |
		(handlers_of_program && left_mask(h) ? BROOD_LEFT_MASK : 0);

	return left ? ending(left, false) : (struct hygiene_ending){ 0 };
}

void hygiene_fds(int more) { the_hygiene.fds = the_hygiene.fds < 0 ? -1 : the_hygiene.fds + more; }
