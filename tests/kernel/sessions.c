/* SPDX-License-Identifier: MIT */
/*
 * sessions.c - killing whole sessions: whatever state their processes are in, while they fork, and
 * no other process.
 */
#include "kernel.h"
#include "os/fds.h"
#include "os/pids.h"
#include "os/proc.h"
#include "os/sessions.h"

#include <sys/resource.h>

TestSuite(kernel_sessions, .timeout = 120);

#define ROUNDS 100
#define FAMILY 5 /* children of the leader */

struct stats_page {
	_Atomic int ready;
	_Atomic pid_t pids[64];
	_Atomic int forks;
};

static pid_t in_session(void (*body)(void))
{
	struct stats_page *b = case_shared();
	int ready = b->ready;
	pid_t pid = fork();

	CHECK_GE(pid, 0);
	if (pid == 0) {
		setsid();
		body();
		sleep_forever();
	}
	CHECK(WAIT_UNTIL(b->ready > ready, SHORT_MS));
	return pid;
}

static void tell(void)
{
	struct stats_page *b = case_shared();

	b->pids[b->ready] = getpid();
	b->ready++;
}

static void alone(void) { tell(); }

/* Reaps all children. All of them must have been killed. */
static int reap_killed(void)
{
	int count = 0, status;

	for (;;) {
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid < 0)
			return count;
		if (pid > 0) {
			CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
			count++;
			continue;
		}
		test_pause(5);
	}
}

static void family(void)
{
	struct stats_page *b = case_shared();
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };

	for (int i = 0; i < FAMILY; i++) {
		if (fork() != 0) {
			CHECK(WAIT_UNTIL(b->ready > i, SHORT_MS));
			continue;
		}
		for (size_t s = 0; s < ARRAY_SIZE(signals); s++)
			signal(signals[s], SIG_IGN);
		if (i % 2)
			/* job control: a group of its own in the same session */
			setpgid(0, 0);
		tell();
		if (i == 2)
			raise(SIGSTOP);
		sleep_forever();
	}
	CHECK(WAIT_UNTIL(proc_state(b->pids[2]) == 'T', SHORT_MS));
	tell();
}

static void whole_family(void)
{
	pid_t leader;
	int before, killed;

	CHECK_EQ(process_set_subreaper(), 0);
	leader = in_session(family);
	CHECK(WAIT_UNTIL(((struct stats_page *)case_shared())->ready == FAMILY + 1, SHORT_MS));
	before = fds_count();
	killed = sessions_kill(&leader, 1, ROUNDS);
	CHECK_EQ(fds_count(), before);
	CHECK_EQ(killed, FAMILY + 1);
	CHECK_EQ(reap_killed(), FAMILY + 1);
	CHECK_EQ(sessions_kill(&leader, 1, ROUNDS), 0);
}
static void family_without_pidfd(void)
{
	refuse(SYS_pidfd_open, ENOSYS);
	whole_family();
}
static void family_at_the_limit(void)
{
	refuse(SYS_pidfd_open, EMFILE);
	whole_family();
}
static void family_without_send(void)
{
	refuse(SYS_pidfd_send_signal, ENOSYS);
	whole_family();
}
static void family_without_getsid(void)
{
	refuse(SYS_getsid, EPERM);
	whole_family();
}

Test(kernel_sessions, stopped_deaf_and_in_groups) { case_run(whole_family, 20000); }
Test(kernel_sessions, without_pidfds)
{
	NEEDS_FILTERS();
	case_run(family_without_pidfd, 20000);
	case_run(family_at_the_limit, 20000);
	case_run(family_without_send, 20000);
	case_run(family_without_getsid, 20000);
}

/* The session's leader is long gone: the session lives on in its members. */
static void leave(void)
{
	if (fork() == 0) {
		tell();
		sleep_forever();
	}
	_exit(0);
}

static void leaderless(void)
{
	pid_t leader;

	CHECK_EQ(process_set_subreaper(), 0);
	leader = in_session(leave);
	ends_well(leader);
	CHECK_EQ(sessions_kill(&leader, 1, ROUNDS), 1);
	CHECK_EQ(reap_killed(), 1);
}
Test(kernel_sessions, without_a_leader) { case_run(leaderless, 20000); }

/* ---- while it forks -------------------------------------------------------------------------- */

/*
 * Each process forks a successor and ends, several at a time: no walk over /proc finds them all
 * standing still.
 */
