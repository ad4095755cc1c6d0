/* SPDX-License-Identifier: MIT */
/*
 * terminal.c - under a terminal: Ctrl-C reaches the engine once and no worker; Ctrl-Z stops what
 * the shell watches; reading the terminal works in the engine.
 *
 * The case makes a pseudo terminal and a session on it, in which the Brood is the foreground group;
 * the keys are bytes written to the other side.
 */
#include "../helpers/pool.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

TestSuite(terminal, .timeout = 120);

struct words {
	atomic_int ready, interrupts, died, line_ok, supervisor;
	atomic_int apart; /* the engine leaves the foreground group */
};
static struct words *words(void) { return case_shared(); }

static unsigned loud;
static void counting(void *context, const struct brood_log *log)
{
	(void)context;
	note("log: %s", log->text);
	loud += log->level <= BROOD_WARNING;
}

static void take_terminal(const char *path)
{
	int fd;

	CHECK(setsid() >= 0);
	fd = open(path, O_RDWR);
	CHECK(fd >= 0);
	CHECK_EQ(ioctl(fd, TIOCSCTTY, 0), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(dup2(fd, i), i);
	close(fd);
	CHECK_EQ(tcsetpgrp(0, getpgrp()), 0);
}

static int interrupts(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct signalfd_siginfo info;

	if (poll(&p, 1, ms) <= 0)
		return 0;
	CHECK_EQ(read(fd, &info, sizeof info), sizeof info);
	return 1;
}

static void engine_on(const char *path)
{
	struct brood_options options = { .workers = 2, .log = counting };
	struct brood *brood;
	sigset_t set;
	char line[16] = "";
	int fd;

	take_terminal(path);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	brood = pool_start(&options);
	atomic_store(&words()->supervisor, getppid());
	CHECK_EQ(read(0, line, sizeof line), 5); /* in the foreground group: no SIGTTIN */
	CHECK_MEM(line, "text\n", 5);
	if (atomic_load(&words()->apart))
		CHECK_EQ(setpgid(0, 0), 0);
	atomic_store(&words()->ready, 1);
	CHECK_EQ(interrupts(fd, test_scaled(10000)), 1);
	/* a round trip through the supervisor: had it passed one on, it would be here */
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	CHECK_EQ(interrupts(fd, 0), 0);
	CHECK_EQ(pool_stats(brood).died, 0);
	atomic_store(&words()->ready, 2);
	while (atomic_load(&words()->ready) == 2)
		POOL_CALL(brood, job_nothing);
	pool_stop(brood);
	CHECK_EQ(loud, 0);
	exit(0);
}

static void at_the_keys(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), status;
	char path[64];
	pid_t leader;

	CHECK(master >= 0);
	CHECK_EQ(grantpt(master), 0);
	CHECK_EQ(unlockpt(master), 0);
	CHECK_EQ(ptsname_r(master, path, sizeof path), 0);
	leader = fork();
	if (leader == 0)
		engine_on(path);
	CHECK_EQ(write(master, "text\n", 5), 5);
	CHECK(WAIT_UNTIL(atomic_load(&words()->ready) == 1, 20000));
	CHECK_EQ(write(master, "\x03", 1), 1);
	CHECK(WAIT_UNTIL(atomic_load(&words()->ready) == 2, 20000));
	/*
	 * Ctrl-Z: a session leader's orphaned group is not stopped by the terminal; the signal that
	 * a shell's job gets has the same effect
	 */
	CHECK_EQ(kill(-leader, SIGSTOP), 0);
	CHECK_EQ(waitpid(leader, &status, WUNTRACED), leader);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(kill(-leader, SIGCONT), 0);
	atomic_store(&words()->ready, 3);
	CHECK_EQ(waitpid(leader, &status, 0), leader);
	CHECK_EQ(status, 0);
	close(master);
}
static void at_the_keys_apart(void)
{
	atomic_store(&words()->apart, 1);
	at_the_keys();
}
Test(terminal, keys) { case_run(at_the_keys, 60000); }
Test(terminal, keys_for_an_engine_in_another_group) { case_run(at_the_keys_apart, 60000); }

/*
 * These signals are neither blocked nor ignored in the supervisor: a shell that watches it sees it
 * stop and continue.
 */
static const int job_control[] = { SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT };

static void check_job_control(void)
{
	char path[64], text[4096], *line;
	unsigned long long blocked, ignored;
	FILE *file;
	size_t n;

	snprintf(path, sizeof path, "/proc/%d/status", (int)getppid());
	file = fopen(path, "re");
	CHECK(file);
	n = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[n] = '\0';
	line = strstr(text, "SigBlk:");
	CHECK(line && sscanf(line, "SigBlk: %llx", &blocked) == 1);
	line = strstr(text, "SigIgn:");
	CHECK(line && sscanf(line, "SigIgn: %llx", &ignored) == 1);
	for (size_t i = 0; i < 4; i++)
		CHECK_EQ((blocked | ignored) >> (job_control[i] - 1) & 1, 0);
	CHECK_EQ(blocked >> (SIGTERM - 1) & 1, 1);
}

static void tstp(void)
{
	struct brood *brood = pool_start_workers(1);

	check_job_control();
	pool_stop(brood);
}
Test(terminal, stop_key_stops) { case_run(tstp, 20000); }

static atomic_uint seen[2];
static void see(int sig) { atomic_fetch_add(&seen[sig == SIGCONT], 1); }

/* A program of 0.2 may have listed them in pass_signals: the start allows it, none is passed. */
static void listed(void)
{
	static const int pass[] = { SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT, SIGIO };
	struct brood *brood = pool_start(&(struct brood_options){
		.workers = 1, .pass_signals = pass, .pass_signals_count = 5 });
	struct sigaction act = { .sa_handler = see };

	CHECK_EQ(sigaction(SIGCONT, &act, NULL), 0);
	CHECK_EQ(sigaction(SIGIO, &act, NULL), 0);
	check_job_control();
	CHECK_EQ(kill(getppid(), SIGCONT), 0);
	CHECK_EQ(kill(getppid(), SIGIO), 0); /* its number is larger: CONT would come before */
	CHECK(WAIT_UNTIL(atomic_load(&seen[0]) == 1, 10000));
	CHECK_EQ(atomic_load(&seen[1]), 0);
	pool_stop(brood);
}
Test(terminal, stop_and_continue_are_never_passed) { case_run(listed, 20000); }
