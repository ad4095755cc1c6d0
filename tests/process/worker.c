/* SPDX-License-Identifier: MIT */
/*
 * worker.c - one worker under a supervisor that is the test itself: birth, slot page, soft step,
 * hooks, log.
 */
#define _GNU_SOURCE
#include "../../src/os/shm.h"
#include "../../src/os/proc.h"
#include "worker.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(worker, .timeout = 60);

/* ---- the slot page ---- */

static int minus_7(struct brood_job *job)
{
	(void)job;
	return -7;
}
static int marks(struct brood_job *job)
{
	(void)job;
	atomic_fetch_add((atomic_int *)case_shared(), 1);
	return 0;
}

static int waits_for_peer(struct brood_job *job)
{
	char c;

	marks(job);
	return brood_job_read(job, &c, 1) == 1 ? 3 : 4;
}

static void codes(void)
{
	struct message_finished m;

	fake_init(&fake);
	fake_start(&fake);
	m = fake_job(&fake, nothing);
	CHECK_EQ(m.code, 0);
	CHECK_EQ(m.left, 0);
	CHECK_EQ(m.flags, 0);
	CHECK_EQ(fake_word(&fake), SLOT_PAGE_WORD(fake.sequence, SLOT_PAGE_DONE));
	m = fake_job(&fake, minus_7);
	CHECK_EQ(m.code, -7);
	for (int i = 0; i < 500; i++)
		CHECK_EQ(fake_job(&fake, nothing).left, 0);
	fake_end(&fake);
}
Test(worker, jobs_one_after_the_other) { case_run(codes, 30000); }

/* Not one instruction of fn runs, and the worker waits to be killed. */
static void condemned_before(void)
{
	fake_init(&fake);
	fake_start(&fake);
	fake_assign(&fake);
	atomic_store(&shared_slot_page(&fake.shared, 1)->word,
		SLOT_PAGE_WORD(fake.sequence, SLOT_PAGE_CONDEMNED));
	fake_run(&fake, marks, NULL, 0);
	CHECK(fake_silent(&fake, 100));
	CHECK_EQ(atomic_load(marked()), 0);
	CHECK_EQ(process_signal(fake.pidfd, fake.pid, SIGKILL), 0);
	CHECK_EQ(fake_exit(&fake).status, SIGKILL);
}
Test(worker, condemned_before_the_job_began) { case_run(condemned_before, 20000); }

static void condemned_at_end(void)
{
	uint64_t running;

	fake_init(&fake);
	fake_start(&fake);
	fake_assign(&fake);
	fake_run(&fake, waits_for_peer, NULL, 0);
	CHECK(WAIT_UNTIL(atomic_load(marked()) == 1, 10000));
	running = SLOT_PAGE_WORD(fake.sequence, SLOT_PAGE_RUNNING);
	CHECK(atomic_compare_exchange_strong(&shared_slot_page(&fake.shared, 1)->word, &running,
		SLOT_PAGE_WORD(fake.sequence, SLOT_PAGE_CONDEMNED)));
	CHECK_EQ(write(fake.peer, "x", 1), 1);
	/* the function has ended, but it says nothing more */
	CHECK(fake_silent(&fake, 100));
	CHECK_EQ(process_signal(fake.pidfd, fake.pid, SIGKILL), 0);
	CHECK_EQ(fake_exit(&fake).status, SIGKILL);
}
Test(worker, condemned_while_it_ran) { case_run(condemned_at_end, 20000); }

static void scribbled_slot_page(void)
{
	fake_init(&fake);
	fake_start(&fake);
	fake_assign(&fake);
	atomic_store(&shared_slot_page(&fake.shared, 1)->word, 42);
	fake_run(&fake, marks, NULL, 0);
	CHECK_EQ(fake_exit_code(&fake), 73);
	CHECK_EQ(atomic_load(marked()), 0);
}
Test(worker, slot_page_that_makes_no_sense) { case_run(scribbled_slot_page, 20000); }