static void chain(void)
{
	struct stats_page *b = case_shared();

	for (int i = 0; i < 4; i++)
		if (fork() == 0)
			for (;;) {
				b->forks++;
				if (fork() != 0)
					_exit(0);
			}
	tell();
}

static void in_flight(void)
{
	struct stats_page *b = case_shared();

	CHECK_EQ(process_set_subreaper(), 0);
	signal(SIGCHLD, SIG_IGN); /* the dead of the chain go by themselves */
	for (int i = 0; i < 10; i++) {
		int forks = b->forks;
		pid_t leader = in_session(chain);

		CHECK(WAIT_UNTIL(b->forks > forks + 100, SHORT_MS));
		CHECK_GT(sessions_kill(&leader, 1, 10000), 0);
		/*
		 * All are dying and cannot fork, so they end. (A process that has got SIGKILL and
		 * has not begun to exit looks alive, but is not.)
		 */
		CHECK(WAIT_UNTIL(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, SHORT_MS));
		forks = b->forks;
		CHECK_EQ(sessions_kill(&leader, 1, 1), 0);
		CHECK_EQ(b->forks, forks);
	}
}
Test(kernel_sessions, while_it_forks) { case_run(in_flight, 60000); }

/* ---- nobody else ----------------------------------------------------------------------------- */

static void others(void)
{
	pid_t mine = fork(), theirs, list[5];

	if (mine == 0)
		sleep_forever();
	theirs = in_session(alone);
	list[0] = 0;
	list[1] = 1;
	list[2] = -1;
	list[3] = getsid(0);
	/* has the bit of the filter, and can be no process's pid */
	list[4] = theirs % 65536 + (1 << 23);
	CHECK_EQ(sessions_kill(list, ARRAY_SIZE(list), ROUNDS), 0);
	CHECK_EQ(sessions_kill(NULL, 0, ROUNDS), 0);
	CHECK_EQ(sessions_kill(&theirs, 1, 0), 0);
	CHECK(proc_alive(mine) && proc_alive(theirs));
	kill(mine, SIGKILL);
	end_of(mine);
	CHECK_EQ(sessions_kill(&theirs, 1, ROUNDS), 1);
	end_of(theirs);
}
Test(kernel_sessions, nobody_else_is_hit) { case_run(others, 20000); }

/* The caller itself may stand in a session of the list: then this entry is passed over. */
static void itself(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pid_t self = setsid();

		CHECK_EQ(sessions_kill(&self, 1, ROUNDS), 0);
		_exit(0);
	}
	ends_well(pid);
}
Test(kernel_sessions, never_itself) { case_run(itself, 20000); }

static void many(void)
{
	static pid_t list[40];

	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		list[i] = in_session(alone);
	CHECK_EQ(sessions_kill(list, ARRAY_SIZE(list), ROUNDS), ARRAY_SIZE(list));
	CHECK_EQ(reap_killed(), ARRAY_SIZE(list));
}
Test(kernel_sessions, many_at_once) { case_run(many, 20000); }

static void no_fds(void)
{
	pid_t leader = in_session(alone);
	struct rlimit limit, tight;
	int r;

	getrlimit(RLIMIT_NOFILE, &limit);
	tight = limit;
	tight.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &tight);
	r = sessions_kill(&leader, 1, 2);
	CHECK_EQ(r, -EMFILE);
	/*
	 * one file for the walk, one for what it reads, none for a pidfd; then one for the walk
	 * alone
	 */
	for (tight.rlim_cur = 5; tight.rlim_cur >= 4; tight.rlim_cur--) {
		setrlimit(RLIMIT_NOFILE, &tight);
		r = sessions_kill(&leader, 1, 1);
		setrlimit(RLIMIT_NOFILE, &limit);
		CHECK_EQ(r, 1);
		CHECK_EQ(end_of(leader).status, SIGKILL);
		leader = in_session(alone);
	}
	sessions_kill(&leader, 1, ROUNDS);
	end_of(leader);
}
Test(kernel_sessions, with_hardly_an_fd) { case_run(no_fds, 20000); }

