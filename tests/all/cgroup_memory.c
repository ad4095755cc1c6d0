/* SPDX-License-Identifier: MIT */
/*
 * cgroup_memory.c - memory.max and pids.max of one worker, under a kernel whose cgroups have these
 * controllers: a job that takes too much ends with "out of memory", and its neighbours go on. A
 * plain program, linked statically, that runs as root with cgroups of version 2 at /sys/fs/cgroup.
 * Prints a line for each check; exit code 1 if one failed.
 */
#include <brood.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define GROUP "/sys/fs/cgroup/brood-proof"
#define MIB   (1024 * 1024)
#define WAIT  20000

static int failures, ooms, notices;

static void check(int ok, const char *what, const char *more)
{
	printf("%s - %s%s%s\n", ok ? "ok" : "not ok", what, ok ? "" : ": ", ok ? "" : more);
	fflush(stdout);
	failures += !ok;
}

static int put(const char *file, const char *text)
{
	FILE *f = fopen(file, "w");
	int r = f ? fputs(text, f) : -1;

	if (f && fclose(f) != 0)
		r = -1;
	return r < 0 ? -1 : 0;
}

static void listen_to(void *context, const struct brood_log *log)
{
	(void)context;
	printf("# %s: %s\n", brood_event_name(log->event), log->text);
	ooms += log->event == BROOD_EVENT_WORKER_OOM;
	notices += log->event == BROOD_EVENT_RESOURCE;
}

/* Touches so many MiB. */
static int takes(struct brood_job *job)
{
	unsigned mib = 0;
	volatile char *p;

	if (brood_job_read(job, &mib, sizeof mib) != sizeof mib || !(p = malloc((size_t)mib * MIB)))
		return 1;
	for (size_t i = 0; i < (size_t)mib * MIB; i += 4096)
		p[i] = 1;
	free((void *)p);
	return 0;
}

static int forks(struct brood_job *job)
{
	int n = 0;
	pid_t pid;

	(void)job;
	while (n < 100 && (pid = fork()) > 0)
		n++;
	if (n < 100 && pid == 0)
		for (;;)
			pause();
	return n < 100 && errno == EAGAIN ? n : 0;
}

static struct brood_verdict run(struct brood *brood, brood_fn *fn, unsigned mib)
{
	struct brood_verdict v = { 0 };
	char reply[8];

	brood_call(brood, fn, &mib, sizeof mib, reply, sizeof reply, NULL, &v);
	return v;
}

static void is(const struct brood_verdict *v, enum brood_outcome outcome, enum brood_detail detail,
	const char *what)
{
	char text[512];

	brood_verdict_format(v, text, sizeof text);
	printf("# %s\n", text);
	check(v->outcome == outcome && v->detail == detail, what, text);
}

static int proof(uint32_t flags, uint32_t dispatch)
{
	struct brood_options options = { .size = sizeof options,
		.workers = 3,
		.flags = flags,
		.dispatch = dispatch,
		.memory_max = 64 * MIB,
		.tasks_max = 24,
		.log = listen_to };
	struct brood_handle *neighbour;
	struct brood *brood;
	struct brood_verdict v;
	unsigned mib = 8;
	int fd, r;

	r = brood_start(&options, &brood);
	check(r == 0, "brood_start()", brood_error());
	check(brood_wait_ready(brood, WAIT) == 0, "ready", brood_error());
	r = brood_open(brood, takes, NULL, &fd, &neighbour); /* has a worker, and waits for mib */
	check(r == 0, "a neighbour has a job", brood_error());
	v = run(brood, takes, 200);
	is(&v, BROOD_CRASHED, BROOD_DETAIL_OOM, "a job that takes 200 MiB of 64");
	check(write(fd, &mib, sizeof mib) == sizeof mib, "the neighbour goes on", "");
	check(brood_wait(neighbour, WAIT, &v) == 0, "and ends", brood_error());
	is(&v, BROOD_DONE, BROOD_DETAIL_NONE, "as it should");
	close(fd);
	brood_release(neighbour);
	v = run(brood, takes, 8);
	is(&v, BROOD_DONE, BROOD_DETAIL_NONE, "a job that takes 8 MiB, afterwards");
	v = run(brood, forks, 0);
	check(v.outcome == BROOD_FAILED && v.code >= 10 && v.code < 24,
		"a job that forks gets EAGAIN below tasks_max", "");
	brood_wait_ready(brood, WAIT);
	brood_dispatch(brood);
	check(brood_stop(brood) == 0, "brood_stop()", brood_error());
	check(ooms == 1, "one line of the event worker-oom", "");
	check(notices == 0, "no line about what cannot be had", "");
	return failures > 0;
}

static void in_a_process(uint32_t flags, uint32_t dispatch)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		if (put(GROUP "/cgroup.procs", "0") < 0)
			_exit(2);
		exit(proof(flags, dispatch));
	}
	check(waitpid(pid, &status, 0) == pid && status == 0, "the whole", "");
}

int main(void)
{
	check(put("/sys/fs/cgroup/cgroup.subtree_control", "+memory +pids") == 0, "controllers",
		strerror(errno));
	check(mkdir(GROUP, 0755) == 0, "a cgroup", strerror(errno));
	check(setxattr(GROUP, "user.delegate", "1", 1, 0) == 0, "its mark", strerror(errno));
	printf("# a cgroup a worker, by handoff\n");
	in_a_process(BROOD_WORKER_CGROUPS, BROOD_PATH_HANDOFF);
	printf("# a cgroup a worker, on leases\n");
	in_a_process(BROOD_WORKER_CGROUPS, BROOD_PATH_LEASE);
	check(rmdir(GROUP) == 0, "nothing is left in the cgroup", strerror(errno));
	printf("%d failures\n", failures);
	return failures > 0;
}