static void refusals(void)
{
	struct frame frame;
	char c;

	fake_init(&fake);
	fake_start(&fake);
	fake_assign(&fake);
	fake_run(&fake, (brood_fn *)(uintptr_t)&fake, NULL, 0);
	CHECK_EQ(fake_read(&fake, &c, 1), 0); /* nobody will answer: EOF */
	CHECK_EQ(fake_finished(&fake).flags, FINISHED_REFUSED_POINTER);
	CHECK_EQ(fake_word(&fake), SLOT_PAGE_WORD(fake.sequence, SLOT_PAGE_ASSIGNED));
	CHECK_EQ(fake_job(&fake, nothing).code, 0); /* and the worker lives on */
	fake_assign(&fake);
	fake_run(&fake, NULL, NULL, 0);
	CHECK_EQ(fake_finished(&fake).flags, FINISHED_REFUSED_POINTER);
	frame_begin(&frame, MESSAGE_RUN); /* without its fd: nonsense */
	CHECK_EQ(frame_send(fake.channel, &frame), 0);
	CHECK_EQ(fake_exit_code(&fake), 72);
}
Test(worker, pointer_refused) { case_run(refusals, 20000); }

static int limits_fds(struct brood_job *job)
{
	struct rlimit limit = { 3, 4096 };

	(void)job;
	return setrlimit(RLIMIT_NOFILE, &limit);
}

static void no_fd(void)
{
	fake_init(&fake);
	fake_start(&fake);
	CHECK_EQ(fake_job(&fake, limits_fds).code, 0); /* no room for the next job's */
	fake_assign(&fake);
	fake_run(&fake, marks, NULL, 0);
	CHECK_EQ(fake_finished(&fake).flags, FINISHED_NO_FD | FINISHED_RETIRING);
	CHECK_EQ(fake_word(&fake), SLOT_PAGE_WORD(fake.sequence, SLOT_PAGE_ASSIGNED));
	CHECK_EQ(atomic_load(marked()), 0);
	CHECK_EQ(fake_exit_code(&fake), 0);
}
Test(worker, fd_lost_on_the_way) { case_run(no_fd, 20000); }

/* ---- the soft step ---- */

struct soft {
	atomic_int entered, told, readable, ended;
};
static struct soft *soft(void) { return case_shared(); }

static int waits_for_soft(struct brood_job *job)
{
	struct pollfd p = { .fd = brood_job_cancel_fd(job), .events = POLLIN };

	if (p.fd < 0 || brood_job_cancel_fd(job) != p.fd)
		return 1;
	atomic_fetch_add(&soft()->entered, 1);
	while (poll(&p, 1, 10000) < 0 && errno == EINTR)
		atomic_fetch_add(&soft()->told, 1);
	return brood_job_cancelled(job) && brood_job_time_left_ms(job) == 0 ? 42 : 2;
}

static void soft_hits(void)
{
	fake_init(&fake);
	fake_start(&fake);
	for (int i = 1; i <= 20; i++) {
		fake_assign(&fake);
		fake_run(&fake, waits_for_soft, NULL, 0);
		CHECK(WAIT_UNTIL(atomic_load(&soft()->entered) == i, 10000));
		fake_soft(&fake, fake.sequence);
		CHECK_EQ(fake_finished(&fake).code, 42);
	}
	fake_end(&fake);
}
Test(worker, soft_step) { case_run(soft_hits, 20000); }

static int is_cancelled(struct brood_job *job) { return brood_job_cancelled(job); }

/*
 * Sent before RUN was read: it is not lost. For another job: it is nobody's. From somebody else:
 * the same.
 */
static void soft_early_and_late(void)
{
	fake_init(&fake);
	fake_start(&fake);
	fake_assign(&fake);
	fake_soft(&fake, fake.sequence);
	fake_run(&fake, waits_for_soft, NULL, 0);
	CHECK_EQ(fake_finished(&fake).code, 42);
	fake_soft(&fake, fake.sequence); /* late: for the one that is over */
	CHECK_EQ(fake_job(&fake, is_cancelled).code, 0);
	for (int sig = 1; sig <= SIGTERM; sig++)
		if (sig == SIGTERM || sig == SIGINT || sig == SIGHUP || sig == SIGQUIT)
			CHECK_EQ(kill(fake.pid, sig), 0); /* SI_USER: not even from us */
	CHECK_EQ(fake_job(&fake, is_cancelled).code, 0);
	CHECK_EQ(fake_job(&fake, nothing).left, 0);
	fake_end(&fake);
}
Test(worker, soft_step_of_another) { case_run(soft_early_and_late, 20000); }

