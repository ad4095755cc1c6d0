/* SPDX-License-Identifier: MIT */
/*
 * kept_passed.c - files that the service manager passes: of a socket unit, or those that an earlier
 * start kept. Workers have none of them.
 */
#include "kept.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

TestSuite(kept_passed, .timeout = 120);

/* ---- what comes back ---- */

struct look {
	dev_t device;
	ino_t inodes[3];
};

/* A worker has no passed file, whatever its number, and no variable that speaks of one. */
static int look_around(struct brood_job *job)
{
	const struct look *look = brood_job_arg(job, &(size_t){ 0 });
	struct stat st;

	if (getenv("LISTEN_PID") || getenv("LISTEN_FDS") || getenv("LISTEN_FDNAMES") ||
		getenv("LISTEN_PIDFDID"))
		return 1;
	for (int fd = 0; fd < 1024; fd++)
		for (int i = 0; i < 3 && fstat(fd, &st) == 0; i++)
			if (st.st_ino == look->inodes[i])
				return 100 + fd;
	return system("env | grep -q ^LISTEN_") == 0 ? 2 : 0;
}

static void workers_have_none(struct brood *brood, const int *files)
{
	struct look look = { 0 };
	struct brood_job_options o = { .size = sizeof o, .arg = &look, .arg_size = sizeof look };
	struct stat st;

	for (int i = 0; i < 3; i++) {
		CHECK_EQ(fstat(files[i], &st), 0);
		look.inodes[i] = st.st_ino;
	}
	for (int i = 0; i < 8; i++) {
		struct brood_verdict v = pool_call_with(brood, look_around, &o);

		verdict_is(&v, BROOD_DONE, 0);
		/* the next worker is born when the supervisor has all of them */
		kill(pool_ask_pid(brood), SIGKILL);
	}
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
}