/* A set-id program must not be signalled: that is no reason to try for ever. */
static void not_ours(void)
{
	int life[2];
	pid_t leader;

	CHECK_EQ(pipe2(life, O_CLOEXEC), 0);
	leader = fork();
	if (leader == 0) {
		char c;

		setsid();
		close(life[1]);
		tell();
		_exit((int)read(life[0], &c, 1));
	}
	CHECK(WAIT_UNTIL(((struct stats_page *)case_shared())->ready == 1, SHORT_MS));
	become_nobody();
	CHECK_EQ(sessions_kill(&leader, 1, 100000000), 0);
	close(life[1]);
	ends_well(leader);
}
Test(kernel_sessions, what_may_not_be_signalled)
{
	if (geteuid() != 0)
		cr_skip_test("only root can become somebody else");
	case_run(not_ours, 20000);
}

/* ---- listing --------------------------------------------------------------------------------- */

struct family {
	pid_t session;
	int count;
};

static int look_at(void *context, int pid)
{
	struct family *f = context;
	struct proc_stat s;

	if (proc_stat(pid, &s) < 0 || s.session != f->session)
		return 0;
	f->count++;
	CHECK_EQ(s.threads, 1);
	CHECK(!s.doomed);
	return 0;
}

static int members(pid_t session)
{
	struct family f = { .session = session };

	CHECK(pids_walk(look_at, &f).complete);
	return f.count;
}

static void listing(void)
{
	uint64_t before = proc_boot_ticks();
	struct proc_stat s;
	pid_t leader;

	CHECK_EQ(process_set_subreaper(), 0);
	leader = in_session(family);
	CHECK(WAIT_UNTIL(((struct stats_page *)case_shared())->ready == FAMILY + 1, SHORT_MS));
	CHECK_EQ(members(leader), FAMILY + 1);
	CHECK_EQ(proc_stat(leader, &s), 0);
	CHECK_EQ(s.pid, leader);
	CHECK_EQ(s.ppid, getpid());
	CHECK_EQ(s.pgid, leader);
	CHECK_EQ(s.session, leader);
	CHECK_EQ(s.state, 'S');
	CHECK_GE(s.start_ticks, before); /* the same clock, the same unit */
	CHECK_LE(s.start_ticks, proc_boot_ticks());
	CHECK_EQ(proc_stat(0, &s), -ESRCH);
	CHECK_EQ(sessions_kill(&leader, 1, ROUNDS), FAMILY + 1);
	CHECK(WAIT_UNTIL(proc_stat(leader, &s) == 0 && s.state == 'Z', SHORT_MS));
	CHECK(s.exiting && s.doomed);
	reap_killed();
	CHECK_EQ(proc_stat(leader, &s), -ESRCH);
	CHECK_EQ(members(leader), 0);
}
Test(kernel_sessions, listing) { case_run(listing, 20000); }

/* A process name with everything that could mislead a parser. */
static void names(void)
{
	static const char *const odd[] = { ") R 1 1 1", "a b", "((((", "))))", " ", ") Z 1",
		"x\ny" };
	struct proc_stat s;

	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		CHECK_EQ(prctl(PR_SET_NAME, odd[i], 0L, 0L, 0L), 0);
		CHECK_EQ(proc_stat(getpid(), &s), 0);
		CHECK_STR(s.comm, odd[i]);
		CHECK_EQ(s.ppid, getppid());
		CHECK_EQ(s.session, getsid(0));
		CHECK(!s.exiting);
	}
}
Test(kernel_sessions, odd_names) { case_run(names, 20000); }

/* ---- the mark that a job's children carry ---------------------------------------------------- */

static void mark(void)
{
	int own, adj = 5555;
	pid_t pid;

	CHECK_EQ(proc_oom_score_adj(0, &own), 0);
	CHECK_EQ(proc_set_oom_score_adj(MIN(own + PROC_OOM_MARK, 1000)), 0);
	CHECK_EQ(proc_oom_score_adj(0, &adj), 0);
	CHECK_EQ(adj, MIN(own + PROC_OOM_MARK, 1000));
	pid = fork();
	if (pid == 0) {
		setsid();
		CHECK_EQ(proc_oom_score_adj(getpid(), &adj), 0);
		CHECK_EQ(adj, MIN(own + PROC_OOM_MARK, 1000));
		execl("/bin/sh", "sh", "-c", "read a </proc/$$/oom_score_adj; exit $((a % 200))",
			NULL);
		_exit(127);
	}
	CHECK_EQ(end_of(pid).status, MIN(own + PROC_OOM_MARK, 1000) % 200);
	CHECK_EQ(proc_oom_score_adj(pid, &adj), -ESRCH);
	CHECK_LT(proc_set_oom_score_adj(5000), 0);
}
Test(kernel_sessions, the_oom_mark_is_inherited) { case_run(mark, 20000); }
