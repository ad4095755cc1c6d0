/*
 * sessions.c - process.h: finding and killing what a worker's session holds.
 *
 * A walk over /proc is no snapshot. A process may be born behind the walk's back, so a session is empty only when a whole walk met none that could still fork: each
 * newborn has a parent, and that parent was alive in this walk or the one before. Those with SIGKILL pending cannot fork any more (the kernel checks under the lock that
 * makes a child visible) and are not waited for: death itself may take its time.
 *
 * A pid may be reused between the look and the kill: the pidfd pins the process, and a second look at its start time and session says that it is the right one. Only where
 * there are no pidfds, or none to be had now, kill() has to do, right after that second look.
 */
#include "process.h"
#include "../base/base.h"
#include "procfs.h"

#define FILTER_BITS 65536             /* one bit a pid, modulo: most processes are told apart without a look at the list */

struct walk {
	const pid_t *sessions;
	size_t count;
	pid_t self, own;
	int killed, found;
	uint64_t filter[FILTER_BITS / 64];
};

static unsigned filter_bit(pid_t pid)
{
	return (unsigned)pid % FILTER_BITS;
}

static bool wanted(const struct walk *w, pid_t session)
{
	unsigned bit = filter_bit(session);

	if (session <= 1 || session == w->own || !(w->filter[bit / 64] >> bit % 64 & 1))
		return false;
	for (size_t i = 0; i < w->count; i++)
		if (w->sessions[i] == session)
			return true;
	return false;
}

/* getsid() is twenty times cheaper than the stat file; only what it cannot tell is read. */
static bool maybe_wanted(const struct walk *w, pid_t pid)
{
	pid_t session = getsid(pid);

	return session >= 0 ? wanted(w, session) : errno != ESRCH;
}

static bool still_the_same(const struct process_stat *before)
{
	struct process_stat now;

	return process_stat(before->pid, &now) == 0 && now.start_ticks == before->start_ticks && now.session == before->session;
}

static bool kill_checked(const struct process_stat *s)
{
	_cleanup_close_ int pidfd = process_pidfd_open(s->pid);

	return pidfd != -ESRCH && still_the_same(s) && process_signal(pidfd, s->pid, SIGKILL, 0) == 0;
}

static int kill_one(void *context, int pid, int walk_fd)
{
	struct walk *w = context;
	struct process_stat s;

	(void)walk_fd;
	if (pid <= 1 || pid == w->self || !maybe_wanted(w, pid))
		return 0;
	if (process_stat(pid, &s) < 0 || s.doomed || !wanted(w, s.session))
		return 0;
	w->found++;
	w->killed += kill_checked(&s);
	return 0;
}

int process_kill_sessions(const pid_t *sessions, size_t count, int rounds)
{
	struct walk w = { .sessions = sessions, .count = count, .self = getpid(), .own = getsid(0) };
	int r = 0;

	if (!procfs_has_our_pids())
		return -ENOENT;
	for (size_t i = 0; i < count; i++)
		w.filter[filter_bit(sessions[i]) / 64] |= 1ull << filter_bit(sessions[i]) % 64;
	for (int i = 0; i < rounds; i++) {
		w.found = 0;
		r = procfs_each("/proc", kill_one, &w);
		if (r == 0 && w.found == 0)
			break;
	}
	return r < 0 && w.killed == 0 ? r : w.killed;
}

struct search { pid_t session; void (*each)(void *context, const struct process_stat *stat); void *context; int count; };

static int look_at(void *context, int pid, int walk_fd)
{
	struct search *search = context;
	struct process_stat s;
	pid_t session = getsid(pid);

	(void)walk_fd;
	if (session >= 0 ? session != search->session : errno == ESRCH)
		return 0;
	if (process_stat(pid, &s) < 0 || s.session != search->session)
		return 0;
	search->count++;
	search->each(search->context, &s);
	return 0;
}

int process_each_in_session(pid_t session, void (*each)(void *context, const struct process_stat *stat), void *context)
{
	struct search search = { .session = session, .each = each, .context = context };
	int r = procfs_each("/proc", look_at, &search);

	return r < 0 ? r : search.count;
}