static void comes_back(void *flags)
{
	struct brood_options options = {
		.workers = 2, .log = note_log, .spawn = *(const uint32_t *)flags
	};
	const int files[3] = { up(listener()), up(listener()), up(memory_file("before")) };
	int manager = up(listen_as_manager()), fds[4] = { -1, -1, -1, -1 };
	struct brood *brood;
	char text[16] = "";

	pass(files, 3, "web:web:state", getpid());
	CHECK_EQ(brood_kept(NULL, "web", fds, 4), 2);
	CHECK(same_file(fds[0], files[0]) && same_file(fds[1], files[1]));
	CHECK_EQ(fds[2], -1);
	CHECK_EQ(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
	close(fds[0]);
	close(fds[1]);
	brood = pool_start(&options);
	/* a function such as sd_listen_fds() finds in the engine what it needs */
	CHECK_EQ(own_env("LISTEN_PID"), getpid());
	CHECK_EQ(own_env("LISTEN_FDS"), 3);
	CHECK_STR(getenv("LISTEN_FDNAMES"), "web:web:state");
	for (int i = 0; i < 3; i++) {
		CHECK(same_file(3 + i, files[i]));
		CHECK_EQ(fcntl(3 + i, F_GETFD), FD_CLOEXEC);
	}
	CHECK_EQ(brood_kept(brood, NULL, fds, 4), 3);
	CHECK(same_file(fds[0], files[0]) && same_file(fds[1], files[1]));
	CHECK_EQ(pread(fds[2], text, sizeof text, 0), 6);
	CHECK_STR(text, "before");
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	hear_ready(brood, manager); /* nothing was told to the store: it has them already */
	workers_have_none(brood, files);

	CHECK_EQ(brood_keep(brood, "web", files[1]), 0); /* two become one */
	hear_stored(manager, "web", files[1]);
	CHECK_EQ(brood_keep(brood, "web", files[1]), 0);
	CHECK_EQ(brood_kept(brood, "web", NULL, 0), 1);
	CHECK_EQ(brood_keep(brood, "state", -1), 0);
	hear_removed(manager, "state");
	CHECK(says_nothing(manager));
	workers_have_none(brood, files);
	for (int i = 0; i < 3; i++) {
		close(files[i]);
		close(3 + i);
	}
	pool_stop(brood);
	close(manager);
}
static const uint32_t by_fork = BROOD_SPAWN_FORK, by_spawner = BROOD_SPAWN_CLONE3;
Test(kept_passed, passed_files) { case_run_with(comes_back, (void *)(uintptr_t)&by_fork, 60000); }
Test(kept_passed, passed_files_and_a_spawner)
{
	case_run_with(comes_back, (void *)(uintptr_t)&by_spawner, 60000);
}

static void for_another(void)
{
	const int file = up(listener());
	struct brood *brood;
	int fd;

	pass(&file, 1, "web", getppid());
	CHECK_EQ(brood_kept(NULL, "web", &fd, 1), 0);
	brood = start();
	CHECK_EQ(brood_kept(brood, NULL, &fd, 1), 0);
	CHECK_NE(own_env("LISTEN_PID"), getpid());
	close(file);
	close(3);
	pool_stop(brood);
}
Test(kept_passed, files_for_another_process) { case_run(for_another, 30000); }

/* Variables that make no sense do not stop a program which never asks for them. */
static void nonsense(void)
{
	struct brood_options options = { .workers = 1, .log = note_warning };
	const int file = up(listener());
	struct brood *brood;
	int fd;

	pass(&file, 1, "a:b", getpid());
	REFUSES(brood_kept(NULL, "a", &fd, 1), -EINVAL, "do not fit together");
	brood = pool_start(&options);
	CHECK(WAIT_UNTIL(warned(brood), 10000));
	CHECK_CONTAINS(warning, "LISTEN_FDNAMES");
	CHECK_EQ(brood_kept(brood, NULL, &fd, 1), 0);
	close(file);
	close(3);
	pool_stop(brood);
}
Test(kept_passed, variables_that_make_no_sense) { case_run(nonsense, 30000); }

/* The program has taken one of the files before the start, and closed it. */
static void closed_before(void)
{
	const int files[2] = { up(listener()), up(listener()) };
	struct brood *brood;
	int fd;

	pass(files, 2, NULL, getpid());
	close(3);
	brood = start();
	fd = kept(brood, "unknown");
	CHECK(same_file(fd, files[1]));
	close(fd);
	close(4);
	close(files[0]);
	close(files[1]);
	pool_stop(brood);
}
Test(kept_passed, a_file_that_is_closed_already) { case_run(closed_before, 30000); }

/* ---- two lives ---- */

/* What the service manager's store has. */
struct stored {
	char names[8][64];
	int fds[8];
	int count;
};

static void serve_a_life(int life)
{
	struct brood *brood = start();
	uint64_t lives = 0;
	int fd;

	if (brood_kept(brood, "lives", &fd, 1) == 0) {
		CHECK_EQ(life, 0);
		fd = memfd_create("lives", MFD_CLOEXEC);
		CHECK_EQ(brood_keep(brood, "lives", fd), 0);
	}
	CHECK_GE(pread(fd, &lives, sizeof lives, 0), 0);
	CHECK_EQ(lives, life);
	lives++;
	CHECK_EQ(pwrite(fd, &lives, sizeof lives, 0), sizeof lives);
	CHECK_EQ(brood_notify_ready(brood), 0);
	for (;;)
		pause(); /* until all are killed */
}

static void store(struct stored *s, const char *text, int fd)
{
	const char *name = strstr(text, "FDNAME=");

	if (strncmp(text, "FDSTORE=1", 9) != 0)
		return;
	CHECK_GE(fd, 0);
	CHECK(name);
	CHECK_LT(s->count, 8);
	snprintf(s->names[s->count], 64, "%.*s", (int)strcspn(name + 7, "\n"), name + 7);
	s->fds[s->count++] = up(fd);
}

/* Kills the first process of each life, and starts the next with what the store has. */
static void lives(void)
{
	int manager = up(listen_as_manager()), status, fd;
	struct stored s = { .count = 0 };

	for (int life = 0; life < 3; life++) {
		pid_t pid = fork();
		const char *text;

		if (pid == 0) {
			pass(s.fds, s.count, s.count ? s.names[0] : "", getpid());
			if (s.count == 0)
				unsetenv("LISTEN_FDS");
			serve_a_life(life);
		}
		do {
			text = hear(manager, &fd);
			store(&s, text, fd);
		} while (!strstr(text, "READY=1"));
		CHECK_EQ(s.count, 1);
		kill(pid, SIGKILL);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
	}
	close(s.fds[0]);
	close(manager);
}

static int fds_before_the_end(void)
{
	const struct case_options options = { .body = lives, .timeout_ms = 60000 };

	return case_orphaned(&options);
}
Test(kept_passed, state_outlives_kills_of_the_main_process)
{
	cr_assert_eq(fds_before_the_end(), 0);
}
