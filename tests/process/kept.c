/* SPDX-License-Identifier: MIT */
/*
 * kept.c - kept fds: what the service manager is told and given, and what is refused. The test
 * plays the service manager.
 */
#include "kept.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

TestSuite(kept, .timeout = 120);

/* ---- keep, replace, forget ---- */

static void tells(void)
{
	int manager = listen_as_manager(), socket = listener(), other = listener();
	int state = memory_file("one"), fd;
	struct brood *brood = start();

	CHECK_EQ(brood_kept(brood, "echo", &fd, 1), 0);
	CHECK_EQ(brood_keep(brood, "echo", socket), 0);
	CHECK_EQ(brood_keep(brood, "the state", state), 0);
	hear_stored(manager, "echo", socket);
	hear_stored(manager, "the state", state);
	hear_ready(brood, manager);
	fd = kept(brood, "echo");
	CHECK(same_file(fd, socket));
	close(fd);
	CHECK_EQ(brood_kept(brood, NULL, NULL, 0), 2);

	CHECK_EQ(brood_keep(brood, "echo", socket), 0); /* the same socket: nothing to tell */
	CHECK_EQ(brood_keep(brood, "echo", other), 0);
	hear_stored(manager, "echo", other);
	fd = kept(brood, "echo");
	CHECK(same_file(fd, other));
	close(fd);

	CHECK_EQ(brood_keep(brood, "the state", -1), 0);
	CHECK_EQ(brood_keep(brood, "the state", -1), 0);
	CHECK_EQ(brood_keep(brood, "never kept", -1), 0);
	hear_removed(manager, "the state");
	CHECK_EQ(brood_kept(brood, "the state", NULL, 0), 0);
	CHECK_EQ(brood_keep(brood, "last", other), 0);
	hear_stored(manager, "last", other);
	CHECK(says_nothing(manager));
	close(socket);
	close(other);
	close(state);
	pool_stop(brood);
	fd = kept(brood, "echo"); /* still there */
	close(fd);
	REFUSES(brood_keep(brood, "late", 0), -ESHUTDOWN, "brood_stop");
	close(manager);
}
Test(kept, the_manager_is_told) { case_run(tells, 40000); }

/* READY=1 waits until the service manager has all that was kept before. */
static void full_socket(void)
{
	int manager = listen_as_manager(), state = memory_file("x"), fd, stored = 0, rounds = 0;
	struct brood *brood = start();
	char name[32];
	bool ready = false;

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "state %d", i);
		CHECK_EQ(brood_keep(brood, name, state), 0);
	}
	CHECK_EQ(brood_notify_ready(brood), 0);
	/* a round trip by handoff: the supervisor has read all, and its socket is full */
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	while (!ready && rounds++ < 1000) {
		const char *text = hear(manager, &fd);

		ready = strstr(text, "READY=1");
		if (fd >= 0)
			snprintf(name, sizeof name, "FDNAME=state %d\n", stored++);
		if (fd >= 0)
			CHECK_CONTAINS(text, name);
		close(fd);
	}
	CHECK_EQ(stored, 100);
	pool_stop(brood);
	close(state);
	close(manager);
}
Test(kept, ready_waits_for_a_full_socket) { case_run(full_socket, 60000); }

static void without_manager(void)
{
	int state = memory_file("x"), fd;
	struct brood *brood;

	unsetenv("NOTIFY_SOCKET");
	brood = start();
	CHECK_EQ(brood_keep(brood, "state", state), 0);
	close(state);
	fd = kept(brood, "state");
	close(fd);
	CHECK_EQ(brood_keep(brood, "state", -1), 0);
	CHECK_EQ(brood_kept(brood, "state", &fd, 1), 0);
	pool_stop(brood);
}
Test(kept, without_a_manager) { case_run(without_manager, 30000); }

static void without_store(void)
{
	int manager = listen_as_manager(), state = memory_file("x");
	struct brood *brood;

	setenv("FDSTORE", "0", 1);
	brood = start();
	CHECK_EQ(brood_keep(brood, "state", state), 0);
	hear_ready(brood, manager);
	close(kept(brood, "state"));
	close(state);
	pool_stop(brood);
	close(manager);
}
Test(kept, a_manager_without_a_store_is_not_told) { case_run(without_store, 30000); }

static void small_store(void)
{
	struct brood_options options = { .workers = 1, .log = note_warning };
	int manager = listen_as_manager(), state = memory_file("x");
	struct brood *brood;

	setenv("FDSTORE", "2", 1);
	brood = pool_start(&options);
	CHECK_EQ(brood_keep(brood, "a", state), 0);
	CHECK_EQ(brood_keep(brood, "b", state), 0);
	hear_stored(manager, "a", state);
	hear_stored(manager, "b", state);
	CHECK(!warned(brood));
	CHECK_EQ(brood_keep(brood, "c", state), 0);
	CHECK(WAIT_UNTIL(warned(brood), 10000));
	CHECK_CONTAINS(warning, "\"c\"");
	CHECK_CONTAINS(warning, "FileDescriptorStoreMax");
	close(state);
	pool_stop(brood);
	close(manager);
}
Test(kept, more_than_the_store_has_room_for) { case_run(small_store, 30000); }

