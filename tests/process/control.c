/* SPDX-License-Identifier: MIT */
/*
 * control.c - the control socket between a brood and peers that are wrong, many, silent, dead or
 * somebody else. What its commands do, tests/tools/ctl_control.sh tries by the tool.
 */
#include "control.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

TestSuite(control, .timeout = 120);

#define MANY 1000

/* ---- whom it refuses ---- */

static void as_nobody(bool opened)
{
	struct control_request r = request(CONTROL_RELOAD);
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0)
			_exit(2);
		if (!opened)
			_exit(try_connect(0) == -EACCES ? 0 : 1);
		_exit(ask(&r) == -EPERM ? 0 : 1);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static void others(void)
{
	struct brood *brood = start(1);
	struct brood_stats before = pool_stats(brood);

	CHECK_EQ(chmod(folder, 0755), 0);
	as_nobody(false);
	/* somebody has opened the file for all: the kernel still says who asks */
	CHECK_EQ(chmod(path, 0666), 0);
	as_nobody(true);
	CHECK_EQ(pool_stats(brood).spawned, before.spawned);
	end(brood);
}
Test(control, another_user)
{
	if (geteuid() != 0)
		cr_skip("only root can become another user");
	case_run(others, 30000);
}

static void garbage(void)
{
	struct control_request r = request(CONTROL_RESIZE);
	struct brood *brood = start(2);
	int fds = proc_fds(proc_supervisor());
	unsigned char bytes[4096];
	uint64_t seed = 88172645463325252u;

	for (size_t size = 1; size < sizeof bytes; size += 1 + size / 4) {
		for (size_t i = 0; i < size; i++) {
			seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
			bytes[i] = (unsigned char)seed;
		}
		CHECK_EQ(ask_bytes(bytes, size), -EPROTO);
	}
	for (size_t half = 1; half < sizeof r; half++)
		CHECK_EQ(ask_bytes(&r, half), -EPROTO);
	CHECK_EQ(ask(&r), -EINVAL); /* no size */
	r.max = 3;
	CHECK_EQ(ask(&r), -ERANGE);
	r = request(99);
	CHECK_EQ(ask(&r), -EINVAL);
	r = request(CONTROL_KILL);
	r.slot = UINT32_MAX;
	CHECK_EQ(ask(&r), -ENOENT);
	r = request(CONTROL_RELOAD);
	memcpy(r.pool, "none", 4);
	CHECK_EQ(ask(&r), -ENOENT);
	r = request(CONTROL_CANCEL);
	/* the engine's only thread waits for this very answer: nobody there can give one */
	r.job = UINT64_MAX;
	CHECK_EQ(ask(&r), -EINPROGRESS);
	CHECK(WAIT_UNTIL(proc_fds(proc_supervisor()) == fds, 10000));
	CHECK_EQ(pool_stats(brood).died, 0);
	end(brood);
}
Test(control, garbage_changes_nothing) { case_run(garbage, 60000); }

/* Files that come with a request are closed: the supervisor keeps none. */
static void files(void)
{
	struct control_request r = request(CONTROL_RETIRE);
	struct brood *brood = start(1);
	int fds = proc_fds(proc_supervisor()), ends[2], fd = connected();
	char space[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { .iov_base = &r, .iov_len = sizeof r };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = sizeof space };
	struct control_reply reply;
	struct cmsghdr *c;
	char byte;

	CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
	memset(space, 0, sizeof space);
	c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &ends[1], sizeof(int));
	r.slot = 77;
	CHECK_EQ(sendmsg(fd, &m, MSG_NOSIGNAL), (ssize_t)sizeof r);
	CHECK_EQ(hear(fd, &reply), 1);
	close(fd);
	close(ends[1]);
	CHECK_EQ(read(ends[0], &byte, 1), 0);
	close(ends[0]);
	CHECK(WAIT_UNTIL(proc_fds(proc_supervisor()) == fds, 10000));
	end(brood);
}
Test(control, files_with_a_request_are_closed) { case_run(files, 30000); }

/* ---- many, silent, dead ---- */

static uint64_t cpu_ticks(pid_t pid)
{
	unsigned long long user = 0, system = 0;
	char name[64];
	FILE *file;

	snprintf(name, sizeof name, "/proc/%d/stat", (int)pid);
	file = fopen(name, "re");
	CHECK(file);
	CHECK_EQ(fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
			 &user, &system),
		2);
	fclose(file);
	return user + system;
}

