/* SPDX-License-Identifier: MIT */
/*
 * guard.c - law 3 by the guard alone. A process plays the supervisor: it makes guard, engine and a
 * worker whose job starts children, and is killed. The end of each case proves that nothing is
 * left. A process that the guard must not kill says so itself.
 */
#define _GNU_SOURCE
#include "../helpers/fake.h"
#include "../../src/guard/guard.h"

#include <criterion/criterion.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(guard, .timeout = 60);

#define CHILDREN 5
struct family {
	_Atomic pid_t supervisor, guard, engine, worker, children[CHILDREN];
	atomic_int ready;
};
static struct family *family(void) { return case_shared(); }

static struct fake fake;

static void __attribute__((noreturn)) sleeps(int i)
{
	if (i == 1)
		setpgid(0, 0); /* a group of its own in the same session */
	if (i == 2)
		signal(SIGTERM, SIG_IGN);
	family()->children[i] = getpid();
	if (i == 3)
		raise(SIGSTOP);
	/* its parent is gone and did not wait for it */
	if (i == 4)
		for (pid_t parent = getppid(); getppid() == parent;)
			usleep(1000);
	for (;;)
		pause();
}

static int starts_children(struct brood_job *job)
{
	(void)job;
	for (int i = 0; i < CHILDREN; i++) {
		pid_t pid = fork();

		if (pid == 0 && i == 4 && fork() != 0)
			_exit(0);
		if (pid == 0)
			sleeps(i);
		if (i == 4)
			waitpid(pid, NULL, 0);
	}
	return 0;
}

static pid_t make_guard(void)
{
	struct guard_config config = { .shared = &fake.shared, .supervisor_pid = getpid() };
	enum process_spawn way = PROCESS_AUTO;
	int pidfd = -1;
	pid_t pid = process_spawn(&way, &pidfd);

	CHECK_GE(pid, 0);
	if (pid == 0)
		guard_main(&config);
	return pid;
}

/* it has no PDEATHSIG, so the guard has to kill it */
static pid_t make_engine(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	fake.shared.roster->engine_born_ticks = proc_boot_ticks();
	atomic_store(&fake.shared.roster->engine_pid, pid);
	return pid;
}

/*
 * An entry that the supervisor had no time to clear: its pid belongs to another process now, which
 * the guard must leave alone.
 */
static void stale_entry(pid_t pid)
{
	struct proc_stat stat;

	CHECK_EQ(proc_stat(pid, &stat), 0);
	fake.shared.roster->workers[0].born_ticks = stat.start_ticks - 1;
	atomic_store(&fake.shared.roster->workers[0].pid, pid);
}

static bool stopped(pid_t pid)
{
	char state = proc_state(pid);

	return state == 'T' || state == 't'; /* the latter under a tracer */
}

/* As in a container whose filter does not know these calls. */
static void forbid_pidfds(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof filter / sizeof filter[0], .filter = filter };

	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
	CHECK_EQ(process_pidfd_open(getpid()), -ENOSYS);
}

static bool no_pidfds;

static void __attribute__((noreturn)) supervise(pid_t innocent)
{
	if (no_pidfds)
		forbid_pidfds();
	fake_init(&fake);
	CHECK_EQ(shared_create(2, 1, &fake.shared), 0);
	family()->guard = make_guard();
	family()->engine = make_engine();
	fake.options.tolerate = BROOD_LEFT_CHILDREN;
	fake_start(&fake);
	stale_entry(innocent);
	family()->worker = fake.pid;
	CHECK_EQ(fake_job(&fake, starts_children).code, 0);
	CHECK(WAIT_UNTIL(stopped(family()->children[3]) && family()->children[4] != 0, 10000));
	atomic_store(&family()->ready, 1);
	for (;;)
		pause();
}

static pid_t start(pid_t innocent)
{
	pid_t pid = fork();

	if (pid == 0)
		supervise(innocent);
	family()->supervisor = pid;
	CHECK(WAIT_UNTIL(atomic_load(&family()->ready), 10000));
	return pid;
}

static void kill_supervisor(pid_t pid)
{
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

static bool all_gone(void)
{
	if (proc_alive(family()->engine) || proc_alive(family()->worker) ||
		proc_alive(family()->guard))
		return false;
	for (int i = 0; i < CHILDREN; i++)
		if (proc_alive(family()->children[i]))
			return false;
	return true;
}

static void __attribute__((noreturn)) innocent_main(void)
{
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

static void kills_what_is_left(void)
{
	pid_t innocent = fork(), supervisor;

	if (innocent == 0)
		innocent_main();
	CHECK(WAIT_UNTIL(proc_session(innocent) == innocent, 5000));
	supervisor = start(innocent);
	kill_supervisor(supervisor);
	CHECK(WAIT_UNTIL(all_gone(), 5000));
	CHECK(proc_alive(innocent));
	CHECK_EQ(kill(innocent, SIGKILL), 0);
	CHECK_EQ(waitpid(innocent, NULL, 0), innocent);
}
Test(guard, kills_what_is_left)
{
	case_orphaned(&(struct case_options){ .body = kills_what_is_left, .timeout_ms = 20000 });
}

static void without_pidfds(void)
{
	no_pidfds = true;
	kills_what_is_left();
}
Test(guard, without_pidfds)
{
	case_orphaned(&(struct case_options){ .body = without_pidfds, .timeout_ms = 20000 });
}

static void quiet_and_deaf(void)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE,
		SIGALRM, SIGTSTP };
	pid_t innocent = fork(), supervisor, guard;

	if (innocent == 0)
		innocent_main();
	supervisor = start(innocent);
	guard = family()->guard;
	CHECK(WAIT_UNTIL(proc_session(guard) == guard, 5000));
	/* 0-2 on /dev/null, the pidfd, the signalfd */
	CHECK(WAIT_UNTIL(proc_fds(guard) <= 5, 5000));
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		CHECK_EQ(kill(guard, signals[i]), 0);
	/* the signal came from this test and the parent lives: the guard sleeps again */
	CHECK(WAIT_UNTIL(proc_state(guard) == 'S', 5000));
	CHECK(proc_alive(family()->worker));
	kill_supervisor(supervisor);
	CHECK(WAIT_UNTIL(all_gone(), 5000));
	kill(innocent, SIGKILL);
	CHECK_EQ(waitpid(innocent, NULL, 0), innocent);
}
Test(guard, sleeps_until_then)
{
	case_orphaned(&(struct case_options){ .body = quiet_and_deaf, .timeout_ms = 20000 });
}

/* Its supervisor is gone before the guard has looked. */
static void born_late(void)
{
	struct family *f = family();
	pid_t pid = fork();

	if (pid == 0) {
		pid_t supervisor = getpid();

		fake_init(&fake);
		CHECK_EQ(shared_create(2, 1, &fake.shared), 0);
		if (fork() == 0) {
			struct guard_config config = { .shared = &fake.shared,
				.supervisor_pid = supervisor };

			f->guard = getpid();
			while (getppid() == supervisor)
				usleep(1000);
			guard_main(&config);
		}
		f->engine = make_engine();
		CHECK(WAIT_UNTIL(f->guard != 0, 5000));
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	CHECK(WAIT_UNTIL(!proc_alive(f->engine) && !proc_alive(f->guard), 5000));
}
Test(guard, born_when_all_is_over)
{
	case_orphaned(&(struct case_options){ .body = born_late, .timeout_ms = 20000 });
}