/* ---- mistakes and bounds ---- */

static void mistakes(void)
{
	struct brood *brood = start();
	char longest[257];
	int fd;

	memset(longest, 'n', 256);
	longest[256] = '\0';
	REFUSES(brood_keep(brood, longest, 0), -EINVAL, "1 to 255 characters");
	REFUSES(brood_keep(brood, "", 0), -EINVAL, "1 to 255 characters");
	REFUSES(brood_keep(brood, "a:b", 0), -EINVAL, "without ':'");
	REFUSES(brood_keep(brood, "a\nb", 0), -EINVAL, "printable");
	REFUSES(brood_keep(brood, NULL, 0), -EINVAL, "name is NULL");
	REFUSES(brood_keep(NULL, "a", 0), -EINVAL, "NULL");
	REFUSES(brood_kept(NULL, "a", &fd, 1), -EINVAL, "NULL");
	REFUSES(brood_keep(brood, "a", 999), -EBADF, "999 is not open");
	REFUSES(brood_keep(brood, "a", -7), -EBADF, "-7 is not open");
	REFUSES(brood_kept(brood, "a", NULL, 1), -EINVAL, "ret_fds is NULL");
	REFUSES(brood_kept(brood, "a:b", &fd, 1), -EINVAL, "':'");
	CHECK_EQ(brood_kept(brood, NULL, &fd, 1), 0);
	longest[255] = '\0';
	CHECK_EQ(brood_keep(brood, longest, 0), 0);
	close(kept(brood, longest));
	pool_stop(brood);
}
Test(kept, mistakes) { case_run(mistakes, 30000); }

static void bounds(void)
{
	struct brood *brood = start();
	int fds = proc_own_fds();
	char name[32];

	for (int i = 0; i < BROOD_KEPT_MAX; i++) {
		snprintf(name, sizeof name, "%d", i);
		CHECK_EQ(brood_keep(brood, name, 0), 0);
	}
	REFUSES(brood_keep(brood, "one more", 0), -ENOSPC, "256 fds are kept");
	CHECK_EQ(brood_keep(brood, "0", 1), 0);
	CHECK_EQ(brood_kept(brood, NULL, NULL, 0), BROOD_KEPT_MAX);
	CHECK_EQ(proc_own_fds(), fds + BROOD_KEPT_MAX);
	/* the supervisor has them, too, and room for the files of its jobs */
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	for (int i = 0; i < BROOD_KEPT_MAX; i++) {
		snprintf(name, sizeof name, "%d", i);
		CHECK_EQ(brood_keep(brood, name, -1), 0);
	}
	CHECK_EQ(proc_own_fds(), fds);
	pool_stop(brood);
}
Test(kept, bounds) { case_run(bounds, 30000); }

static int in_a_worker(struct brood_job *job)
{
	int fd;

	(void)job;
	return brood_keep(NULL, "a", 0) == -EPERM && brood_kept(NULL, "a", &fd, 1) == -EPERM ? 0
											     : 1;
}

static void roles(void)
{
	struct brood *brood = start();
	pid_t child;
	int status;

	CHECK_EQ(POOL_CALL(brood, in_a_worker).outcome, BROOD_DONE);
	child = fork();
	if (child == 0)
		_exit(brood_keep(brood, "a", 0) != -EPERM);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	pool_stop(brood);
}
Test(kept, for_the_engine_alone) { case_run(roles, 30000); }

static void tight_limit(void)
{
	struct rlimit limit;
	unsigned need = 0;
	struct brood_options options = { .size = sizeof options, .workers = 2, .log = note_log };
	struct brood *brood;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max = 40;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK_EQ(brood_start(&options, &brood), -EMFILE);
	sscanf(brood_error(), "brood_start: %*u workers need %u open", &need);
	CHECK_GT(need, 40);
	note("needs %u", need);
	case_done();
	_exit(0);
}
Test(kept, nothing_is_needed_for_it_at_the_start) { case_run(tight_limit, 30000); }

static void in_inline_mode(void)
{
	struct brood_options options = { .size = sizeof options, .flags = BROOD_INLINE };
	int manager = up(listen_as_manager()), file = up(memory_file("x")), fd;
	struct brood *brood;

	pass(&file, 1, "state", getpid());
	CHECK_EQ(brood_start(&options, &brood), 0);
	fd = kept(brood, "state");
	CHECK(same_file(fd, file));
	close(fd);
	CHECK_EQ(brood_keep(brood, "more", file), 0);
	close(kept(brood, "more"));
	CHECK_EQ(brood_keep(brood, "more", -1), 0);
	CHECK_EQ(brood_kept(brood, NULL, NULL, 0), 1);
	CHECK(says_nothing(manager));
	CHECK_EQ(own_env("LISTEN_PID"), getpid());
	CHECK_EQ(brood_stop(brood), 0);
	close(3);
	close(file);
	close(manager);
}
Test(kept, inline_mode_has_a_table_and_no_store) { case_run(in_inline_mode, 30000); }
