/* SPDX-License-Identifier: MIT */
/*
 * control_path.c - the file of the control socket: its mode, what may stand at its path already,
 * wrong paths, and which of the processes have the socket.
 */
#include "control.h"

#include <criterion/criterion.h>
#include <sys/stat.h>

TestSuite(control_path, .timeout = 120);

/* ---- the file, and who has the socket ---- */

/* The inode number of the socket that listens at `path`. */
static unsigned long listening_inode(void)
{
	FILE *file = fopen("/proc/net/unix", "re");
	unsigned long inode = 0;
	char line[512], at[256];

	CHECK(file);
	while (fgets(line, sizeof line, file)) {
		unsigned long number;
		unsigned flags;

		if (sscanf(line, "%*x: %*x %*x %x %*x %*x %lu %255s", &flags, &number, at) == 3 &&
			(flags & 0x10000) && strcmp(at, path) == 0)
			inode = number;
	}
	fclose(file);
	CHECK_NE(inode, 0);
	return inode;
}

static bool has_socket(pid_t pid, unsigned long inode)
{
	char words[64], *list = malloc(65536);
	bool has;

	CHECK(list);
	snprintf(words, sizeof words, "socket:[%lu]", inode);
	has = strstr(proc_fd_list(pid, list, 65536), words);
	free(list);
	return has;
}

static void roles_with(uint32_t spawn)
{
	const struct brood_options options = {
		.size = sizeof options, .workers = 2, .spawn = spawn, .control_path = path
	};
	unsigned long inode;
	struct brood *brood;
	pid_t workers[8], keeper;
	int idle, n;

	make_folder();
	brood = pool_start(&options);
	keeper = proc_supervisor();
	inode = listening_inode();
	idle = connected();
	CHECK(has_socket(keeper, inode));
	CHECK(!has_socket(getpid(), inode));
	CHECK(!has_socket(proc_guard(keeper), inode));
	CHECK(spawn == 0 || !has_socket(proc_spawner(keeper), inode));
	/* a worker that is born while a connection is open has none of both */
	CHECK_NE(POOL_CALL(brood, job_overflows).outcome, BROOD_DONE);
	CHECK(WAIT_UNTIL(pool_full(brood), 10000));
	n = proc_workers(keeper, workers, 8);
	CHECK_GE(n, 2);
	for (int i = 0; i < n; i++) {
		CHECK(!has_socket(workers[i], inode));
		CHECK_LE(proc_fds(workers[i]), proc_fds(keeper));
	}
	close(idle);
	end(brood);
}
static void roles(void) { roles_with(0); }
Test(control_path, only_the_supervisor_has_the_socket) { case_run(roles, 60000); }
static void roles_spawned(void) { roles_with(BROOD_SPAWN_CLONE3); }
Test(control_path, nor_has_a_spawner_or_its_workers) { case_run(roles_spawned, 60000); }

static void mode(void *context)
{
	const mode_t mask = *(const mode_t *)context;
	struct brood *brood;
	struct stat st;

	make_folder();
	umask(mask);
	brood = start_with(path, 1);
	CHECK_EQ(lstat(path, &st), 0);
	CHECK(S_ISSOCK(st.st_mode));
	CHECK_EQ(st.st_mode & 07777, 0600);
	CHECK_EQ(st.st_uid, geteuid());
	CHECK_EQ(umask(0), mask); /* the program's stays */
	end(brood);
}
Test(control_path, its_mode_whatever_the_umask)
{
	mode_t masks[] = { 0, 022, 077, 0777 };

	for (size_t i = 0; i < ARRAY_SIZE(masks); i++)
		case_run_with(mode, &masks[i], 30000);
}

/* ---- what stands at the path already ---- */

static int start_at(const char *where)
{
	const struct brood_options options = {
		.size = sizeof options, .workers = 1, .control_path = where
	};
	struct brood *brood;

	return brood_start(&options, &brood);
}

