/* SPDX-License-Identifier: MIT */
/*
 * death.c - which process is told of a death, which one inherits orphans, and what a zombie keeps
 * from being used again.
 */
#include "kernel.h"
#include "os/fds.h"
#include "os/children.h"
#include "os/proc.h"

#include <pthread.h>

TestSuite(kernel_death, .timeout = 120);

struct pids {
	_Atomic pid_t worker, child, grandchild;
};

static bool gone(pid_t pid) { return kill(pid, 0) < 0 && errno == ESRCH; }

static pid_t spawn(void)
{
	enum process_spawn way = PROCESS_AUTO;
	int pidfd = -1;
	pid_t pid = process_spawn(&way, &pidfd);

	CHECK_GE(pid, 0);
	if (pid > 0)
		close_fd(pidfd);
	return pid;
}

static void block_sigchld(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static bool sigchld_comes(pid_t *ret_pid)
{
	struct timespec bound = { .tv_sec = test_scaled(SHORT_MS) / 1000 };
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (sigtimedwait(&set, &info, &bound) != SIGCHLD)
		return false;
	*ret_pid = info.si_pid;
	return true;
}

/* ---- orphans --------------------------------------------------------------------------------- */

static bool is_worker(void *context, pid_t pid) { return pid == *(pid_t *)context; }

/*
 * A worker leaves a child behind. The subreaper gets the orphan, whose exit signal is SIGCHLD from
 * then on, whatever it was; the worker itself raised no signal.
 */
static void orphans(void)
{
	struct pids *p = case_shared();
	pid_t worker, told = 0;

	CHECK_EQ(process_set_subreaper(), 0);
	block_sigchld();
	worker = spawn();
	if (worker == 0) {
		pid_t child = spawn(); /* exit signal 0 too */

		if (child == 0)
			sleep_forever();
		p->child = child;
		sleep_forever();
	}
	CHECK(WAIT_UNTIL(p->child != 0, SHORT_MS));
	CHECK_EQ(children_reap_stray(is_worker, &worker), -ECHILD);
	CHECK_EQ(process_signal(-1, worker, SIGKILL), 0);
	CHECK_EQ(end_of(worker).status, SIGKILL);
	CHECK(WAIT_UNTIL(proc_parent(p->child) == getpid(), SHORT_MS));
	CHECK_EQ(children_reap_stray(is_worker, &worker), 0); /* it lives */
	CHECK_EQ(process_signal(-1, p->child, SIGTERM), 0);
	CHECK(sigchld_comes(&told));
	CHECK_EQ(told, p->child);
	CHECK_EQ(children_reap_stray(is_worker, &worker), p->child);
	CHECK_EQ(children_reap_stray(is_worker, &worker), -ECHILD);
}
Test(kernel_death, orphans_come_to_the_subreaper_with_sigchld) { case_run(orphans, 20000); }

static int known_count;
static pid_t known_pids[3];

static bool is_known(void *context, pid_t pid)
{
	(void)context;
	for (int i = 0; i < known_count; i++)
		if (known_pids[i] == pid)
			return true;
	return false;
}

static pid_t forked(int status)
{
	pid_t pid = fork();

	CHECK_GE(pid, 0);
	if (pid == 0)
		_exit(status);
	return pid;
}

/*
 * Workers made by fork() are seen by every wait: their zombies come before a stray's, and must
 * stay.
 */
static void known_zombies(void)
{
	pid_t stray, other;

	for (known_count = 0; known_count < 3; known_count++)
		known_pids[known_count] = forked(known_count);
	stray = forked(9);
	other = forked(10);
	for (int i = 0; i < 3; i++)
		CHECK(WAIT_UNTIL(proc_state(known_pids[i]) == 'Z', SHORT_MS));
	CHECK(WAIT_UNTIL(proc_state(stray) == 'Z' && proc_state(other) == 'Z', SHORT_MS));
	CHECK_EQ(children_reap_stray(is_known, NULL) + children_reap_stray(is_known, NULL),
		stray + other);
	CHECK_EQ(children_reap_stray(is_known, NULL), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(end_of(known_pids[i]).status, i);
	CHECK_EQ(children_reap_stray(is_known, NULL), -ECHILD);
}
Test(kernel_death, a_stray_is_reaped_past_zombies_that_have_owners)
{
	case_run(known_zombies, 20000);
}

static void children(void)
{
	pid_t made[40], listed[100];
	int count;

	for (size_t i = 0; i < ARRAY_SIZE(made); i++) {
		made[i] = i % 2 ? spawn() : fork();
		if (made[i] == 0)
			sleep_forever();
	}
	count = children_list(listed, ARRAY_SIZE(listed));
	CHECK_EQ(count, ARRAY_SIZE(made));
	for (size_t i = 0; i < ARRAY_SIZE(made); i++) {
		bool found = false;

		for (int j = 0; j < count; j++)
			found |= listed[j] == made[i];
		CHECK(found);
	}
	CHECK_EQ(children_list(listed, 7), 7);
	for (size_t i = 0; i < ARRAY_SIZE(made); i++) {
		process_signal(-1, made[i], SIGKILL);
		end_of(made[i]);
	}
	CHECK_EQ(children_list(listed, ARRAY_SIZE(listed)), 0);
}
Test(kernel_death, children_are_listed_however_they_were_made) { case_run(children, 20000); }

/* ---- the zombie pins its group --------------------------------------------------------------- */

static void pinned(void)
{
	struct pids *p = case_shared();
	struct process_exit end;
	pid_t worker;

	CHECK_EQ(process_set_subreaper(), 0);
	worker = spawn();
	if (worker == 0) {
		pid_t child;

		setsid();
		child = fork();
		if (child == 0) {
			signal(SIGTERM, SIG_IGN);
			sleep_forever();
		}
		p->child = child;
		_exit(0);
	}
	CHECK(WAIT_UNTIL(process_wait(worker, true, &end) == 1, SHORT_MS));
	CHECK_EQ(proc_group(p->child), worker);
	/* while the zombie is there no process gets its pid, as pid, group or session */
	CHECK(!gone(worker));
	CHECK_EQ(process_kill_group(worker), 0);
	CHECK(WAIT_UNTIL(process_wait(p->child, true, &end) == 1, SHORT_MS));
	CHECK_EQ(end.status, SIGKILL);
	CHECK_EQ(process_wait(p->child, false, &end), 1);
	CHECK_EQ(process_kill_group(worker), 0); /* the zombie itself is still the group */
	ends_well(worker);
	CHECK_EQ(process_kill_group(worker), -ESRCH);
	CHECK(gone(worker));
}
Test(kernel_death, a_zombie_pins_its_group) { case_run(pinned, 20000); }

/* ---- PDEATHSIG ------------------------------------------------------------------------------- */

/*
 * The child of a process that gets SIGKILL dies with it. The child's own child, which did not
 * inherit the setting, lives on, and becomes a child of the subreaper.
 */
static void pdeathsig(void)
{
	struct pids *p = case_shared();
	struct process_exit end;
	pid_t parent;

	CHECK_EQ(process_set_subreaper(), 0);
	parent = spawn();
	if (parent == 0) {
		pid_t self = getpid();

		if (spawn() == 0) {
			pid_t grandchild;

			CHECK_EQ(process_set_pdeathsig(SIGKILL, self), 0);
			grandchild = fork();
			if (grandchild == 0)
				sleep_forever();
			p->grandchild = grandchild;
			p->child = getpid();
			sleep_forever();
		}
		sleep_forever();
	}
	CHECK(WAIT_UNTIL(p->child != 0, SHORT_MS));
	CHECK_EQ(process_signal(-1, parent, SIGKILL), 0);
	CHECK_EQ(end_of(parent).status, SIGKILL);
	CHECK(WAIT_UNTIL(process_wait(p->child, true, &end) == 1, SHORT_MS));
	CHECK_EQ(end.status, SIGKILL);
	CHECK_EQ(end_of(p->child).status, SIGKILL);
	CHECK(proc_alive(p->grandchild));
	CHECK_EQ(process_signal(-1, p->grandchild, SIGKILL), 0);
	end_of(p->grandchild);
}
Test(kernel_death, pdeathsig_takes_the_child_and_not_its_child) { case_run(pdeathsig, 20000); }

/*
 * The parent is gone before the child calls prctl(): no signal will ever come, and the check of the
 * parent says so.
 */
static void birth_race(void)
{
	struct pids *p = case_shared();
	pid_t parent;

	CHECK_EQ(process_set_subreaper(), 0);
	parent = spawn();
	if (parent == 0) {
		pid_t self = getpid(), child = spawn();

		if (child == 0) {
			CHECK(WAIT_UNTIL(getppid() != self, SHORT_MS));
			CHECK_EQ(process_set_pdeathsig(SIGKILL, self), -ESRCH);
			_exit(0);
		}
		p->child = child;
		_exit(0);
	}
	ends_well(parent);
	ends_well(p->child);
	CHECK_EQ(process_set_pdeathsig(0, 1), getppid() == 1 ? 0 : -ESRCH);
}
Test(kernel_death, the_birth_race_is_noticed) { case_run(birth_race, 20000); }

static int get_pdeathsig(void)
{
	int sig = -1;

	CHECK_EQ(prctl(PR_GET_PDEATHSIG, &sig, 0L, 0L, 0L), 0);
	return sig;
}

static void cleared(void)
{
	pid_t parent = getpid(), child = spawn();

	if (child == 0) {
		CHECK_EQ(process_set_pdeathsig(SIGKILL, parent), 0);
		CHECK_EQ(get_pdeathsig(), SIGKILL);
		become_nobody();
		CHECK_EQ(get_pdeathsig(), 0);
		CHECK_EQ(process_set_pdeathsig(SIGKILL, parent), 0);
		CHECK_EQ(get_pdeathsig(), SIGKILL);
		_exit(0);
	}
	ends_well(child);
}
Test(kernel_death, pdeathsig_is_cleared_by_setuid)
{
	if (geteuid() != 0)
		cr_skip_test("only root can become somebody else");
	case_run(cleared, 20000);
}

static void *thread_that_spawns(void *context)
{
	struct pids *p = context;
	pid_t self = getpid(), pid = fork();

	if (pid == 0) {
		CHECK_EQ(process_set_pdeathsig(SIGUSR1, self), 0);
		p->child = getpid();
		sleep_forever();
	}
	CHECK(WAIT_UNTIL(p->child != 0, SHORT_MS));
	return NULL;
}

/*
 * PDEATHSIG is about the thread: so the thread that starts a child must live as long as the
 * process.
 */
static void thread_dies(void)
{
	struct pids *p = case_shared();
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, thread_that_spawns, p), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(end_of(p->child).status, SIGUSR1);
}
Test(kernel_death, pdeathsig_comes_when_the_thread_dies) { case_run(thread_dies, 20000); }

/* ---- a pidfd --------------------------------------------------------------------------------- */

static void pidfds(void)
{
	pid_t child = spawn();
	int pidfd, before = fds_count();

	if (child == 0)
		sleep_forever();
	pidfd = process_pidfd_open(child);
	CHECK_GE(pidfd, 0);
	CHECK(!readable(pidfd, 0));
	CHECK_EQ(process_signal(pidfd, child, SIGSTOP), 0);
	CHECK(WAIT_UNTIL(proc_traced_or_stopped(child), SHORT_MS));
	CHECK(!readable(pidfd, 0)); /* stopped is no end */
	CHECK_EQ(process_signal(pidfd, child, SIGKILL), 0);
	CHECK(readable(pidfd, SHORT_MS));
	CHECK(!proc_traced_or_stopped(child));
	end_of(child);
	CHECK(readable(pidfd, 0));
	CHECK_EQ(process_signal(pidfd, child, SIGKILL), -ESRCH);
	close_fd(pidfd);
	CHECK_EQ(fds_count(), before);
	CHECK_EQ(process_pidfd_open(child), -ESRCH);
	CHECK(!proc_traced_or_stopped(child));
}
Test(kernel_death, a_pidfd_tells_the_end)
{
	NEEDS_CALL(SYS_pidfd_open, 0, 0);
	case_run(pidfds, 20000);
}