static void many(void)
{
	static int fds[MANY];
	struct brood *brood = start(2);
	pid_t keeper = proc_supervisor();
	int before = proc_fds(keeper), held = 0, refused = 0;
	struct control_request r = request(CONTROL_RETIRE);
	struct control_reply reply;
	struct rlimit limit;
	uint64_t ticks;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (int i = 0; i < MANY; i++) {
		fds[i] = connected();
		CHECK_LE(proc_fds(keeper), before + CONTROL_FILES);
	}
	CHECK_EQ(POOL_CALL(brood, job_nothing).outcome, BROOD_DONE);
	ticks = cpu_ticks(keeper);
	/* those beyond the bound are told at once; those within are closed after some seconds */
	for (int i = 0; i < MANY; i++) {
		if (hear(fds[i], &reply)) {
			CHECK_EQ(reply.result, -EBUSY);
			refused++;
		} else {
			held++;
		}
		close(fds[i]);
	}
	CHECK_EQ(held, CONTROL_CONNECTIONS);
	CHECK_EQ(refused, MANY - CONTROL_CONNECTIONS);
	/* five seconds with silent peers: a loop that spins would have used hundreds of ticks */
	CHECK_LT(cpu_ticks(keeper) - ticks, 50);
	CHECK(WAIT_UNTIL(proc_fds(keeper) == before, 10000));
	r.slot = 77;
	CHECK_EQ(ask(&r), -ENOENT); /* there is room again */
	end(brood);
}
Test(control, a_thousand_silent_peers) { case_run(many, 90000); }

/* Peers that send a request and never read; then peers that are gone before the reply. */
static void deaf(void)
{
	struct control_request r = request(CONTROL_RESIZE);
	struct brood *brood = start(4);
	int before = proc_fds(proc_supervisor()), fds[64];

	r.max = 2;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = connected();
		send(fds[i], &r, sizeof r, MSG_NOSIGNAL);
		send(fds[i], &r, sizeof r, MSG_NOSIGNAL);
	}
	/* fewer workers need fewer files */
	CHECK(WAIT_UNTIL(proc_fds(proc_supervisor()) <= before, 20000));
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	for (int i = 0; i < 100; i++) {
		int fd = connected();

		send(fd, &r, sizeof r, MSG_NOSIGNAL);
		close(fd);
	}
	/* fewer workers need fewer files */
	CHECK(WAIT_UNTIL(proc_fds(proc_supervisor()) <= before, 20000));
	CHECK(WAIT_UNTIL(pool_stats(brood).workers == 2, 10000));
	end(brood);
}
Test(control, peers_that_do_not_read) { case_run(deaf, 60000); }

static void killed(void)
{
	struct control_request r = request(CONTROL_RELOAD);
	struct brood *brood = start(1);
	uint64_t id;
	struct brood_job_options options = {
		.size = sizeof options, .run_ms = BROOD_FOREVER, .ret_id = &id
	};
	struct brood_handle *handle;
	int before, fd, status;
	pid_t peer;

	/* a job holds the reload up, so the peer waits */
	CHECK_EQ(brood_open(brood, job_until_cancelled, &options, &fd, &handle), 0);
	r.wait_ms = 60000;
	fflush(NULL);
	peer = fork();
	if (peer == 0)
		_exit(ask(&r) == 0);
	/* the reload has begun, and nothing but the peer's end changes the files from here on */
	CHECK(WAIT_UNTIL(pool_stats(brood).ready == 2, 20000));
	before = proc_fds(proc_supervisor());
	CHECK_EQ(kill(peer, SIGKILL), 0);
	CHECK_EQ(waitpid(peer, &status, 0), peer);
	CHECK(WAIT_UNTIL(proc_fds(proc_supervisor()) < before, 10000));
	CHECK_EQ(brood_cancel(brood, id), 0);
	close(fd);
	CHECK_EQ(brood_wait(handle, 20000, NULL), 0);
	brood_release(handle);
	end(brood);
}
Test(control, a_peer_that_is_killed_while_it_waits) { case_run(killed, 60000); }

/* The supervisor has no fd for a connection: the pool goes on, and the next peer is served. */
static void no_files(void)
{
	struct control_request r = request(CONTROL_RETIRE);
	struct brood *brood = start(1);
	struct rlimit limit, none;
	struct control_reply reply;
	pid_t keeper = proc_supervisor();
	int fd;
	uint64_t ticks;

	CHECK_EQ(prlimit(keeper, RLIMIT_NOFILE, NULL, &limit), 0);
	none = limit;
	none.rlim_cur = 3;
	CHECK_EQ(prlimit(keeper, RLIMIT_NOFILE, &none, NULL), 0);
	ticks = cpu_ticks(keeper);
	fd = connected(); /* waits in the socket's queue */
	r.slot = 77;
	CHECK_EQ(send(fd, &r, sizeof r, MSG_NOSIGNAL), (ssize_t)sizeof r);
	CHECK_EQ(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, test_scaled(1500)), 0);
	CHECK_LT(cpu_ticks(keeper) - ticks, 30);
	CHECK_EQ(prlimit(keeper, RLIMIT_NOFILE, &limit, NULL), 0);
	CHECK_EQ(hear(fd, &reply), 1);
	CHECK_EQ(reply.result, -ENOENT);
	close(fd);
	end(brood);
}
Test(control, no_descriptor_for_a_peer) { case_run(no_files, 60000); }