static int leave_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, path, strlen(path));
	CHECK_EQ(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

static void stale(void)
{
	struct control_request r = request(CONTROL_RETIRE);

	make_folder();
	close(leave_socket());
	struct brood *brood = start_with(path, 1);
	CHECK_EQ(ask(&r), 0);
	end(brood);
}
Test(control_path, the_socket_of_a_dead_brood_is_replaced) { case_run(stale, 30000); }

static void taken(void)
{
	int fds, fd;

	make_folder();
	/* somebody listens there, and its queue is full */
	fd = leave_socket();
	CHECK_EQ(listen(fd, 0), 0);
	fds = proc_own_fds();
	REFUSES(start_at(path), -EADDRINUSE, "another process listens there");
	CHECK_EQ(try_connect(SOCK_NONBLOCK), -EAGAIN);
	REFUSES(start_at(path), -EADDRINUSE, "a second brood needs a path of its own");
	close(fd);
	unlink(path);
	CHECK_EQ(symlink("/tmp/brood-control-nowhere", path), 0);
	REFUSES(start_at(path), -EEXIST, "no socket");
	CHECK_LT(access("/tmp/brood-control-nowhere", F_OK), 0);
	unlink(path);
	CHECK_EQ(mkdir(path, 0700), 0);
	REFUSES(start_at(path), -EEXIST, "no socket");
	rmdir(path);
	CHECK_EQ(chmod(folder, 0777), 0);
	REFUSES(start_at(path), -EPERM, "chmod go-w");
	CHECK_EQ(chmod(folder, 0770), 0);
	REFUSES(start_at(path), -EPERM, "chmod go-w");
	CHECK_EQ(chmod(folder, 01777), 0);
	if (geteuid() == 0) {
		CHECK_EQ(chown(folder, 65534, 65534), 0);
		REFUSES(start_at(path), -EPERM, "another user's");
		CHECK_EQ(chown(folder, 0, 0), 0);
	}
	CHECK_LE(proc_own_fds(), fds);
	/* after all that, a start that may succeed does */
	struct brood *brood = start_with(path, 1);
	end(brood);
}
Test(control_path, what_stands_at_the_path) { case_run(taken, 30000); }

static void wrong_paths(void)
{
	char longer[200];

	unsetenv("RUNTIME_DIRECTORY");
	REFUSES(start_at("c.sock"), -EINVAL, "RuntimeDirectory=");
	REFUSES(start_at(""), -EINVAL, "absolute path");
	REFUSES(start_at("./c.sock"), -EINVAL, "absolute path");
	REFUSES(start_at("/tmp/"), -EINVAL, "absolute path");
	REFUSES(start_at(".."), -EINVAL, "absolute path");
	REFUSES(start_at("/brood-none/c.sock"), -ENOENT, "/brood-none/c.sock");
	REFUSES(start_at("/dev/null/c.sock"), -ENOTDIR, "its folder cannot be opened");
	memset(longer, 'x', sizeof longer - 1);
	longer[0] = '/';
	longer[sizeof longer - 1] = '\0';
	REFUSES(start_at(longer), -ENAMETOOLONG, "at most 107");
	setenv("RUNTIME_DIRECTORY", "run", 1);
	REFUSES(start_at("c.sock"), -EINVAL, "RUNTIME_DIRECTORY is \"run\"");
	setenv("RUNTIME_DIRECTORY", longer, 1);
	REFUSES(start_at("c.sock"), -ENAMETOOLONG, "at most 107");
	make_folder();
	/* systemd gives several folders with ":" between them: the first one counts */
	snprintf(longer, sizeof longer, "%s:/run/other", folder);
	setenv("RUNTIME_DIRECTORY", longer, 1);
	struct brood *brood = start_with("c.sock", 1);
	struct control_request r = request(CONTROL_RETIRE);
	CHECK_EQ(ask(&r), 0);
	end(brood);
}
Test(control_path, wrong_paths) { case_run(wrong_paths, 30000); }

static void in_line(void)
{
	const struct brood_options options = {
		.size = sizeof options, .flags = BROOD_INLINE, .control_path = "no/path"
	};
	struct brood *brood;

	CHECK_EQ(brood_start(&options, &brood), 0);
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	CHECK_EQ(brood_stop(brood), 0);
}
Test(control_path, inline_mode_has_none) { case_run(in_line, 30000); }

static void off(void)
{
	struct brood *brood = pool_start_workers(1);
	char *list = malloc(65536);
	FILE *file;

	/* no socket of the supervisor listens */
	proc_fd_list(proc_supervisor(), list, 65536);
	file = fopen("/proc/net/unix", "re");
	CHECK(file);
	for (char line[512]; fgets(line, sizeof line, file);) {
		unsigned long number;
		char words[64];
		unsigned flags;

		if (sscanf(line, "%*x: %*x %*x %x %*x %*x %lu", &flags, &number) != 2 ||
			!(flags & 0x10000))
			continue;
		snprintf(words, sizeof words, "socket:[%lu]", number);
		CHECK(!strstr(list, words));
	}
	fclose(file);
	free(list);
	pool_stop(brood);
}
Test(control_path, off_by_default) { case_run(off, 30000); }
