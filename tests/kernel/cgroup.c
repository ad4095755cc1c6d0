/* SPDX-License-Identifier: MIT */
/* cgroup.c - the lowest limit of a cgroup and those above it: in played files, and in real ones. */
#include "kernel.h"
#include "os/cgroup.h"
#include "os/machine.h"

#include <stdio.h>
#include <sys/stat.h>

TestSuite(kernel_cgroup, .timeout = 60);

static char root[64];

/* Writes a file below the root, with the folders that it needs. */
static void play(const char *path, const char *text)
{
	char name[256];
	FILE *file;

	snprintf(name, sizeof name, "%s/%s", root, path);
	for (char *slash = name + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		CHECK(mkdir(name, 0700) == 0 || errno == EEXIST);
		*slash = '/';
	}
	file = fopen(name, "we");
	CHECK(file);
	CHECK_GE(fputs(text, file), 0);
	CHECK_EQ(fclose(file), 0);
}

static void begin(const char *own, const char *mount)
{
	char path[128];

	snprintf(root, sizeof root, "/tmp/brood-cgroup-XXXXXX");
	CHECK(mkdtemp(root));
	play("proc/self/cgroup", own);
	snprintf(path, sizeof path, "%s/cgroup.procs", mount);
	play(path, "");
}

static void end(void)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf '%s'", root);
	CHECK_EQ(system(command), 0);
}

static void finds(uint64_t value, const char *group)
{
	struct cgroup_limit limit;

	cgroup_limit(root, "pids.max", &limit);
	CHECK_EQ(limit.value, value);
	CHECK_STR(limit.group, group);
}

static void lowest(void)
{
	begin("0::/a.slice/b.service\n", "sys/fs/cgroup");
	finds(CGROUP_UNLIMITED, "");
	play("sys/fs/cgroup/a.slice/b.service/pids.max", "max\n");
	finds(CGROUP_UNLIMITED, "");
	play("sys/fs/cgroup/a.slice/pids.max", "70\n");
	finds(70, "/a.slice");
	play("sys/fs/cgroup/a.slice/b.service/pids.max", "64\n");
	finds(64, "/a.slice/b.service");
	play("sys/fs/cgroup/a.slice/pids.max", "12\n");
	finds(12, "/a.slice");
	play("sys/fs/cgroup/pids.max", "0\n");
	finds(0, "/");
	play("sys/fs/cgroup/pids.max", "nonsense\n");
	finds(12, "/a.slice");
	end();
}
Test(kernel_cgroup, lowest) { case_run(lowest, 20000); }

static void has(uint64_t value, const char *group)
{
	char found[CGROUP_NAME] = "";

	CHECK_EQ(cgroup_has(root, "memory.oom.group", value, found), group != NULL);
	CHECK_STR(found, group ? group : "");
}

static void nearest(void)
{
	begin("0::/a.slice/b.service\n", "sys/fs/cgroup");
	has(1, NULL);
	play("sys/fs/cgroup/a.slice/b.service/memory.oom.group", "0\n");
	has(1, NULL);
	has(0, "/a.slice/b.service");
	play("sys/fs/cgroup/memory.oom.group", "1\n");
	has(1, "/");
	play("sys/fs/cgroup/a.slice/memory.oom.group", "1\n");
	has(1, "/a.slice");
	end();
	begin("0::/\n", "sys/fs/cgroup");
	play("sys/fs/cgroup/memory.oom.group", "1\n");
	has(1, "/");
	end();
	begin("1:name=systemd:/\n", "sys/fs/cgroup");
	play("sys/fs/cgroup/memory.oom.group", "1\n");
	has(1, NULL);
	end();
}
Test(kernel_cgroup, nearest) { case_run(nearest, 20000); }

/* What all processes of a user, or of the machine, share (os/machine.h). */
static void machine(void)
{
	uint64_t queued = 7, limit = 7;

	begin("0::/\n", "sys/fs/cgroup");
	CHECK_EQ(machine_signals(root, &queued, &limit), -ENOENT);
	CHECK_EQ(machine_memory_left(root), UINT64_MAX);
	play("proc/self/status", "Name:\tx\nThreads:\t1\nSigQ:\t12/3000\nSigPnd:\t0\n");
	CHECK_EQ(machine_signals(root, &queued, &limit), 0);
	CHECK_EQ(queued, 12);
	CHECK_EQ(limit, 3000);
	play("proc/meminfo", "MemTotal: 9 kB\nCommitLimit:    3000 kB\nCommitted_AS:   1000 kB\n");
	play("proc/sys/vm/overcommit_memory", "0\n");
	CHECK_EQ(machine_memory_left(root), UINT64_MAX);
	play("proc/sys/vm/overcommit_memory", "2\n");
	CHECK_EQ(machine_memory_left(root), 2000 << 10);
	play("proc/meminfo", "CommitLimit: 3000 kB\nCommitted_AS: 3001 kB\n");
	CHECK_EQ(machine_memory_left(root), 0);
	play("proc/meminfo", "CommitLimit: 3000 kB\n");
	CHECK_EQ(machine_memory_left(root), UINT64_MAX);
	end();
	/* this machine's */
	CHECK_EQ(machine_signals("", &queued, &limit), 0);
	CHECK_GT(limit, 0);
}
Test(kernel_cgroup, machine) { case_run(machine, 20000); }

