/* SPDX-License-Identifier: MIT */
/*
 * sessions.c - finds and kills the processes of a worker's session.
 *
 * The walk over all processes is in pids.h. If a walk met no process of the session that could
 * fork, none is left. A process with SIGKILL pending cannot fork any more (the kernel checks for
 * signals under the lock that makes a child visible). So the walk does not wait until it is dead,
 * which may take a while.
 *
 * A pid may be reused between the look and the kill. So a pidfd pins the process, and a second look
 * at its start time and session proves that it is the right one. Only where there is no pidfd, or
 * none can be had now, kill() must do, right after the second look.
 */
#include "sessions.h"
#include "proc.h"
#include "process.h"
#include "mark.h"
#include "pids.h"

#define HIDDEN_MAX 1024
/*
 * One bit for each pid, modulo. With it most processes are told apart without a look at the list.
 */
#define FILTER_BITS 65536

struct walk {
	const pid_t *sessions;
	size_t count;
	pid_t self, own;
	int killed, found;
	uint64_t filter[FILTER_BITS / 64];
	/* killed processes that /proc hides: nothing tells whether they are dead yet */
	pid_t hidden[HIDDEN_MAX];
	size_t hidden_count;
};

static unsigned filter_bit(pid_t pid) { return (unsigned)pid % FILTER_BITS; }

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

/* Returns 1: it still is this process; 0: it is gone, or another one; or -errno. */
static int still_the_same(const struct proc_stat *before)
{
	struct proc_stat now;
	int r = proc_stat(before->pid, &now);

	if (r < 0)
		return r == -ESRCH ? 0 : r;
	return now.start_ticks == before->start_ticks && now.session == before->session;
}

static int kill_checked(const struct proc_stat *s)
{
	_cleanup_close_ int pidfd = process_pidfd_open(s->pid);
	int same;

	if (pidfd == -ESRCH)
		return -ESRCH;
	same = still_the_same(s);
	if (same < 0) { /* the pidfd may have taken the last free fd */
		pidfd = close_fd(pidfd);
		same = still_the_same(s);
	}
	if (same <= 0)
		return same < 0 ? same : -ESRCH;
	return process_signal(pidfd, s->pid, SIGKILL);
}

/* True: this process was killed before. False: it is noted as killed now. */
static bool was_killed(struct walk *w, pid_t pid)
{
	for (size_t i = 0; i < w->hidden_count; i++)
		if (w->hidden[i] == pid)
			return true;
	if (w->hidden_count < HIDDEN_MAX)
		w->hidden[w->hidden_count++] = pid;
	return false;
}

/*
 * /proc hides this process. Its session is asked again when the pidfd pins the process. The mark
 * proves that this is the session that was meant, and not another one with the same number.
 */
static int kill_hidden(struct walk *w, pid_t pid)
{
	_cleanup_close_ int pidfd = process_pidfd_open(pid);

	if (pidfd == -ESRCH || !wanted(w, getsid(pid)) || (mark_is_made() && mark_of(pid) == 0) ||
		was_killed(w, pid))
		return -ESRCH;
	return process_signal(pidfd, pid, SIGKILL);
}

static int kill_one(void *context, int pid)
{
	struct walk *w = context;
	struct proc_stat s;
	pid_t session;
	int r;

	if (pid <= 1 || pid == w->self)
		return 0;
	/*
	 * getsid() is twenty times cheaper than the stat file, which is read only when getsid()
	 * cannot tell.
	 */
	session = getsid(pid);
	if (session >= 0 ? !wanted(w, session) : errno == ESRCH)
		return 0;
	r = proc_stat(pid, &s);
	if (r == -ESRCH && session > 0 && pids_hidden()) {
		r = kill_hidden(w, pid);
		w->killed += r == 0;
		w->found += r == 0;
		return 0;
	}
	if (r < 0 ? r == -ESRCH || session < 0 : s.doomed || !wanted(w, s.session))
		return 0;
	/*
	 * Without fds or memory nothing can be read now, so the session that getsid() told a moment
	 * ago must do.
	 */
	r = r < 0 ? process_signal(-1, pid, SIGKILL) : kill_checked(&s);
	w->killed += r == 0;
	/*
	 * EPERM: the process belongs to another user (a set-id program). Another round would change
	 * nothing.
	 */
	w->found += r != -EPERM;
	return 0;
}

int sessions_kill(const pid_t *sessions, size_t count, int rounds)
{
	struct walk w = {
		.sessions = sessions, .count = count, .self = getpid(), .own = getsid(0)
	};
	int r = 0;

	for (size_t i = 0; i < count; i++)
		w.filter[filter_bit(sessions[i]) / 64] |= 1ull << filter_bit(sessions[i]) % 64;
	for (int i = 0; i < rounds; i++) {
		struct pids_walk walk;

		w.found = 0;
		walk = pids_walk(kill_one, &w);
		r = walk.error;
		if (walk.complete && w.found == 0)
			break;
	}
	return r < 0 && w.killed == 0 ? r : w.killed;
}