static int forks_and_terms(struct brood_job *job)
{
	int status;
	pid_t pid = fork();

	(void)job;
	if (pid == 0) {
		raise(SIGTERM);
		_exit(1);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
			WTERMSIG(status) == SIGTERM
		? 0
		: 1;
}

static int clones_and_terms(struct brood_job *job)
{
	enum process_spawn way = PROCESS_CLONE;
	int status, pidfd = -1;
	pid_t pid = process_spawn(&way, &pidfd);

	(void)job;
	if (pid == 0) {
		raise(SIGINT);
		_exit(1);
	}
	close(pidfd);
	return pid > 0 && waitpid(pid, &status, __WALL) == pid && WIFSIGNALED(status) &&
			WTERMSIG(status) == SIGINT
		? 0
		: 1;
}

static void children_defaults(void)
{
	struct message_finished m;

	fake_init(&fake);
	fake_start(&fake);
	m = fake_job(&fake, forks_and_terms);
	CHECK_EQ(m.code, 0);
	CHECK_EQ(m.left, 0);
	m = fake_job(&fake, clones_and_terms);
	CHECK_EQ(m.code, 0);
	CHECK_EQ(m.left, 0);
	fake_end(&fake);
}
Test(worker, signals_of_its_children_are_default) { case_run(children_defaults, 20000); }

/* ---- the frame ---- */

static jmp_buf outside;

/* ---- birth ---- */

static int looks_around(struct brood_job *job)
{
	static const int ours[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGSYS, SIGUSR1, SIGUSR2,
		SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT, SIGSEGV, SIGBUS, SIGILL,
		SIGFPE, SIGTRAP, SIGABRT, SIGURG };
	sigset_t handled;
	struct brood_init_data data;
	int death = 0, reaper = 0;
	struct sigaction action;
	char c;

	(void)job;
	sigemptyset(&handled);
	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
		sigaddset(&handled, ours[i]);
	if (prctl(PR_GET_PDEATHSIG, &death) < 0 || death != SIGKILL ||
		prctl(PR_GET_CHILD_SUBREAPER, &reaper) < 0 || reaper != 1)
		return 1;
	if (getsid(0) != getpid() || read(0, &c, 1) != 0 || !worker_is_self() ||
		worker_rearm() != 0)
		return 2;
	for (int sig = 1; sig < 32; sig++)
		if (sigaction(sig, NULL, &action) == 0 && action.sa_handler != SIG_DFL &&
			!sigismember(&handled, sig))
			return 100 + sig;
	if (sigaction(SIGUSR2, NULL, &action) < 0 || action.sa_handler != SIG_IGN)
		return 3;
	if (brood_get_init_data(&data) != 0 || data.version != 4 || data.data_size != 5 ||
		memcmp(data.data, "hello", 5) != 0)
		return 4;
	if (data.fds_count != 1 || fcntl(data.fds[0], F_GETFD) < 0 || proc_own_fds() != 6)
		return 5;
	return 0;
}

static void birth(void)
{
	static const int kept[] = { SIGUSR2 };
	struct proc_stat stat;
	sigset_t all;

	fake_init(&fake);
	fake.options.keep_signals = kept;
	fake.options.keep_signals_count = 1;
	signal(SIGUSR2, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	CHECK_GE(dup(1), 0); /* not to be seen there */
	fake.config.init_memfd = shm_memfd("init", "hello", 5, NULL);
	fake.config.init_data_size = 5;
	fake.config.init_version = 4;
	fake.config.init_fds[0] = dup(1);
	fake.config.init_fds_count = 1;
	fake_start(&fake);
	CHECK_EQ(atomic_load(&fake.shared.roster->workers[1].pid), fake.pid);
	CHECK_EQ(fake.shared.roster->workers[1].generation, 7);
	CHECK_EQ(proc_stat(fake.pid, &stat), 0);
	CHECK_LE(stat.start_ticks, fake.shared.roster->workers[1].born_ticks);
	CHECK_LE(fake.shared.roster->workers[1].born_ticks, proc_boot_ticks());
	CHECK_EQ(fake_job(&fake, looks_around).code, 0);
	fake_end(&fake);
}
Test(worker, birth) { case_run(birth, 20000); }

/* ---- hooks ---- */

static int init_code;
static int init_hook(void *context)
{
	atomic_fetch_add(marked(), 1);
	if (context)
		longjmp(outside, 1);
	return init_code;
}
static void exit_hook(void *context)
{
	(void)context;
	atomic_fetch_add(marked(), 10);
}
static int init_forks(void *context)
{
	pid_t pid = fork();

	(void)context;
	return pid != 0 && waitpid(pid, NULL, 0) != pid;
}

static void hooks(void)
{
	struct frame frame;

	if (setjmp(outside) != 0)
		FAIL("a hook got out of its frame");
	fake_init(&fake);
	fake.options.worker_init = init_hook;
	fake.options.worker_exit = exit_hook;
	fake_start(&fake);
	CHECK_EQ(atomic_load(marked()), 1);
	fake_end(&fake);
	CHECK_EQ(atomic_load(marked()), 11);
	fake_start(&fake);
	/* the end of the channel is an orderly end too */
	close(fake.channel);
	CHECK_EQ(fake_exit_code(&fake), 0);
	CHECK_EQ(atomic_load(marked()), 22);
	init_code = 5;
	fake_birth(&fake);
	fake_hear(&fake, &frame, MESSAGE_JOB_LOG);
	CHECK_EQ(frame.job_log.level, BROOD_WARNING);
	CHECK_CONTAINS(frame.job_log.text, "returned 5");
	CHECK_EQ(fake_exit_code(&fake), 71);
	fake.options.hook_context = &fake;
	fake_birth(&fake);
	fake_hear(&fake, &frame, MESSAGE_JOB_LOG);
	CHECK_CONTAINS(frame.job_log.text, "longjmp");
	CHECK_EQ(fake_exit_code(&fake), 71);
}
Test(worker, hooks) { case_run(hooks, 20000); }

static void init_with_child(void)
{
	fake_init(&fake);
	/* its child returns too: one READY all the same */
	fake.options.worker_init = init_forks;
	fake_start(&fake);
	CHECK(fake_silent(&fake, 50));
	/* and what worker_init left is nobody's fault */
	CHECK_EQ(fake_job(&fake, nothing).left, 0);
	fake_end(&fake);
}
Test(worker, hook_that_forks) { case_run(init_with_child, 20000); }

/* ---- the log ---- */

static int logs(struct brood_job *job)
{
	char longer[600];

	memset(longer, 'x', sizeof longer);
	longer[sizeof longer - 1] = '\0';
	return brood_job_log(job, BROOD_NOTICE, "two\nlines of %d\n", 3) |
		brood_job_log(job, BROOD_ERR, "%s", longer) |
		(brood_job_log(job, (enum brood_level)9, "no") == -EINVAL ? 0 : 1);
}

static int floods(struct brood_job *job)
{
	for (int i = 0; i < 100000; i++) {
		int r = brood_job_log(job, BROOD_INFO, "line");

		if (r == -EAGAIN)
			return 11;
		if (r < 0)
			return 1;
	}
	return 2;
}

static void logging(void)
{
	struct frame frame;

	fake_init(&fake);
	fake_start(&fake);
	fake_assign(&fake);
	fake_run(&fake, logs, NULL, 0);
	fake_hear(&fake, &frame, MESSAGE_JOB_LOG);
	CHECK_STR(frame.job_log.text, "two lines of 3");
	CHECK_EQ(frame.job_log.id, fake.id);
	fake_hear(&fake, &frame, MESSAGE_JOB_LOG);
	CHECK_EQ(strlen(frame.job_log.text), 399);
	CHECK_EQ(fake_finished(&fake).code, 0);
	fake_assign(&fake);
	fake_run(&fake, floods, NULL, 0);
	CHECK(WAIT_UNTIL(SLOT_PAGE_STATE(fake_word(&fake)) == SLOT_PAGE_DONE, 10000));
	for (;;) { /* FINISHED waits for room, and comes */
		CHECK(!fake_silent(&fake, 10000));
		CHECK_EQ(frame_receive(fake.channel, &frame, MSG_DONTWAIT), 1);
		if (frame.header.type == MESSAGE_FINISHED)
			break;
	}
	CHECK_EQ(frame.finished.code, 11);
	fake_end(&fake);
}
Test(worker, log_never_blocks_and_finished_is_never_lost) { case_run(logging, 20000); }