/* A container without a cgroup namespace: the path is the host's, and its root is mounted. */
static void container(void)
{
	begin("0::/docker/0123\n", "sys/fs/cgroup");
	play("sys/fs/cgroup/pids.max", "50\n");
	finds(50, "/");
	end();
	begin("0::/\n", "sys/fs/cgroup");
	play("sys/fs/cgroup/pids.max", "51\n");
	finds(51, "/");
	end();
}
Test(kernel_cgroup, container) { case_run(container, 20000); }

/* Version 1 has a line for each controller, and version 2 a mount beside them. */
static void both_versions(void)
{
	begin("8:pids:/v1\n1:name=systemd:/v1\n0::/v2\n", "sys/fs/cgroup/unified");
	play("sys/fs/cgroup/unified/v1/pids.max", "5\n");
	play("sys/fs/cgroup/unified/v2/pids.max", "6\n");
	finds(6, "/v2");
	end();
	begin("8:pids:/v1\n", "sys/fs/cgroup/unified");
	play("sys/fs/cgroup/unified/pids.max", "5\n");
	finds(CGROUP_UNLIMITED, "");
	end();
}
Test(kernel_cgroup, both_versions) { case_run(both_versions, 20000); }

static void nothing_to_see(void)
{
	begin("0::/../other\n", "sys/fs/cgroup");
	play("sys/fs/cgroup/pids.max", "5\n");
	finds(CGROUP_UNLIMITED, "");
	end();
	snprintf(root, sizeof root, "/nowhere");
	finds(CGROUP_UNLIMITED, "");
}
Test(kernel_cgroup, nothing_to_see) { case_run(nothing_to_see, 20000); }

/* ---- a real cgroup ---- */

#define REAL "/sys/fs/cgroup/brood-test-cgroup"

static void has_cpus(uint64_t count) { CHECK_EQ(cgroup_cpus(root), count); }

static void cpus(void)
{
	begin("0::/a.slice/b.service\n", "sys/fs/cgroup");
	has_cpus(CGROUP_UNLIMITED);
	play("sys/fs/cgroup/a.slice/b.service/cpu.max", "max 100000\n");
	has_cpus(CGROUP_UNLIMITED);
	play("sys/fs/cgroup/a.slice/b.service/cpu.max", "400000 100000\n");
	has_cpus(4);
	play("sys/fs/cgroup/a.slice/cpu.max", "250000 100000\n");
	has_cpus(2);
	play("sys/fs/cgroup/a.slice/cpu.max", "150000 100000\n");
	has_cpus(1);
	play("sys/fs/cgroup/a.slice/cpu.max", "20000 50000\n");
	has_cpus(0);
	play("sys/fs/cgroup/a.slice/cpu.max", "20000\n"); /* no line that a kernel writes */
	has_cpus(4);
	play("sys/fs/cgroup/a.slice/cpu.max", "20000 0\n");
	has_cpus(4);
	end();
}
Test(kernel_cgroup, cpus) { case_run(cpus, 20000); }

static void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void real(void)
{
	char pid[16];
	int status;
	pid_t child = fork();

	CHECK_GE(child, 0);
	if (child == 0) {
		struct cgroup_limit limit;

		snprintf(pid, sizeof pid, "%d", getpid());
		write_to(REAL "/pids.max", "17");
		write_to(REAL "/cgroup.procs", pid);
		cgroup_limit("", "pids.max", &limit);
		_exit(limit.value == 17 ? 0 : 1);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
}
Test(kernel_cgroup, real)
{
	bool made = mkdir(REAL, 0755) == 0;

	if (!made || access(REAL "/pids.max", W_OK) < 0) {
		if (made)
			rmdir(REAL);
		cr_skip_test("no cgroup of version 2 with pids.max can be made here");
	}
	case_run(real, 20000);
	rmdir(REAL);
}
